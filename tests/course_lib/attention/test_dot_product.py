"""Dot-product attention: equal to its loops, lawful, differentiable, clear when refused."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from strategies import (
    DV,
    B,
    C,
    D,
    H,
    S,
    T,
    arrays,
    mask,
    normal,
    permutation,
    seeds,
    sizes,
    stacked,
)
from torch import Tensor
from torch.testing import assert_close

from course_lib.attention import dot_product as lib
from course_lib.naive.attention import dot_product as naive

DTYPES = (torch.float32, torch.float64)


def qkv(seed: int = 0, *batch: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    return (
        normal(seed, *batch, T, D, dtype=dtype),
        normal(seed + 1, *batch, S, D, dtype=dtype),
        normal(seed + 2, *batch, S, DV, dtype=dtype),
    )


def projections(dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    columns = (D, D, DV)
    return tuple(normal(seed, C, size, dtype=dtype) for seed, size in enumerate(columns, start=5))


# Equal to the twin


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cross", [True, False])
def test_project_qkv_equals_its_loops(cross: bool, dtype: torch.dtype) -> None:
    x, context = normal(0, B, T, C, dtype=dtype), normal(1, B, S, C, dtype=dtype)
    weights = projections(dtype)
    results = lib.project_qkv(x, *weights, context if cross else None)
    for example in range(B):
        read = arrays(context[example]) if cross else []
        expected = naive.project_qkv(*arrays(x[example], *weights), *read)
        for result, twin in zip(results, expected, strict=True):
            assert_close(result[example], torch.from_numpy(twin).to(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_attention_scores_equal_their_loops(dtype: torch.dtype) -> None:
    query, key, _ = qkv(0, B, dtype=dtype)
    pairs = zip(query, key, strict=True)
    expected = stacked(naive.attention_scores(*arrays(*pair)) for pair in pairs)
    assert_close(lib.attention_scores(query, key), expected.to(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [None, (T, S), (B, 1, S), (B, T, S), (1, S), (B, T, 1)])
def test_scaled_dot_product_attention_equals_its_loops(
    shape: tuple[int, ...] | None, dtype: torch.dtype
) -> None:
    tensors = qkv(0, B, dtype=dtype)
    may_attend = None if shape is None else mask(3, *shape)
    results = lib.scaled_dot_product_attention(*tensors, may_attend)
    for example in range(B):
        allowed = None if may_attend is None else may_attend.expand(B, T, S)[example].numpy()
        parts = arrays(*(tensor[example] for tensor in tensors))
        expected = naive.scaled_dot_product_attention(*parts, allowed)
        for result, twin in zip(results, expected, strict=True):
            assert_close(result[example], torch.from_numpy(twin).to(dtype))


def test_float64_is_not_computed_in_float32() -> None:
    exact = {"rtol": 1e-12, "atol": 1e-14}  # assert_close's 1e-7 cannot tell the two apart
    query, key, value = qkv()
    expected = naive.scaled_dot_product_attention(*arrays(query, key, value))
    results = lib.scaled_dot_product_attention(query, key, value)
    for result, twin in zip(results, expected, strict=True):
        assert_close(result, torch.from_numpy(twin), **exact)
    x, weights = normal(0, T, C), projections()
    for result, twin in zip(
        lib.project_qkv(x, *weights), naive.project_qkv(*arrays(x, *weights)), strict=True
    ):
        assert_close(result, torch.from_numpy(twin), **exact)


def test_leading_axes_are_independent_problems() -> None:
    query, key, value = qkv(0, B, H)
    may_attend = mask(3, B, H, T, S)
    output, weights = lib.scaled_dot_product_attention(query, key, value, may_attend)
    for b in range(B):
        for h in range(H):
            parts = (query[b, h], key[b, h], value[b, h], may_attend[b, h])
            expected = lib.scaled_dot_product_attention(*parts)
            assert_close((output[b, h], weights[b, h]), expected)


# Laws


@given(seed=seeds)
def test_an_unreadable_key_has_no_influence(seed: int) -> None:
    query, key, value = qkv(seed, B)
    may_attend = mask(seed, B, 1, S).expand(B, T, S).clone()
    may_attend[0, :, 2] = False
    expected = lib.scaled_dot_product_attention(query, key, value, may_attend)
    key[0, 2], value[0, 2] = 1e4 * normal(seed + 3, D), 1e4 * normal(seed + 4, DV)
    assert_close(lib.scaled_dot_product_attention(query, key, value, may_attend), expected)
    assert torch.equal(expected[1][~may_attend], torch.zeros(int((~may_attend).sum())).double())


@given(seed=seeds)
def test_removing_unreadable_keys_changes_nothing(seed: int) -> None:
    query, key, value = qkv(seed, B)
    readable = torch.tensor([True, False, True, True, False])
    output, weights = lib.scaled_dot_product_attention(query, key, value, readable.expand(T, S))
    fewer = lib.scaled_dot_product_attention(query, key[:, readable], value[:, readable])
    assert_close((output, weights[..., readable]), fewer)


@given(seed=seeds)
def test_permuting_keys_and_values_together_changes_no_output(seed: int) -> None:
    query, key, value = qkv(seed, B)
    may_attend, order = mask(seed, T, S), permutation(seed, S)
    output, weights = lib.scaled_dot_product_attention(query, key, value, may_attend)
    permuted = lib.scaled_dot_product_attention(
        query, key[:, order], value[:, order], may_attend[:, order]
    )
    assert_close(permuted, (output, weights[..., order]))


@given(seed=seeds)
def test_permuting_queries_permutes_the_rows(seed: int) -> None:
    query, key, value = qkv(seed, B)
    order = permutation(seed, T)
    output, weights = lib.scaled_dot_product_attention(query, key, value)
    permuted = lib.scaled_dot_product_attention(query[:, order], key, value)
    assert_close(permuted, (output[:, order], weights[:, order]))


@given(seed=seeds)
def test_adding_a_vector_to_every_key_changes_nothing(seed: int) -> None:
    # It adds q · c to every score of a query: a shift of the row.
    query, key, value = qkv(seed, B)
    expected = lib.scaled_dot_product_attention(query, key, value)
    moved = lib.scaled_dot_product_attention(query, key + normal(seed + 5, D), value)
    assert_close(moved, expected)


@given(seed=seeds, queries=sizes, keys=sizes)
def test_outputs_are_means_of_the_values(seed: int, queries: int, keys: int) -> None:
    query, key, value = normal(seed, queries, D), normal(seed + 1, keys, D), normal(seed, keys, DV)
    output, weights = lib.scaled_dot_product_attention(query, key, value)
    assert_close(weights.sum(-1), torch.ones(queries, dtype=torch.float64))
    assert (output <= value.amax(0) + 1e-12).all()
    assert (output >= value.amin(0) - 1e-12).all()
    assert_close(
        lib.scaled_dot_product_attention(query, key, torch.ones_like(value))[0],
        torch.ones_like(output),
    )


@given(seed=seeds)
def test_projecting_a_context_of_x_is_self_attention(seed: int) -> None:
    x, weights = normal(seed, B, T, C), projections()
    assert_close(lib.project_qkv(x, *weights, x), lib.project_qkv(x, *weights))
    shuffled = x[:, permutation(seed, T)]
    assert_close(lib.project_qkv(x, *weights, shuffled)[0], lib.project_qkv(x, *weights)[0])


@given(seed=seeds)
def test_scores_are_linear_in_the_queries(seed: int) -> None:
    query, key, _ = qkv(seed, B)
    assert_close(lib.attention_scores(3 * query, key), 3 * lib.attention_scores(query, key))
    swapped = lib.attention_scores(key, query)
    assert_close(swapped.transpose(-1, -2), lib.attention_scores(query, key))


# Extreme values


@pytest.mark.parametrize("dtype", DTYPES)
def test_huge_scores_choose_one_key(dtype: torch.dtype) -> None:
    key = torch.eye(S, D, dtype=dtype)
    query, value = 1e4 * key[:T], normal(2, S, DV, dtype=dtype)
    output, weights = lib.scaled_dot_product_attention(query, key, value)
    assert_close(weights, torch.eye(T, S, dtype=dtype))
    assert_close(output, value[:T])
    may_attend = ~torch.eye(T, S, dtype=torch.bool)
    _, weights = lib.scaled_dot_product_attention(query, key, value, may_attend)
    assert_close(weights, may_attend.to(dtype) / (S - 1))


def test_a_readable_score_may_be_far_below_a_blocked_one() -> None:
    query, key = torch.tensor([[1e4]]), torch.tensor([[-1e4], [1e4]])
    value, may_attend = torch.tensor([[2.0], [3.0]]), torch.tensor([[True, False]])
    output, weights = lib.scaled_dot_product_attention(query, key, value, may_attend)
    assert_close(weights, torch.tensor([[1.0, 0.0]]))
    assert_close(output, torch.tensor([[2.0]]))


def test_a_single_position_reads_itself() -> None:
    query, key, value = normal(0, 1, D), normal(1, 1, D), normal(2, 1, DV)
    output, weights = lib.scaled_dot_product_attention(query, key, value)
    assert_close(weights, torch.ones(1, 1, dtype=torch.float64))
    assert_close(output, value)


def test_nothing_to_read_gives_zeros() -> None:
    tensors = qkv(0, B)
    nothing = torch.zeros(T, S, dtype=torch.bool)
    output, weights = lib.scaled_dot_product_attention(*tensors, nothing)
    assert torch.equal(output, torch.zeros(B, T, DV, dtype=torch.float64))
    assert torch.equal(weights, torch.zeros(B, T, S, dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, *DTYPES])
def test_the_dtype_follows_the_inputs(dtype: torch.dtype) -> None:
    tensors = qkv(0, B, dtype=dtype)
    for may_attend in (None, mask(0, T, S)):
        for result in lib.scaled_dot_product_attention(*tensors, may_attend):
            assert result.dtype == dtype


def test_transposed_tensors_are_no_special_case() -> None:
    layout_bthd = [tensor.transpose(1, 2).contiguous() for tensor in qkv(0, B, H)]
    query, key, value = (tensor.transpose(1, 2) for tensor in layout_bthd)
    assert not query.is_contiguous()
    expected = lib.scaled_dot_product_attention(*qkv(0, B, H))
    assert_close(lib.scaled_dot_product_attention(query, key, value), expected)


# Gradients

SMALL = {"q": normal(0, 3, 2), "k": normal(1, 4, 2), "v": normal(2, 4, 1), "x": normal(3, 3, 2)}
CASES: dict[str, tuple[Callable[..., object], tuple[Tensor, ...]]] = {
    "project_qkv": (
        lib.project_qkv,
        (SMALL["x"], normal(4, 2, 1), normal(5, 2, 1), normal(6, 2, 3), SMALL["k"]),
    ),
    "attention_scores": (lib.attention_scores, (SMALL["q"], SMALL["k"])),
    "attention": (lib.scaled_dot_product_attention, (SMALL["q"], SMALL["k"], SMALL["v"])),
    "attention with an empty row": (
        lambda q, k, v: lib.scaled_dot_product_attention(q, k, v, mask(0, 3, 4)),
        (SMALL["q"], SMALL["k"], SMALL["v"]),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_gradient(name: str) -> None:
    function, tensors = CASES[name]
    inputs = tuple(tensor.clone().requires_grad_() for tensor in tensors)
    with torch.autograd.set_detect_anomaly(True):
        assert torch.autograd.gradcheck(function, inputs)


def test_gradient_where_a_query_reads_nothing() -> None:
    query, key, value = (tensor.requires_grad_() for tensor in qkv(0, B))
    may_attend = mask(0, T, S)
    may_attend[:, 1] = False
    with torch.autograd.set_detect_anomaly(True):
        output, _ = lib.scaled_dot_product_attention(query, key, value, may_attend)
        output.backward(normal(7, *output.shape))
    assert query.grad is not None
    assert key.grad is not None
    assert value.grad is not None
    assert all(tensor.grad.isfinite().all() for tensor in (query, key, value))
    assert torch.equal(query.grad[:, 0], torch.zeros(B, D).double())  # reads nothing
    assert torch.equal(key.grad[:, 1], torch.zeros(B, D).double())  # read by nobody
    assert torch.equal(value.grad[:, 1], torch.zeros(B, DV).double())
    assert (query.grad[:, -1] != 0).any()


@pytest.mark.parametrize("name", CASES)
def test_no_input_is_modified(name: str) -> None:
    function, tensors = CASES[name]
    before = [tensor.clone() for tensor in tensors]
    function(*tensors)
    for tensor, copy in zip(tensors, before, strict=True):
        assert torch.equal(tensor, copy)


def test_the_mask_is_not_modified() -> None:
    may_attend = mask(0, T, S)
    before = may_attend.clone()
    lib.scaled_dot_product_attention(*qkv(0, B), may_attend)
    assert torch.equal(may_attend, before)


# Errors


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize(
    ("function", "shapes", "message"),
    [
        (
            lib.project_qkv,
            [(2, 3, 10), (11, 7), (11, 7), (11, 6)],
            r"x has 10 and w_q 11; shapes \(2, 3, 10\) and \(11, 7\)",
        ),
        (
            lib.project_qkv,
            [(2, 3, 11), (11, 7), (10, 7), (11, 6)],
            r"x has 11 and w_k 10; shapes \(2, 3, 11\) and \(10, 7\)",
        ),
        (
            lib.project_qkv,
            [(2, 3, 11), (11, 7), (11, 7), (11, 6), (2, 5, 10)],
            r"context has 10 and w_k 11; shapes \(2, 5, 10\) and \(11, 7\)",
        ),
        (
            lib.project_qkv,
            [(2, 3, 11), (11, 7), (11, 7), (12, 6), (2, 5, 11)],
            r"context has 11 and w_v 12; shapes \(2, 5, 11\) and \(12, 6\)",
        ),
        (
            lib.project_qkv,
            [(2, 3, 11), (11, 7), (11, 6), (11, 6)],
            r"w_q has 7 and w_k 6; shapes \(11, 7\) and \(11, 6\)",
        ),
        (
            lib.project_qkv,
            [(2, 3, 11), (11, 7), (11, 7), (11, 6), (5, 11)],
            r"x has \(2,\) and context \(\); shapes \(2, 3, 11\) and \(5, 11\)",
        ),
        (
            lib.attention_scores,
            [(2, 3, 7), (2, 5, 6)],
            r"D=7 and the keys D=6; shapes \(2, 3, 7\) and \(2, 5, 6\)",
        ),
        (
            lib.attention_scores,
            [(2, 3, 7), (1, 5, 7)],
            r"query has \(2,\) and key \(1,\); shapes \(2, 3, 7\) and \(1, 5, 7\)",
        ),
        (
            lib.scaled_dot_product_attention,
            [(3, 7), (5, 6), (5, 6)],
            r"D=7 and the keys D=6; shapes \(3, 7\) and \(5, 6\)",
        ),
        (
            lib.scaled_dot_product_attention,
            [(3, 7), (5, 7), (4, 6)],
            r"keys have S=5 and the values S=4; shapes \(5, 7\) and \(4, 6\)",
        ),
        (
            lib.scaled_dot_product_attention,
            [(2, 3, 7), (2, 5, 7), (5, 6)],
            r"query has \(2,\) and value \(\); shapes \(2, 3, 7\) and \(5, 6\)",
        ),
        (
            lib.scaled_dot_product_attention,
            [(2, 3, 7), (5, 7), (2, 5, 6)],
            r"query has \(2,\) and key \(\); shapes \(2, 3, 7\) and \(5, 7\)",
        ),
        (
            lib.scaled_dot_product_attention,
            [(7,), (5, 7), (5, 6)],
            r"query has the axes \*batch T D, at least 2 .* query has 1; shape \(7,\)",
        ),
        (
            lib.attention_scores,
            [(3, 7), (7,)],
            r"key has the axes \*batch S D, at least 2 .* key has 1; shape \(7,\)",
        ),
        (
            lib.scaled_dot_product_attention,
            [(3, 7), (0, 7), (0, 6)],
            r"at least one key and its value; there are S=0; shapes \(0, 7\) and \(0, 6\)",
        ),
    ],
)
def test_refusals_name_both_sizes(
    function: Callable[..., object], shapes: list[tuple[int, ...]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        function(*(torch.zeros(shape) for shape in shapes))


@pytest.mark.usefixtures("without_annotations")
def test_a_mask_must_fit_the_scores() -> None:
    message = r"T=3, S=5; shapes \(5, 3\) and \(2, 3, 5\)"
    with pytest.raises(ValueError, match=message):
        lib.scaled_dot_product_attention(*qkv(0, B), torch.ones(5, 3, dtype=torch.bool))


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize("dtype", [torch.float32, torch.int64, torch.uint8])
def test_a_mask_of_numbers_is_refused(dtype: torch.dtype) -> None:
    # 0 and 1, or 0 and minus infinity: whoever means which, nobody could tell.
    message = rf"True where a query may read.* it is {dtype}; shape \(3, 5\)"
    with pytest.raises(TypeError, match=message):
        lib.scaled_dot_product_attention(*qkv(0, B), torch.ones(3, 5, dtype=dtype))
