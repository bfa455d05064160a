"""Grouped-query attention: equal to its loops, lawful, without copies, clear when refused."""

from collections.abc import Callable

import pytest
import torch
from allocations import Allocations
from hypothesis import given
from strategies import (
    DV,
    B,
    C,
    D,
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

from course_lib.attention import grouped as lib
from course_lib.attention.dot_product import scaled_dot_product_attention
from course_lib.naive.attention import grouped as naive

DTYPES = (torch.float32, torch.float64)
EXACT = {"rtol": 1e-12, "atol": 1e-13}  # assert_close's 1e-7 cannot tell float32 apart
#: Multi-head, grouped twice, multi-query, and numbers that are no powers of two.
HEADS = [(4, 4), (4, 2), (4, 1), (6, 3), (6, 2)]


def qkv(
    heads: tuple[int, int], seed: int = 0, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, ...]:
    query_heads, groups = heads
    return (
        normal(seed, B, query_heads, T, D, dtype=dtype),
        normal(seed + 1, B, groups, S, D, dtype=dtype),
        normal(seed + 2, B, groups, S, DV, dtype=dtype),
    )


# Equal to the twin


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("heads", HEADS)
def test_scores_and_mix_equal_their_loops(heads: tuple[int, int], dtype: torch.dtype) -> None:
    query, key, value = qkv(heads, dtype=dtype)
    scores = lib.grouped_scores(query, key)
    expected = stacked(naive.grouped_scores(*arrays(query[b], key[b])) for b in range(B))
    assert_equals_twin(scores, expected, dtype)
    weights = scores.softmax(-1)
    expected = stacked(naive.grouped_mix(*arrays(weights[b], value[b])) for b in range(B))
    assert_equals_twin(lib.grouped_mix(weights, value), expected, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [None, (T, S), (B, 1, T, S), (B, 6, T, S), (1, S), (B, 1, 1, S)])
@pytest.mark.parametrize("heads", HEADS)
def test_grouped_query_attention_equals_its_loops(
    heads: tuple[int, int], shape: tuple[int, ...] | None, dtype: torch.dtype
) -> None:
    tensors = qkv(heads, dtype=dtype)
    may_attend = None
    if shape is not None:
        may_attend = mask(3, *shape)
        if len(shape) == 4:
            may_attend = may_attend[:, : heads[0]]
    output = lib.grouped_query_attention(*tensors, may_attend)
    for b in range(B):
        allowed = None
        if may_attend is not None:
            allowed = may_attend.expand(B, heads[0], T, S)[b].numpy()
        parts = arrays(*(tensor[b] for tensor in tensors))
        expected = naive.grouped_query_attention(*parts, allowed)
        assert_equals_twin(output[b], torch.from_numpy(expected), dtype)


@pytest.mark.parametrize("heads", HEADS)
def test_mha_to_gqa_equals_its_loops(heads: tuple[int, int]) -> None:
    query_heads, groups = heads
    w_k = normal(0, C, query_heads * D)
    result = lib.mha_to_gqa(w_k, groups, query_heads)
    expected = naive.mha_to_gqa(*arrays(w_k), groups, query_heads)
    assert_close(result, torch.from_numpy(expected), **EXACT)


# Laws


@given(seed=seeds)
@pytest.mark.parametrize("heads", HEADS)
def test_it_is_multi_head_attention_with_repeated_keys(heads: tuple[int, int], seed: int) -> None:
    query, key, value = qkv(heads, seed)
    may_attend = mask(seed, T, S)
    copies = heads[0] // heads[1]
    repeated = (tensor.repeat_interleave(copies, dim=1) for tensor in (key, value))
    expected, _ = scaled_dot_product_attention(query, *repeated, may_attend)
    assert_close(lib.grouped_query_attention(query, key, value, may_attend), expected)


@pytest.mark.parametrize("heads", HEADS)
def test_a_query_head_depends_on_its_own_group_alone(heads: tuple[int, int]) -> None:
    query_heads, groups = heads
    query, key, value = (tensor.requires_grad_() for tensor in qkv(heads))
    output = lib.grouped_query_attention(query, key, value)
    for h in range(query_heads):
        gradients = torch.autograd.grad(output[:, h].sum(), (key, value), retain_graph=True)
        for gradient in gradients:
            touched = [bool((gradient[:, g] != 0).any()) for g in range(groups)]
            assert touched == [g == h * groups // query_heads for g in range(groups)]


@given(seed=seeds)
def test_an_unreadable_key_has_no_influence(seed: int) -> None:
    query, key, value = qkv((6, 2), seed)
    may_attend = mask(seed, B, 1, T, S)
    may_attend[..., 2] = False
    expected = lib.grouped_query_attention(query, key, value, may_attend)
    key[:, :, 2], value[:, :, 2] = 1e4, -1e4
    assert_close(lib.grouped_query_attention(query, key, value, may_attend), expected)


@given(seed=seeds)
def test_permuting_keys_and_values_together_changes_nothing(seed: int) -> None:
    query, key, value = qkv((6, 2), seed)
    may_attend, order = mask(seed, T, S), permutation(seed, S)
    expected = lib.grouped_query_attention(query, key, value, may_attend)
    permuted = (key[:, :, order], value[:, :, order], may_attend[:, order])
    assert_close(lib.grouped_query_attention(query, *permuted), expected)


@given(seed=seeds)
def test_permuting_the_query_heads_of_a_group_permutes_their_outputs(seed: int) -> None:
    query, key, value = qkv((6, 2), seed)
    order = torch.cat([permutation(seed, 3), 3 + permutation(seed + 1, 3)])
    expected = lib.grouped_query_attention(query, key, value)[:, order]
    assert_close(lib.grouped_query_attention(query[:, order], key, value), expected)


@given(seed=seeds)
def test_outputs_are_means_of_the_groups_values(seed: int) -> None:
    query, key, value = qkv((6, 2), seed)
    output = lib.grouped_query_attention(query, key, value).unflatten(1, (2, 3))
    assert (output <= value.amax(-2)[:, :, None, None] + 1e-12).all()
    assert (output >= value.amin(-2)[:, :, None, None] - 1e-12).all()


@given(seed=seeds)
def test_pooling_equal_heads_loses_nothing(seed: int) -> None:
    groups, copies = 2, 3
    query_heads = groups * copies
    x, query = normal(seed, B, S, C), normal(seed + 1, B, query_heads, T, D)
    group = normal(seed + 2, C, groups, 1, D)
    w_k = group.expand(C, groups, copies, D).reshape(C, query_heads * D)
    pooled = lib.mha_to_gqa(w_k, groups, query_heads)
    assert_close(pooled, group.reshape(C, groups * D))

    def keys(w: Tensor, heads: int) -> Tensor:
        return (x @ w).unflatten(-1, (heads, D)).transpose(1, 2)

    expected = lib.grouped_scores(query, keys(w_k, query_heads))
    assert_close(lib.grouped_scores(query, keys(pooled, groups)), expected)


@given(seed=seeds)
def test_pooling_keeps_the_mean_and_into_as_many_heads_does_nothing(seed: int) -> None:
    w_k = normal(seed, C, 6 * D)
    pooled = lib.mha_to_gqa(w_k, 2, 6)
    mean = w_k.unflatten(-1, (6, D)).mean(1)
    assert_close(pooled.unflatten(-1, (2, D)).mean(1), mean)
    assert_close(lib.mha_to_gqa(w_k, 6, 6), w_k)


# No copies


@pytest.mark.parametrize("from_a_cache", [True, False])
@pytest.mark.parametrize("queries", [1, 2])
def test_keys_and_values_are_not_copied_per_query_head(queries: int, from_a_cache: bool) -> None:
    # The scores, B H T S, are the largest tensor: far fewer than the keys, B G S D.
    query_heads, groups, size, keys = 8, 2, 64, 300
    query = normal(0, B, query_heads, queries, size)
    room = 2 * keys if from_a_cache else keys
    key, value = (normal(seed, B, groups, room, size)[:, :, :keys] for seed in (1, 2))
    with Allocations() as made:
        lib.grouped_query_attention(query, key, value, torch.ones(queries, keys).bool())
    assert made.largest == B * query_heads * queries * keys
    assert made.largest < key.numel()
    with Allocations() as unread:  # keys that nobody may read are set to zero: one copy for all
        lib.grouped_query_attention(query, key, value, torch.zeros(queries, keys).bool())
    assert unread.largest == key.numel()
    with Allocations() as copying:  # what the measurement would show
        query @ key.repeat_interleave(query_heads // groups, dim=1).mT
    assert copying.largest == query_heads // groups * key.numel()


# Extreme values


@pytest.mark.parametrize("dtype", DTYPES)
def test_huge_scores_choose_one_key(dtype: torch.dtype) -> None:
    key = torch.eye(S, D, dtype=dtype).expand(B, 2, S, D)
    query, value = 1e4 * key[:, :1, :T].expand(B, 4, T, D), normal(2, B, 2, S, DV, dtype=dtype)
    output = lib.grouped_query_attention(query, key, value)
    assert_close(output, value[:, :, :T].repeat_interleave(2, dim=1))


def test_nothing_to_read_gives_zeros_and_finite_gradients() -> None:
    tensors = [tensor.requires_grad_() for tensor in qkv((6, 2))]
    may_attend = mask(0, T, S)
    with torch.autograd.set_detect_anomaly(True):
        output = lib.grouped_query_attention(*tensors, may_attend)
        output.backward(normal(7, *output.shape))
    assert torch.equal(output[:, :, 0], torch.zeros(B, 6, DV).double())
    for tensor in tensors:
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()
    assert torch.equal(tensors[0].grad[:, :, 0], torch.zeros(B, 6, D).double())


def test_one_position_reads_itself() -> None:
    query, key, value = normal(0, B, 6, 1, D), normal(1, B, 2, 1, D), normal(2, B, 2, 1, DV)
    expected = value.repeat_interleave(3, dim=1)
    assert_close(lib.grouped_query_attention(query, key, value), expected)


@pytest.mark.parametrize(("dtype", "bound"), [(torch.bfloat16, 1.2e-2), (torch.float16, 2e-3)])
def test_half_precision_is_near(dtype: torch.dtype, bound: float) -> None:
    # Scores, weights and outputs are rounded to 8 (11) bits each; measured for these seeds at most
    # 1.09e-2 and 1.86e-3. With a softmax in half precision as well, bfloat16 gives 1.9e-2.
    for seed in range(0, 90, 3):
        tensors = qkv((6, 2), seed, dtype=dtype)
        low = lib.grouped_query_attention(*tensors)
        assert low.dtype == dtype
        expected = lib.grouped_query_attention(*(tensor.double() for tensor in tensors))
        assert_close(low.double(), expected, rtol=0, atol=bound)


# Gradients and purity

SMALL = (normal(0, 1, 4, 2, 2), normal(1, 1, 2, 3, 2), normal(2, 1, 2, 3, 1))
CASES: dict[str, tuple[Callable[..., object], tuple[Tensor, ...]]] = {
    "scores": (lib.grouped_scores, SMALL[:2]),
    "mix": (lib.grouped_mix, (normal(3, 1, 4, 2, 3), SMALL[2])),
    "attention": (lib.grouped_query_attention, SMALL),
    "attention with an empty row": (
        lambda q, k, v: lib.grouped_query_attention(q, k, v, mask(0, 2, 3)),
        SMALL,
    ),
    "mha_to_gqa": (lambda w: lib.mha_to_gqa(w, 2, 4), (normal(4, 2, 8),)),
}


@pytest.mark.parametrize("name", CASES)
def test_gradient(name: str) -> None:
    function, tensors = CASES[name]
    inputs = tuple(tensor.clone().requires_grad_() for tensor in tensors)
    with torch.autograd.set_detect_anomaly(True):
        assert torch.autograd.gradcheck(function, inputs)


@pytest.mark.parametrize("name", CASES)
def test_no_input_is_modified(name: str) -> None:
    function, tensors = CASES[name]
    before = [tensor.clone() for tensor in tensors]
    function(*tensors)
    for tensor, copy in zip(tensors, before, strict=True):
        assert torch.equal(tensor, copy)


# Errors


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize(
    ("function", "shapes", "message"),
    [
        (
            lib.grouped_scores,
            [(2, 6, 3, 7), (2, 4, 5, 7)],
            r"query has H=6 and key G=4; shapes \(2, 6, 3, 7\) and \(2, 4, 5, 7\)",
        ),
        (
            lib.grouped_scores,
            [(2, 2, 3, 7), (2, 4, 5, 7)],
            r"query has H=2 and key G=4; shapes \(2, 2, 3, 7\) and \(2, 4, 5, 7\)",
        ),
        (lib.grouped_scores, [(2, 6, 3, 7), (2, 0, 5, 7)], r"query has H=6 and key G=0"),
        (
            lib.grouped_scores,
            [(2, 6, 3, 7), (1, 2, 5, 7)],
            r"query has B=2 and key B=1; shapes \(2, 6, 3, 7\) and \(1, 2, 5, 7\)",
        ),
        (
            lib.grouped_scores,
            [(2, 6, 3, 7), (2, 2, 5, 6)],
            r"D=7 and the keys D=6; shapes \(2, 6, 3, 7\) and \(2, 2, 5, 6\)",
        ),
        (
            lib.grouped_mix,
            [(2, 6, 3, 5), (2, 4, 5, 6)],
            r"weights has H=6 and value G=4; shapes \(2, 6, 3, 5\) and \(2, 4, 5, 6\)",
        ),
        (
            lib.grouped_mix,
            [(2, 6, 3, 5), (2, 2, 4, 6)],
            r"weights have S=5 and the values S=4; shapes \(2, 6, 3, 5\) and \(2, 2, 4, 6\)",
        ),
        (
            lib.grouped_query_attention,
            [(2, 6, 3, 7), (2, 2, 0, 7), (2, 2, 0, 6)],
            r"there are S=0; shapes \(2, 2, 0, 7\) and \(2, 2, 0, 6\)",
        ),
    ],
)
def test_refusals_name_both_sizes(
    function: Callable[..., object], shapes: list[tuple[int, ...]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        function(*(torch.zeros(shape) for shape in shapes))


@pytest.mark.usefixtures("without_annotations")
def test_other_refusals() -> None:
    with pytest.raises(ValueError, match=r"T=3, S=5; shapes \(5, 3\) and \(2, 6, 3, 5\)"):
        lib.grouped_query_attention(*qkv((6, 2)), torch.ones(5, 3, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"G is 4 and H is 6; shape \(11, 42\)"):
        lib.mha_to_gqa(torch.zeros(11, 42), 4, 6)
    with pytest.raises(ValueError, match=r"w_k has 43 columns and H is 6; shape \(11, 43\)"):
        lib.mha_to_gqa(torch.zeros(11, 43), 2, 6)


@pytest.mark.usefixtures("without_annotations")
def test_keys_and_values_come_in_pairs() -> None:
    query, key, value = normal(0, B, 4, T, D), normal(1, B, 2, S, D), normal(2, B, 4, S, DV)
    with pytest.raises(ValueError, match=r"key has \(2, 2, \d\) and value \(2, 4, \d\)"):
        lib.grouped_query_attention(query, key, value)
    with pytest.raises(ValueError, match=r"key has 3; shape \(\d, \d, \d\)"):
        lib.grouped_query_attention(query[0][None], key[0], value[0])
    with pytest.raises(
        ValueError,
        match=r"weights has the axes B H T _, 4 in number; weights has 3; shape \(4, 3, 7\)",
    ):
        lib.grouped_mix(query[0], value)
