"""Multi-head attention: equal to its loops, lawful, differentiable, clear when refused."""

from collections.abc import Callable
from typing import NamedTuple

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
    assert_equals_twin,
    mask,
    normal,
    permutation,
    seeds,
    stacked,
)
from torch import Tensor
from torch.testing import assert_close

from course_lib.attention import heads as lib
from course_lib.attention.dot_product import project_qkv, scaled_dot_product_attention
from course_lib.masks import causal_mask, padding_mask
from course_lib.naive.attention import heads as naive

DTYPES = (torch.float32, torch.float64)


class Matrices(NamedTuple):
    """The four matrices in the order of the arguments."""

    w_q: Tensor
    w_k: Tensor
    w_v: Tensor
    w_o: Tensor


def parameters(seed: int = 5, dtype: torch.dtype = torch.float64, heads: int = H) -> Matrices:
    """Small enough that outputs are of size 1; H D and H Dv both differ from C."""
    columns = {"w_q": heads * D, "w_k": heads * D, "w_v": heads * DV}
    drawn = {
        name: normal(seed + i, C, size, dtype=dtype) / C**0.5
        for i, (name, size) in enumerate(columns.items())
    }
    w_o = normal(seed + 3, heads * DV, C, dtype=dtype) / (heads * DV) ** 0.5
    return Matrices(**drawn, w_o=w_o)


# Equal to the twin


@pytest.mark.parametrize("heads", [1, 2, 3, 6])
def test_split_heads_and_merge_heads_equal_their_loops(heads: int) -> None:
    x = normal(0, B, T, 12)
    split = lib.split_heads(x, heads)
    assert torch.equal(split, stacked(naive.split_heads(*arrays(row), heads) for row in x))
    merged = lib.merge_heads(split)
    assert torch.equal(merged, stacked(naive.merge_heads(*arrays(row)) for row in split))
    assert torch.equal(merged, x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [None, (T, T), (B, 1, T), (B, T, T), (1, T), (1, T, 1)])
def test_multi_head_attention_equals_its_loops(
    shape: tuple[int, ...] | None, dtype: torch.dtype
) -> None:
    x, given = normal(0, B, T, C, dtype=dtype), parameters(dtype=dtype)
    may_attend = None if shape is None else mask(3, *shape)
    output = lib.multi_head_attention(x, *given, H, may_attend)
    for b in range(B):
        allowed = None if may_attend is None else may_attend.expand(B, T, T)[b].numpy()
        expected = naive.multi_head_attention(*arrays(x[b]), *arrays(*given), H, allowed)
        assert_equals_twin(output[b], torch.from_numpy(expected), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [None, (T, S), (B, 1, S), (B, T, S)])
def test_cross_attention_equals_its_loops(
    shape: tuple[int, ...] | None, dtype: torch.dtype
) -> None:
    x, context = normal(0, B, T, C, dtype=dtype), normal(1, B, S, C, dtype=dtype)
    given = parameters(dtype=dtype)
    may_attend = None if shape is None else mask(3, *shape)
    output = lib.cross_attention(x, context, *given, H, may_attend)
    assert output.shape == x.shape
    for b in range(B):
        allowed = None if may_attend is None else may_attend.expand(B, T, S)[b].numpy()
        pair = arrays(x[b], context[b])
        expected = naive.cross_attention(*pair, *arrays(*given), H, allowed)
        assert_equals_twin(output[b], torch.from_numpy(expected), dtype)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("sizes", [(1, 1, 1), (11, 4, 7), (8, 2, 4), (45, 8, 8)])
def test_mha_param_count_equals_its_loops(sizes: tuple[int, int, int], bias: bool) -> None:
    assert lib.mha_param_count(*sizes, bias) == naive.mha_param_count(*sizes, bias)


@pytest.mark.parametrize(
    "sizes", [(1, 1, 1, 1, 1, 1), (2, 3, 5, 11, 4, 7), (3, 1, 9, 8, 2, 4), (1, 6, 4, 5, 3, 2)]
)
def test_mha_flops_equals_its_loops(sizes: tuple[int, ...]) -> None:
    assert lib.mha_flops(*sizes) == naive.mha_flops(*sizes)


