"""Lookups from hard to soft: equal to their loops, with their limits, differentiable, clear."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import DV, D, S, T, arrays, assert_equals_twin, normal, permutation, seeds, sizes
from torch import Tensor
from torch.testing import assert_close

from course_lib import lookup as lib
from course_lib.naive import lookup as naive

INF, NAN = math.inf, math.nan
DTYPES = (torch.float32, torch.float64)
temperatures = st.floats(min_value=0.05, max_value=50.0)


def drawn(seed: int, queries: int = T, keys: int = S) -> tuple[Tensor, Tensor, Tensor]:
    return normal(seed, queries, D), normal(seed + 1, keys, D), normal(seed + 2, keys, DV)


def places(seed: int, queries: int = T, keys: int = S) -> tuple[Tensor, Tensor, Tensor]:
    return normal(seed, queries), normal(seed + 1, keys), normal(seed + 2, keys)


# Equal to the twin


@pytest.mark.parametrize("dtype", DTYPES)
def test_hard_lookup_equals_its_loops(dtype: torch.dtype) -> None:
    tensors = [tensor.to(dtype) for tensor in drawn(0, 40)]
    expected = torch.from_numpy(naive.hard_lookup(*arrays(*tensors)))
    assert torch.equal(lib.hard_lookup(*tensors), expected.to(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("temperature", [0.3, 2.0, 7])
def test_soft_lookup_equals_its_loops(temperature: float, dtype: torch.dtype) -> None:
    tensors = [tensor.to(dtype) for tensor in drawn(0)]
    expected = torch.from_numpy(naive.soft_lookup(*arrays(*tensors), temperature))
    assert_equals_twin(lib.soft_lookup(*tensors, temperature), expected, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [0.3, 1.5, 3])
def test_kernel_regression_equals_its_loops(width: float, dtype: torch.dtype) -> None:
    tensors = [tensor.to(dtype) for tensor in places(0)]
    expected = torch.from_numpy(naive.kernel_regression(*arrays(*tensors), width))
    assert_equals_twin(lib.kernel_regression(*tensors, width), expected, dtype)


# Limits


@given(seed=seeds)
def test_a_temperature_towards_zero_is_a_hard_lookup(seed: int) -> None:
    tensors = drawn(seed)
    assert_close(lib.soft_lookup(*tensors, 1e-30), lib.hard_lookup(*tensors))


@given(seed=seeds)
def test_a_temperature_towards_infinity_is_the_mean_of_all_values(seed: int) -> None:
    query, keys, values = drawn(seed)
    mean = values.mean(0).expand(T, DV)
    assert_close(lib.soft_lookup(query, keys, values, 1e30), mean)


def test_of_equally_near_keys_the_hard_one_takes_the_first_and_the_soft_one_their_mean() -> None:
    query = torch.zeros(1, 1)
    keys, values = torch.tensor([[5.0], [1.0], [-1.0]]), torch.tensor([[9.0], [2.0], [4.0]])
    assert lib.hard_lookup(query, keys, values).item() == 2.0
    assert lib.soft_lookup(query, keys, values, 1e-30).item() == 3.0


@given(seed=seeds)
def test_a_width_has_the_same_limits(seed: int) -> None:
    xq, xk, y = places(seed)
    hard = lib.hard_lookup(xq[:, None], xk[:, None], y[:, None])[:, 0]
    assert_close(lib.kernel_regression(xq, xk, y, 1e-12), hard)
    assert_close(lib.kernel_regression(xq, xk, y, 1e12), y.mean().expand(T))


@given(seed=seeds, width=temperatures)
def test_kernel_regression_is_a_soft_lookup_in_one_dimension(seed: int, width: float) -> None:
    xq, xk, y = places(seed)
    mixed = lib.soft_lookup(xq[:, None], xk[:, None], y[:, None], 2 * width**2)
    assert_close(lib.kernel_regression(xq, xk, y, width), mixed[:, 0])


# Laws


@given(seed=seeds, queries=sizes, keys=sizes, temperature=temperatures)
def test_no_result_leaves_the_values(
    seed: int, queries: int, keys: int, temperature: float
) -> None:
    query, all_keys, values = drawn(seed, queries, keys)
    for found in (
        lib.soft_lookup(query, all_keys, values, temperature),
        lib.hard_lookup(query, all_keys, values),
    ):
        assert (found >= values.amin(0) - 1e-12).all()
        assert (found <= values.amax(0) + 1e-12).all()


@given(seed=seeds, keys=sizes, temperature=temperatures)
def test_pairs_may_stand_in_any_order(seed: int, keys: int, temperature: float) -> None:
    query, all_keys, values = drawn(seed, T, keys)
    order = permutation(seed, keys)
    for function in (lib.hard_lookup, lambda *x: lib.soft_lookup(*x, temperature)):
        assert_close(function(query, all_keys[order], values[order]),
                     function(query, all_keys, values))  # fmt: skip
    xq, xk, y = places(seed, T, keys)
    assert_close(lib.kernel_regression(xq, xk[order], y[order], temperature),
                 lib.kernel_regression(xq, xk, y, temperature))  # fmt: skip


@given(seed=seeds, shift=st.floats(min_value=-10, max_value=10), temperature=temperatures)
def test_distances_alone_count(seed: int, shift: float, temperature: float) -> None:
    query, keys, values = drawn(seed)
    moved = query + shift, keys + shift, values
    assert_close(lib.soft_lookup(*moved, temperature),
                 lib.soft_lookup(query, keys, values, temperature))  # fmt: skip
    rotation = torch.linalg.qr(normal(seed, D, D))[0]
    assert_close(lib.soft_lookup(query @ rotation, keys @ rotation, values, temperature),
                 lib.soft_lookup(query, keys, values, temperature))  # fmt: skip


def test_keys_of_one_length_are_compared_by_their_products() -> None:
    """-‖q - k‖² = 2 q·k - ‖q‖² - ‖k‖²: where all ‖k‖ are equal, a softmax sees 2 q·k alone."""
    query, keys, values = drawn(0)
    keys = keys / keys.norm(dim=-1, keepdim=True)
    weights = torch.softmax(query @ keys.mT, -1)
    assert_close(lib.soft_lookup(query, keys, values, 2.0), weights @ values)


# Numbers at their limits


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, *DTYPES])
@pytest.mark.parametrize("far", [1e3, -1e3, 6e4])
def test_far_away_the_nearest_measured_place_decides(far: float, dtype: torch.dtype) -> None:
    xq, xk = torch.tensor([far], dtype=dtype), torch.tensor([-1.0, 0.5, 2.0], dtype=dtype)
    y = torch.tensor([3.0, 5.0, 7.0], dtype=dtype)
    found = lib.kernel_regression(xq, xk, y, 0.5)
    assert found.dtype == dtype
    assert found.item() == (7.0 if far > 0 else 3.0)


@pytest.mark.parametrize(("dtype", "far"), [(torch.float32, 3e38), (torch.float64, 1e308)])
def test_a_height_is_finite_where_squares_are_infinite(dtype: torch.dtype, far: float) -> None:
    xq = torch.tensor([far, -far, 0.0], dtype=dtype)
    xk, y = torch.tensor([1.0, -1.0], dtype=dtype), torch.tensor([4.0, 2.0], dtype=dtype)
    for width in (1e-3, 1.0, 1e3):
        assert lib.kernel_regression(xq, xk, y, width).isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32_and_rounded_once(dtype: torch.dtype) -> None:
    tensors = [tensor.to(dtype) for tensor in drawn(0)]
    wide = lib.soft_lookup(*(tensor.float() for tensor in tensors), 2.0)
    assert torch.equal(lib.soft_lookup(*tensors, 2.0), wide.to(dtype))
    lines = [tensor.to(dtype) for tensor in places(0)]
    wide = lib.kernel_regression(*(tensor.float() for tensor in lines), 0.7)
    assert torch.equal(lib.kernel_regression(*lines, 0.7), wide.to(dtype))


def test_nan_is_seen() -> None:
    query, keys, values = drawn(0)
    spoilt = query.clone()
    spoilt[1, 0] = NAN
    for function in (lib.hard_lookup, lambda *x: lib.soft_lookup(*x, 1.0)):
        found = function(spoilt, keys, values)
        assert found[1].isnan().all()
        assert not found[[0, 2]].isnan().any()
        nowhere = keys.clone()
        nowhere[2, 0] = NAN
        assert function(query, nowhere, values).isnan().all()
    xq, xk, y = places(0)
    for arguments in ((xq * NAN, xk, y), (xq, xk * NAN, y), (xq, xk, y * NAN)):
        assert lib.kernel_regression(*arguments, 1.0).isnan().all()


# Gradients and inputs


SOFT = drawn(7, 2, 3)
LINES = places(7, 2, 3)


def test_gradient() -> None:
    with torch.autograd.set_detect_anomaly(True):
        inputs = tuple(tensor.clone().requires_grad_() for tensor in SOFT)
        assert torch.autograd.gradcheck(lambda *x: lib.soft_lookup(*x, 1.5), inputs)
        inputs = tuple(tensor.clone().requires_grad_() for tensor in LINES)
        assert torch.autograd.gradcheck(lambda *x: lib.kernel_regression(*x, 0.8), inputs)
        values = SOFT[2].clone().requires_grad_()
        assert torch.autograd.gradcheck(lambda v: lib.hard_lookup(*SOFT[:2], v), (values,))


def test_a_hard_lookup_tells_its_keys_nothing() -> None:
    query, keys, values = (tensor.clone().requires_grad_() for tensor in SOFT)
    lib.hard_lookup(query, keys, values).sum().backward()
    for ignored in (query.grad, keys.grad):
        assert ignored is None or not ignored.any()
    assert values.grad is not None
    assert values.grad.sum() == 2 * DV


def test_no_input_is_modified() -> None:
    for tensors, function in (
        (SOFT, lib.hard_lookup),
        (SOFT, lambda *x: lib.soft_lookup(*x, 1.0)),
        (LINES, lambda *x: lib.kernel_regression(*x, 1.0)),
    ):
        before = [tensor.clone() for tensor in tensors]
        function(*tensors)
        assert all(map(torch.equal, tensors, before))


# Refusals


def zeros(*shapes: tuple[int, ...]) -> list[Tensor]:
    return [torch.zeros(shape) for shape in shapes]


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((3, 7), (5, 6), (5, 2)), r"query has D=7 and keys D=6; shapes \(3, 7\) and \(5, 6\)"),
        (((3, 7), (5, 7), (4, 2)), r"keys has S=5 and values S=4; shapes \(5, 7\) and \(4, 2\)"),
        (((3, 7), (0, 7), (0, 2)), r"only where there is a key; keys has S=0; shape \(0, 7\)"),
        (((3, 7), (5, 7), (5,)), r"values has the axes S Dv, 2 in number; values has 1"),
        (((7,), (5, 7), (5, 2)), r"query has the axes T D, 2 in number; query has 1"),
        (((3, 7), (2, 5, 7), (5, 2)), r"keys has the axes S D, 2 in number; keys has 3"),
    ],
)
def test_refusals_name_both_sizes(shapes: tuple[tuple[int, ...], ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lib.hard_lookup(*zeros(*shapes))
    with pytest.raises(ValueError, match=message):
        lib.soft_lookup(*zeros(*shapes), 1.0)


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((3,), (5,), (4,)), r"xk has S=5 and y S=4; shapes \(5,\) and \(4,\)"),
        (((3,), (0,), (0,)), r"only where there is a key; xk has S=0; shape \(0,\)"),
        (((3, 1), (5,), (5,)), r"xq has the axes T, 1 in number; xq has 2; shape \(3, 1\)"),
        (((3,), (5,), (5, 1)), r"y has the axes S, 1 in number; y has 2; shape \(5, 1\)"),
    ],
)
def test_refusals_of_a_curve_name_both_sizes(
    shapes: tuple[tuple[int, ...], ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        lib.kernel_regression(*zeros(*shapes), 1.0)


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize("number", [0.0, -1.0, INF, NAN, 1e-50])
def test_a_temperature_and_a_width_are_above_zero(number: float) -> None:
    with pytest.raises(ValueError, match=f"a temperature is positive.*temperature is {number}"):
        lib.soft_lookup(*SOFT, number)
    with pytest.raises(ValueError, match=f"a width is positive.*width is {number}"):
        lib.kernel_regression(*LINES, number)


@pytest.mark.usefixtures("without_annotations")
def test_integers_and_two_dtypes_are_refused() -> None:
    query, keys, values = SOFT
    with pytest.raises(ValueError, match=r"keys is torch\.int64"):
        lib.hard_lookup(query, keys.long(), values)
    with pytest.raises(ValueError, match=r"query is torch\.float64 and values torch\.float32"):
        lib.soft_lookup(query, keys, values.float(), 1.0)
    with pytest.raises(ValueError, match=r"y is torch\.int64"):
        lib.kernel_regression(LINES[0], LINES[1], LINES[2].long(), 1.0)
