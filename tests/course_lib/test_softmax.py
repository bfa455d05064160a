"""The softmax and its relatives: equal to their loops, lawful, differentiable, clear errors."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import B, H, S, T, along, mask, normal, permutation, seeds, shifts, sizes, stacked
from torch import Tensor
from torch.testing import assert_close

from course_lib import softmax as lib
from course_lib.entropy import entropy, weight_entropy
from course_lib.naive import entropy as naive_entropy
from course_lib.naive import online_softmax as naive_online
from course_lib.naive import softmax as naive
from course_lib.online_softmax import online_softmax_update

INF = math.inf
AXES = (-1, 0, 1)
DTYPES = (torch.float32, torch.float64)
KEEPS_AXIS = ("softmax", "log_softmax")
DROPS_AXIS = ("logsumexp", "entropy")
BY_NAME = {
    "softmax": lib.softmax,
    "log_softmax": lib.log_softmax,
    "logsumexp": lib.logsumexp,
    "entropy": entropy,
}
TWINS = {
    "softmax": naive.softmax,
    "log_softmax": naive.log_softmax,
    "logsumexp": naive.logsumexp,
    "entropy": naive_entropy.entropy,
}


# Equal to the twin


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("name", [*KEEPS_AXIS, *DROPS_AXIS])
def test_rows_equal_their_loops(name: str, axis: int, dtype: torch.dtype) -> None:
    x = 3 * normal(0, B, T, S, dtype=dtype)
    if name == "entropy":
        x = naive_weights = along(naive.softmax, axis, x).to(dtype)
        assert_close(naive_weights.sum(axis), torch.ones_like(naive_weights.sum(axis)))
    assert_close(BY_NAME[name](x, axis), along(TWINS[name], axis, x).to(dtype))


@pytest.mark.parametrize("axis", AXES)
def test_softmax_vjp_equals_the_whole_jacobian(axis: int) -> None:
    weights = along(naive.softmax, axis, normal(0, B, T, S))
    gradient = normal(1, B, T, S)
    expected = along(naive.softmax_vjp, axis, weights, gradient)
    assert_close(lib.softmax_vjp(weights, gradient, axis), expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_weight_entropy_equals_its_loops(dtype: torch.dtype) -> None:
    scores = 3 * normal(0, B, T, S, dtype=dtype)
    assert_close(weight_entropy(scores), along(naive_entropy.weight_entropy, -1, scores).to(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_with_sink_equals_its_loops(dtype: torch.dtype) -> None:
    scores, sink = 3 * normal(0, B, H, T, S, dtype=dtype), normal(1, H, dtype=dtype)
    arrays, per_head = scores.double().numpy(), sink.double().numpy()
    expected = stacked(naive.softmax_with_sink(example, per_head) for example in arrays)
    assert_close(lib.softmax_with_sink(scores, sink), expected.to(dtype))
    expected = stacked(naive.softmax_with_sink(example, 0.5) for example in arrays)
    assert_close(lib.softmax_with_sink(scores, 0.5), expected.to(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(B, T, S), (T, S), (B, 1, S), (1, S), (B, T, 1)])
def test_masked_softmax_equals_its_loops(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    scores, may_attend = 3 * normal(0, B, T, S, dtype=dtype), mask(1, *shape)
    pairs = zip(scores.double().numpy(), may_attend.expand(B, T, S).numpy(), strict=True)
    expected = stacked(naive.masked_softmax(example, allowed) for example, allowed in pairs)
    assert_close(lib.masked_softmax(scores, may_attend), expected.to(dtype))


def test_online_softmax_update_equals_its_loops() -> None:
    scores = 30 * normal(0, T, S)
    scores[0, :2] = -INF
    maximum, normaliser = normal(1, T), normal(2, T).exp()
    twins = [
        naive_online.online_softmax_update(m, n, row)
        for m, n, row in zip(maximum.tolist(), normaliser.tolist(), scores.numpy(), strict=True)
    ]
    expected = torch.tensor(twins, dtype=torch.float64).unbind(-1)
    assert_close(online_softmax_update(maximum, normaliser, scores), expected)


# Laws


@given(seed=seeds, rows=sizes, keys=sizes, shift=shifts)
def test_shifting_scores_changes_no_weight(seed: int, rows: int, keys: int, shift: float) -> None:
    # |shift| up to 1e4 costs up to 1e4 * 2^-53 = 1.1e-12 of each score, far below the tolerance.
    x = normal(seed, rows, keys)
    assert_close(lib.softmax(x + shift), lib.softmax(x))
    assert_close(lib.log_softmax(x + shift), lib.log_softmax(x))
    assert_close(lib.logsumexp(x + shift), lib.logsumexp(x) + shift)
    assert_close(weight_entropy(x + shift), weight_entropy(x))
    heads = x[None]
    assert_close(lib.softmax_with_sink(heads + shift, shift), lib.softmax_with_sink(heads, 0.0))


@given(seed=seeds, keys=sizes)
def test_permuting_keys_permutes_weights(seed: int, keys: int) -> None:
    x, order = normal(seed, T, keys), permutation(seed, keys)
    may_attend = mask(seed, T, keys)
    assert_close(lib.softmax(x[:, order]), lib.softmax(x)[:, order])
    permuted = lib.masked_softmax(x[:, order], may_attend[:, order])
    assert_close(permuted, lib.masked_softmax(x, may_attend)[:, order])
    assert_close(lib.logsumexp(x[:, order]), lib.logsumexp(x))
    assert_close(weight_entropy(x[:, order]), weight_entropy(x))


@given(seed=seeds, keys=sizes, axis=st.sampled_from(AXES))
def test_weights_are_positive_and_sum_to_one(seed: int, keys: int, axis: int) -> None:
    weights = lib.softmax(5 * normal(seed, B, T, keys), axis)
    assert (weights > 0).all()
    assert_close(weights.sum(axis), torch.ones_like(weights.sum(axis)))
    assert_close(lib.log_softmax(5 * normal(seed, B, T, keys), axis).exp(), weights)


@given(seed=seeds, keys=sizes)
def test_an_unreadable_score_has_no_influence(seed: int, keys: int) -> None:
    scores, may_attend = normal(seed, T, keys), mask(seed, T, keys)
    weights = lib.masked_softmax(scores, may_attend)
    for garbage in (1e300, -1e300, INF, -INF, math.nan):
        changed = lib.masked_softmax(scores.masked_fill(~may_attend, garbage), may_attend)
        assert torch.equal(changed, weights)
    assert torch.equal(weights[~may_attend], torch.zeros_like(weights[~may_attend]))
    row_sums = may_attend.any(-1).double()  # 1 where there is a key to read, else 0
    assert_close(weights.sum(-1), row_sums)


@given(seed=seeds, keys=sizes)
def test_softmax_vjp_sums_to_zero_and_ignores_a_constant(seed: int, keys: int) -> None:
    weights, gradient = lib.softmax(normal(seed, T, keys)), normal(seed + 1, T, keys)
    result = lib.softmax_vjp(weights, gradient)
    assert_close(result.sum(-1), torch.zeros(T, dtype=torch.float64))
    assert_close(lib.softmax_vjp(weights, gradient + 3.0), result)


@given(seed=seeds, keys=sizes)
def test_a_sink_takes_weight_by_one_factor(seed: int, keys: int) -> None:
    scores, sink = 3 * normal(seed, B, H, T, keys), 3 * normal(seed + 1, H)
    weights = lib.softmax_with_sink(scores, sink)
    share = torch.sigmoid(lib.logsumexp(scores) - sink[:, None])
    assert_close(weights, lib.softmax(scores) * share[..., None])
    assert (weights.sum(-1) < 1).all()


@given(seed=seeds, keys=sizes)
def test_a_sink_of_minus_infinity_is_no_sink(seed: int, keys: int) -> None:
    scores = 3 * normal(seed, H, T, keys)
    assert_close(lib.softmax_with_sink(scores, -INF), lib.softmax(scores))
    no_sinks = torch.full((H,), -INF, dtype=torch.float64)
    assert_close(lib.softmax_with_sink(scores, no_sinks), lib.softmax(scores))


@pytest.mark.parametrize("keys", [1, S])
def test_nothing_to_read_gives_zeros_with_any_sink(keys: int) -> None:
    scores = normal(0, H, T, keys).index_fill(1, torch.tensor([1]), -INF).requires_grad_()
    sinks = torch.linspace(-1, 1, H).double().index_fill(0, torch.tensor([0]), -INF)
    sinks.requires_grad_()
    with torch.autograd.set_detect_anomaly(True):
        weights = lib.softmax_with_sink(scores, sinks)
        (weights * normal(1, H, T, keys)).sum().backward()
    assert torch.equal(weights[:, 1], torch.zeros(H, keys).double())
    assert_close(weights[0, 0], torch.softmax(scores[0, 0], -1))
    for given_tensor in (scores, sinks):
        assert given_tensor.grad is not None
        assert given_tensor.grad.isfinite().all()


@given(
    seed=seeds,
    lengths=st.lists(sizes, min_size=1, max_size=5),
    empty=st.integers(0, 3),
    order=st.sampled_from(("as drawn", "ascending", "descending")),
)
def test_online_blocks_in_any_order_give_the_logsumexp(
    seed: int, lengths: list[int], empty: int, order: str
) -> None:
    scores = 30 * normal(seed, T, sum(lengths))
    scores[0, 1:2] = -INF
    if order != "as drawn":
        scores = scores.sort(dim=-1, descending=order == "descending").values
    blocks = [torch.full((T, 2), -INF, dtype=torch.float64)] * empty + list(
        scores.split(lengths, dim=-1)
    )
    maximum = torch.full((T,), -INF, dtype=torch.float64)
    normaliser = torch.zeros(T, dtype=torch.float64)
    for count, block in enumerate(blocks, start=1):
        maximum, normaliser = online_softmax_update(maximum, normaliser, block)
        read = torch.cat(blocks[:count], dim=-1)
        assert_close(maximum, read.amax(-1))
        assert_close(maximum + normaliser.log(), lib.logsumexp(read))
    assert_close((scores - maximum[:, None]).exp() / normaliser[:, None], lib.softmax(scores))


@given(seed=seeds, keys=sizes)
def test_entropy_lies_between_zero_and_the_uniform_row(seed: int, keys: int) -> None:
    scores = 5 * normal(seed, T, keys)
    result = weight_entropy(scores)
    assert (result >= 0).all()
    assert (result <= math.log(keys) + 1e-12).all()
    assert_close(result, entropy(lib.softmax(scores)))
    assert_close(weight_entropy(0 * scores), torch.full((T,), math.log(keys)).double())


# Extreme values


@pytest.mark.parametrize("dtype", DTYPES)
def test_large_and_very_different_rows(dtype: torch.dtype) -> None:
    x = torch.tensor([[1e4, 1e4, -1e4], [-1000.0, -1000.0, -1001.0], [0.0, 1.0, 2.0]], dtype=dtype)
    for name in KEEPS_AXIS:
        assert_close(BY_NAME[name](x), along(TWINS[name], -1, x).to(dtype))
    assert_close(lib.logsumexp(x), along(naive.logsumexp, -1, x).to(dtype))
    assert_close(weight_entropy(x), along(naive_entropy.weight_entropy, -1, x).to(dtype))
    may_attend = torch.tensor([[False, False, True], [True, True, False], [False] * 3])
    expected = torch.tensor([[0.0, 0, 1], [0.5, 0.5, 0], [0, 0, 0]], dtype=dtype)
    assert_close(lib.masked_softmax(x, may_attend), expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_readable_score_may_be_lower_than_any_usual_fill(dtype: torch.dtype) -> None:
    scores = torch.tensor([[-1e30, -1e30, 0.0]], dtype=dtype)
    expected = torch.tensor([[0.5, 0.5, 0.0]], dtype=dtype)
    assert_close(lib.masked_softmax(scores, torch.tensor([[True, True, False]])), expected)


def test_float64_is_not_computed_in_float32() -> None:
    x, may_attend = 3 * normal(0, H, T, S), mask(1, T, S)
    exact = {"rtol": 1e-13, "atol": 1e-15}  # assert_close's 1e-7 cannot tell the two apart
    weights = along(naive.softmax, -1, x)
    assert_close(lib.softmax(x), weights, **exact)
    assert_close(lib.log_softmax(x), along(naive.log_softmax, -1, x), **exact)
    assert_close(lib.logsumexp(x), along(naive.logsumexp, -1, x), **exact)
    assert_close(weight_entropy(x), along(naive_entropy.weight_entropy, -1, x), **exact)
    expected = along(naive.softmax_vjp, -1, weights, x)
    assert_close(lib.softmax_vjp(weights, x), expected, rtol=1e-12, atol=1e-15)
    expected = torch.from_numpy(naive.softmax_with_sink(x.numpy(), 0.1))
    assert_close(lib.softmax_with_sink(x, 0.1), expected, **exact)
    expected = stacked(naive.masked_softmax(head, may_attend.numpy()) for head in x.numpy())
    assert_close(lib.masked_softmax(x, may_attend), expected, **exact)


def test_log_softmax_keeps_the_digits_of_a_large_row() -> None:
    # Beside 1e4 float32 has steps of 0.001: x - logsumexp(x) would be off by up to that much.
    x = torch.tensor([1e4, 1e4 - 1.0], dtype=torch.float32)
    assert_close(lib.log_softmax(x), torch.tensor([-0.31326169, -1.31326169]))


def test_log_softmax_does_not_round_to_minus_infinity() -> None:
    assert_close(lib.log_softmax(torch.tensor([0.0, -1e4])), torch.tensor([0.0, -1e4]))


def test_rows_without_a_finite_score() -> None:
    x = torch.tensor([[-INF, -INF], [0.0, -INF]])
    assert_close(lib.logsumexp(x), torch.tensor([-INF, 0.0]))
    assert_close(lib.softmax(x)[1], torch.tensor([1.0, 0.0]))
    assert lib.softmax(x)[0].isnan().all()
    assert_close(lib.softmax_with_sink(x, 0.0), torch.tensor([[0.0, 0.0], [0.5, 0.0]]))
    assert_close(weight_entropy(x)[1], torch.tensor(0.0))
    state = torch.tensor([-INF, -INF]), torch.zeros(2)
    assert_close(online_softmax_update(*state, x), (x.amax(-1), torch.tensor([0.0, 1.0])))


def test_a_single_key_gets_all_the_weight() -> None:
    x = normal(0, 1, 1)
    assert_close(lib.softmax(x), torch.ones(1, 1, dtype=torch.float64))
    assert_close(lib.logsumexp(x), x[:, 0])
    assert_close(weight_entropy(x), torch.zeros(1, dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, *DTYPES])
def test_the_dtype_follows_the_inputs(dtype: torch.dtype) -> None:
    x = normal(0, H, T, S, dtype=dtype)
    for result in (
        lib.softmax(x),
        lib.logsumexp(x),
        lib.log_softmax(x),
        lib.softmax_vjp(x, x),
        lib.softmax_with_sink(x, 0.5),
        lib.softmax_with_sink(x, normal(1, H)),
        lib.masked_softmax(x, mask(0, T, S)),
        *online_softmax_update(x[..., 0], x[..., 0].exp(), x),
        entropy(x.exp()),
        weight_entropy(x),
    ):
        assert result.dtype == dtype


def test_a_transposed_tensor_is_no_special_case() -> None:
    x = normal(0, S, T).T
    assert not x.is_contiguous()
    assert_close(lib.softmax(x), lib.softmax(x.contiguous()))
    assert_close(lib.logsumexp(x, 0), lib.logsumexp(x.contiguous(), 0))


# Gradients

CASES: dict[str, tuple[Callable[..., object], tuple[Tensor, ...]]] = {
    "softmax": (lambda x: lib.softmax(x, 0), (normal(0, 2, 3),)),
    "logsumexp": (lambda x: lib.logsumexp(x, 0), (normal(0, 2, 3),)),
    "log_softmax": (lambda x: lib.log_softmax(x, 0), (normal(0, 2, 3),)),
    "softmax_vjp": (lib.softmax_vjp, (normal(0, 2, 3).softmax(-1), normal(1, 2, 3))),
    "softmax_with_sink": (lib.softmax_with_sink, (normal(0, 2, 1, 3), normal(1, 2))),
    "masked_softmax": (lambda x: lib.masked_softmax(x, mask(0, 3, 2)), (normal(0, 3, 2),)),
    "online_softmax_update": (
        online_softmax_update,
        (normal(0, 2), normal(1, 2).exp(), normal(2, 2, 3)),
    ),
    "entropy": (entropy, (normal(0, 2, 3).softmax(-1),)),
    "weight_entropy": (weight_entropy, (normal(0, 2, 3),)),
}


@pytest.mark.parametrize("name", CASES)
def test_gradient(name: str) -> None:
    function, tensors = CASES[name]
    inputs = tuple(tensor.clone().requires_grad_() for tensor in tensors)
    with torch.autograd.set_detect_anomaly(True):
        assert torch.autograd.gradcheck(function, inputs)
        assert torch.autograd.gradgradcheck(function, inputs)


@pytest.mark.parametrize(
    "function",
    [
        lib.logsumexp,
        lambda x: lib.masked_softmax(x, x > -INF),
        lambda x: lib.softmax_with_sink(x, 0.5),
        lambda x: online_softmax_update(torch.tensor([-INF] * 2), torch.zeros(2), x)[1],
        lambda x: weight_entropy(x[1:]),
    ],
)
def test_gradient_is_finite_where_nothing_is_read(function: Callable[[Tensor], Tensor]) -> None:
    x = torch.tensor([[-INF, -INF, -INF], [0.0, 1.0, -INF]], requires_grad=True)
    with torch.autograd.set_detect_anomaly(True):
        result = function(x)
        result.backward(normal(0, *result.shape, dtype=torch.float32))
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert torch.equal(x.grad[0], torch.zeros(3))
    assert x.grad[1, 2] == 0


def test_gradient_of_a_sink_far_above_the_scores() -> None:
    scores, sink = normal(0, H, T, S).requires_grad_(), torch.full((H,), 1000.0).double()
    weights = lib.softmax_with_sink(scores, sink.requires_grad_())
    assert torch.equal(weights, torch.zeros_like(weights))
    weights.sum().backward()
    assert scores.grad is not None
    assert sink.grad is not None
    assert torch.equal(scores.grad, torch.zeros_like(scores))
    assert torch.equal(sink.grad, torch.zeros_like(sink))


# Errors and side effects


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize("name", ["softmax", "logsumexp", "log_softmax", "entropy"])
def test_an_axis_must_exist_and_hold_something(name: str) -> None:
    function = BY_NAME[name]
    with pytest.raises(ValueError, match=r"2 axes; axis is 2; shape \(3, 5\)"):
        function(torch.zeros(3, 5), 2)
    with pytest.raises(ValueError, match=r"2 axes; axis is -3; shape \(3, 5\)"):
        function(torch.zeros(3, 5), -3)
    with pytest.raises(ValueError, match=r"axis 1 has size 0; shape \(3, 0\)"):
        function(torch.zeros(3, 0), 1)
    assert function(torch.zeros(3, 5), 1).shape[0] == 3


@pytest.mark.usefixtures("without_annotations")
def test_every_row_function_needs_a_key() -> None:
    empty = torch.zeros(4, 3, 0)
    for call in (
        lambda: lib.softmax_with_sink(empty, 0.0),
        lambda: lib.masked_softmax(empty, torch.ones(3, 0, dtype=torch.bool)),
        lambda: online_softmax_update(torch.zeros(4, 3), torch.zeros(4, 3), empty),
        lambda: weight_entropy(empty),
        lambda: lib.softmax_vjp(empty, empty),
    ):
        with pytest.raises(ValueError, match=r"axis -1 has size 0; shape \(4, 3, 0\)"):
            call()


@pytest.mark.usefixtures("without_annotations")
def test_softmax_vjp_refuses_to_broadcast() -> None:
    message = r"weights has 15 entries and grad_weights 5; shapes \(3, 5\) and \(5,\)"
    with pytest.raises(ValueError, match=message):
        lib.softmax_vjp(torch.zeros(3, 5), torch.zeros(5))


@pytest.mark.usefixtures("without_annotations")
def test_a_sink_needs_one_score_per_head() -> None:
    message = r"H is 4 and sink has 3 scores; shapes \(4, 3, 5\) and \(3,\)"
    with pytest.raises(ValueError, match=message):
        lib.softmax_with_sink(torch.zeros(4, 3, 5), torch.zeros(3))
    message = r"H is 0 and sink has 3 scores; shapes \(3, 5\) and \(3,\)"
    with pytest.raises(ValueError, match=message):
        lib.softmax_with_sink(torch.zeros(3, 5), torch.zeros(3))


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize("shape", [(3, 4), (5, 3), (2, 5)])
def test_may_attend_must_fit_the_scores(shape: tuple[int, ...]) -> None:
    message = rf"T=3, S=5; shapes \({', '.join(map(str, shape))}\) and \(3, 5\)"
    with pytest.raises(ValueError, match=message):
        lib.masked_softmax(torch.zeros(3, 5), torch.ones(shape, dtype=torch.bool))


@pytest.mark.usefixtures("without_annotations")
def test_an_online_update_needs_one_state_per_row() -> None:
    message = r"3 rows, maximum 1, normaliser 3; shapes \(3, 5\), \(1,\) and \(3,\)"
    with pytest.raises(ValueError, match=message):
        online_softmax_update(torch.zeros(1), torch.zeros(3), torch.zeros(3, 5))
    with pytest.raises(ValueError, match="3 rows, maximum 3, normaliser 2"):
        online_softmax_update(torch.zeros(3), torch.zeros(2), torch.zeros(3, 5))


@pytest.mark.parametrize("name", CASES)
def test_no_input_is_modified(name: str) -> None:
    function, tensors = CASES[name]
    before = [tensor.clone() for tensor in tensors]
    function(*tensors)
    for tensor, copy in zip(tensors, before, strict=True):
        assert torch.equal(tensor, copy)