def test_counts_of_released_models() -> None:
    gpt3 = {"C": 12288, "H": 96, "D": 128}
    assert lib.mha_param_count(**gpt3, bias=False) == 603_979_776 == 4 * 12288**2
    assert lib.mha_param_count(**gpt3, bias=True) == 603_979_776 + 4 * 12288
    # H · D is not C in gpt-oss: 64 heads of 64 entries make 4096, and C is 2880.
    assert lib.mha_param_count(2880, 64, 64, bias=False) == 4 * 2880 * 4096
    # The number of heads does not matter where H · D stays the same.
    counts = {lib.mha_param_count(512, heads, 512 // heads, bias=True) for heads in (1, 2, 8, 64)}
    assert counts == {4 * 512**2 + 4 * 512}


# Laws


@given(seed=seeds)
def test_the_output_is_the_sum_of_what_the_heads_contribute(seed: int) -> None:
    x, given = normal(seed, B, T, C), parameters(seed)
    total = torch.zeros(B, T, C, dtype=torch.float64)
    for h in range(H):
        rows = torch.zeros_like(given.w_o)
        rows[h * DV : (h + 1) * DV] = given.w_o[h * DV : (h + 1) * DV]
        total += lib.multi_head_attention(x, *given._replace(w_o=rows), H)
    assert_close(lib.multi_head_attention(x, *given, H), total)


@given(seed=seeds)
def test_the_order_of_the_heads_does_not_matter(seed: int) -> None:
    x, given, order = normal(seed, B, T, C), parameters(seed), permutation(seed, H)

    def reorder(matrix: Tensor) -> Tensor:
        return lib.merge_heads(lib.split_heads(matrix, H)[order])

    reordered = Matrices(
        w_q=reorder(given.w_q),
        w_k=reorder(given.w_k),
        w_v=reorder(given.w_v),
        w_o=reorder(given.w_o.T).T,
    )
    expected = lib.multi_head_attention(x, *given, H)
    assert_close(lib.multi_head_attention(x, *reordered, H), expected)


@given(seed=seeds)
def test_without_a_mask_attention_knows_no_order(seed: int) -> None:
    x, given, order = normal(seed, B, T, C), parameters(seed), permutation(seed, T)
    expected = lib.multi_head_attention(x, *given, H)
    assert_close(lib.multi_head_attention(x[:, order], *given, H), expected[:, order])


@given(seed=seeds)
def test_what_may_not_be_read_has_no_influence(seed: int) -> None:
    x, context, given = normal(seed, B, T, C), normal(seed + 1, B, S, C), parameters(seed)
    readable = padding_mask(torch.tensor([S - 1, S]), S)
    expected = lib.cross_attention(x, context, *given, H, readable)
    context[0, -1] = 1e4
    assert_close(lib.cross_attention(x, context, *given, H, readable), expected)
    causal = lib.multi_head_attention(x, *given, H, causal_mask(T))
    x[:, -1] = 1e4
    changed = lib.multi_head_attention(x, *given, H, causal_mask(T))
    assert_close(changed[:, :-1], causal[:, :-1])


@given(seed=seeds)
def test_reading_itself_is_cross_attention_to_itself(seed: int) -> None:
    x, given = normal(seed, B, T, C), parameters(seed)
    may_attend = mask(seed, B, T, T)
    expected = lib.multi_head_attention(x, *given, H, may_attend)
    assert torch.equal(lib.cross_attention(x, x, *given, H, may_attend), expected)


@given(seed=seeds)
def test_one_head_is_plain_attention_and_a_projection(seed: int) -> None:
    x, given = normal(seed, B, T, C), parameters(seed, heads=1)
    output, _ = scaled_dot_product_attention(*project_qkv(x, given.w_q, given.w_k, given.w_v))
    assert_close(lib.multi_head_attention(x, *given, 1), output @ given.w_o)


def test_a_mask_of_three_axes_belongs_to_the_examples_not_to_the_heads() -> None:
    x, context, given = normal(0, H, T, C), normal(1, H, S, C), parameters()  # B is H
    padding = padding_mask(torch.tensor([5, 4, 3, 2]), S)
    output = lib.cross_attention(x, context, *given, H, padding)
    for b in range(H):
        alone = lib.cross_attention(x[b], context[b, : 5 - b], *given, H)
        assert_close(output[b], alone)


def test_leading_axes_are_independent_problems() -> None:
    x, given, may_attend = normal(0, 2, 3, T, C), parameters(), mask(1, 2, 3, T, T)
    output = lib.multi_head_attention(x, *given, H, may_attend)
    for i in range(2):
        assert_close(output[i], lib.multi_head_attention(x[i], *given, H, may_attend[i]))
    without = lib.multi_head_attention(x[0, 0], *given, H, may_attend[0, 0])
    assert_close(output[0, 0], without)


def test_splitting_copies_nothing() -> None:
    x = normal(0, B, T, 12)
    assert lib.split_heads(x, 3).data_ptr() == x.data_ptr()


# Extreme values


def test_nothing_to_read_gives_zeros() -> None:
    x, nothing = normal(0, B, T, C), torch.zeros(T, T, dtype=torch.bool)
    output = lib.multi_head_attention(x, *parameters(), H, nothing)
    assert torch.equal(output, torch.zeros_like(x))


@pytest.mark.parametrize("dtype", DTYPES)
def test_huge_inputs_stay_finite(dtype: torch.dtype) -> None:
    x = 1e4 * normal(0, B, T, C, dtype=dtype)
    output = lib.multi_head_attention(x, *parameters(dtype=dtype), H, mask(0, T, T))
    assert output.isfinite().all()
    assert output.dtype == dtype


def test_one_position_hands_over_its_own_value() -> None:
    x, given = normal(0, B, 1, C), parameters()
    assert_close(lib.multi_head_attention(x, *given, H), x @ given.w_v @ given.w_o)


def test_bfloat16_is_near() -> None:
    # Outputs reach 3.0, where 8 bits resolve 2⁻⁷, after five products; measured 9.4e-3.
    x, given = normal(0, B, T, C, dtype=torch.bfloat16), parameters(dtype=torch.bfloat16)
    wide = [matrix.double() for matrix in given]
    low = lib.multi_head_attention(x, *given, H, causal_mask(T))
    assert low.dtype == torch.bfloat16
    expected = lib.multi_head_attention(x.double(), *wide, H, causal_mask(T))
    assert_close(low.double(), expected, rtol=0, atol=1.5e-2)


# Gradients and purity


def run(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor) -> Tensor:
    return lib.multi_head_attention(
        x, w_q, w_k, w_v, w_o, 2, mask(0, 3, 3)
    )  # the first row reads nothing


SMALL = tuple(normal(seed, *shape) for seed, shape in enumerate([(3, 2), *[(2, 4)] * 3, (4, 2)]))


def test_gradient() -> None:
    inputs = tuple(tensor.clone().requires_grad_() for tensor in SMALL)
    with torch.autograd.set_detect_anomaly(True):
        assert torch.autograd.gradcheck(run, inputs)
        assert torch.autograd.gradcheck(
            lambda x, context, w: lib.cross_attention(x, context, w, w, w, w.T, 2),
            tuple(normal(9, *size).requires_grad_() for size in ((2, 2), (3, 2), (2, 4))),
        )


def test_no_input_is_modified() -> None:
    before = [tensor.clone() for tensor in SMALL]
    run(*SMALL)
    for tensor, copy in zip(SMALL, before, strict=True):
        assert torch.equal(tensor, copy)


# Errors


def attend(x: tuple[int, ...], columns: tuple[int, int, int], rows: int, heads: int) -> None:
    w_q, w_k, w_v = (torch.zeros(C, size) for size in columns)
    given = Matrices(w_q=w_q, w_k=w_k, w_v=w_v, w_o=torch.zeros(rows, C))
    lib.multi_head_attention(torch.zeros(x), *given, heads)


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: lib.split_heads(torch.zeros(B, T, 10), 4),
            r"width is 10 and num_heads 4; shape \(2, 3, 10\)",
        ),
        (lambda: lib.split_heads(torch.zeros(T, 10), 0), r"width is 10 and num_heads 0"),
        (lambda: lib.merge_heads(torch.zeros(T, D)), r"at least 3.*x has 2; shape \(3, 7\)"),
        (
            lambda: attend((B, T, C), (28, 28, 24), 23, 4),
            r"merged heads has 24 and w_o 23; shapes \(2, 3, 24\) and \(23, 11\)",
        ),
        (
            lambda: attend((B, T, C), (28, 28, 22), 24, 4),
            r"width is 22 and num_heads 4; shape \(2, 3, 22\)",
        ),
        (
            lambda: attend((B, T, C), (28, 24, 24), 24, 4),
            r"w_q has 28 and w_k 24; shapes \(11, 28\) and \(11, 24\)",
        ),
        (
            lambda: attend((B, T, 10), (28, 28, 24), 24, 4),
            r"x has 10 and w_q 11; shapes \(2, 3, 10\) and \(11, 28\)",
        ),
        (
            lambda: lib.multi_head_attention(
                normal(0, B, T, C), *parameters()._replace(w_o=normal(1, 24, 5)), H
            ),
            r"x has C=11 and w_o 5 columns; shapes \(2, 3, 11\) and \(24, 5\)",
        ),
        (
            lambda: lib.multi_head_attention(
                normal(0, B, T, C), *parameters(), H, torch.ones(B, T, S, dtype=torch.bool)
            ),
            r"T=3, S=3; shapes \(2, 1, 3, 5\) and \(2, 4, 3, 3\)",
        ),
        (
            lambda: lib.multi_head_attention(
                normal(0, B, T, C), *parameters(), H, torch.ones(B, 1, T, T, dtype=torch.bool)
            ),
            r"may_attend has 4 axes and x 3; shapes \(2, 1, 3, 3\) and \(2, 3, 11\)",
        ),
        (lambda: lib.mha_param_count(11, 0, 7, True), r"H >= 1; H is 0; C = 11, H = 0, D = 7"),
        (lambda: lib.mha_flops(2, 3, 0, 11, 4, 7), r"S >= 1; S is 0; B = 2, T = 3, S = 0, C = 11"),
    ],
)
def test_refusals_name_both_sizes(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
