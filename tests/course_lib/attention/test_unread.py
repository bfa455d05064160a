"""A key that nobody may read has no influence, whatever stands there: NaN, an infinity."""

import math
from collections.abc import Callable

import pytest
import torch
from allocations import Allocations
from hypothesis import given
from strategies import DV, B, D, H, S, T, arrays, mask, normal, seeds
from torch import Tensor
from torch.testing import assert_close

from course_lib.attention import unread as lib
from course_lib.attention.dot_product import scaled_dot_product_attention
from course_lib.attention.grouped import grouped_query_attention
from course_lib.attention.latent import (
    LatentParameters,
    latent_attention,
    latent_attention_absorbed,
)
from course_lib.naive.attention import unread as naive
from course_lib.recurrence.seq2seq_attention import align_step

GARBAGE = (math.nan, math.inf, -math.inf, 1e300)
HEADS = [(4, 4), (6, 2), (6, 1)]
#: The keys that the masks of these tests hide from every query.
HIDDEN = torch.tensor([1, 4])


def qkv(seed: int, query_heads: int, groups: int) -> list[Tensor]:
    return [
        normal(seed, B, query_heads, T, D),
        normal(seed + 1, B, groups, S, D),
        normal(seed + 2, B, groups, S, DV),
    ]


def hiding(seed: int, *shape: int) -> Tensor:
    """A mask with a row that reads nothing and two keys that nobody reads."""
    return mask(seed, *shape).index_fill(-1, HIDDEN, False)


@pytest.mark.parametrize("heads", HEADS)
@given(seed=seeds)
def test_zero_unread_equals_its_loops(heads: tuple[int, int], seed: int) -> None:
    query, key, value = qkv(seed, *heads)
    may_attend = mask(seed, B, heads[0], T, S)
    may_attend[:, :, -1] = torch.rand(heads[0], 1, generator=torch.Generator().manual_seed(0)) < 0.3
    results = lib.zero_unread(query, key, value, may_attend)
    for b in range(B):
        twins = naive.zero_unread(*arrays(query[b], key[b], value[b]), may_attend[b].numpy())
        for result, twin in zip(results, twins, strict=True):
            assert torch.equal(result[b], torch.from_numpy(twin))


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize("shape", [(T, S), (B, 1, T, S), (B, 0, T, S), (1, S), (B, 1, 1, S)])
def test_attention_does_not_see_unread_keys(
    shape: tuple[int, ...], heads: tuple[int, int], garbage: float
) -> None:
    may_attend = hiding(0, *(size or heads[0] for size in shape))
    clean = [tensor.requires_grad_() for tensor in qkv(3, *heads)]
    dirty = [tensor.detach().clone() for tensor in clean]
    for tensor in dirty[1:]:
        tensor[..., HIDDEN, :] = garbage
        tensor.requires_grad_()
    dirty[0].requires_grad_()
    with torch.autograd.set_detect_anomaly(True):
        expected = grouped_query_attention(*clean, may_attend)
        found = grouped_query_attention(*dirty, may_attend)
        gradient = normal(7, *found.shape)
        wanted = torch.autograd.grad(expected, clean, gradient)
        gradients = torch.autograd.grad(found, dirty, gradient)
    assert torch.equal(found, expected)
    for got, want in zip(gradients, wanted, strict=True):
        assert torch.equal(got, want)
    if heads[0] == heads[1]:
        for got, want in zip(
            scaled_dot_product_attention(*dirty, may_attend),
            scaled_dot_product_attention(*clean, may_attend),
            strict=True,
        ):
            assert torch.equal(got, want)


@pytest.mark.parametrize("form", [latent_attention, latent_attention_absorbed])
def test_latent_attention_does_not_see_unread_tokens(form: Callable[..., Tensor]) -> None:
    latent_size, rotary_size = 8, 2
    parameters = LatentParameters(
        w_dkv=normal(0, 9, latent_size),
        g_kv=normal(1, latent_size),
        w_kr=normal(2, 9, rotary_size),
        w_uk=normal(3, latent_size, H * D),
        w_uv=normal(4, latent_size, H * DV),
    )
    queries = normal(5, B, H, T, D), normal(6, B, H, T, rotary_size)
    clean = normal(7, B, S, latent_size), normal(8, B, S, rotary_size)
    may_attend = hiding(0, B, 1, T, S)
    expected = form(*queries, *clean, parameters, may_attend)
    for garbage in GARBAGE[:3]:
        dirty = [tensor.index_fill(1, HIDDEN, garbage) for tensor in clean]
        assert torch.equal(form(*queries, *dirty, parameters, may_attend), expected)
    assert torch.equal(expected[:, :, 0], torch.zeros(B, H, DV).double())


def test_a_decoder_does_not_see_the_padding_of_a_source() -> None:
    state, encoded = normal(0, B, 3), normal(1, B, S, 4)
    network = normal(2, 3, D), normal(3, 4, D), normal(4, D)
    lengths = torch.tensor([2, 0])
    expected = align_step(state, encoded, lengths, *network)
    for garbage in GARBAGE:
        encoded[0, 2:], encoded[1] = garbage, garbage
        for got, want in zip(align_step(state, encoded, lengths, *network), expected, strict=True):
            assert torch.equal(got, want)
    assert torch.equal(expected[0][1], torch.zeros(4).double())


def test_a_nan_that_is_read_is_seen() -> None:
    query, key, value = qkv(0, 1, 1)
    may_attend = torch.ones(T, S).tril(S - T).bool()  # causal: only the last query reads key 4
    value[0, 0, 4] = math.nan
    output = grouped_query_attention(query, key, value, may_attend)
    assert output[0].isnan().all()  # 0 · NaN, as in PyTorch
    assert (
        torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=may_attend)[0]
        .isnan()
        .all()
    )
    assert output[1].isfinite().all()
    key[1, 0, 4] = math.nan
    output = grouped_query_attention(query, key, value, may_attend)
    assert output[1, 0, -1].isnan().all()
    assert output[1, 0, :-1].isfinite().all()


def test_nothing_is_copied_where_every_key_is_read() -> None:
    query, key, value = qkv(0, 6, 2)
    with Allocations() as made:
        same = lib.zero_unread(query, key, value, torch.ones(T, S).bool())
    assert same[0] is key
    assert same[1] is value
    assert made.largest <= T * S
    before = key.clone(), value.clone()
    lib.zero_unread(query, key, value, torch.zeros(T, S).bool())
    assert torch.equal(key, before[0])
    assert torch.equal(value, before[1])


def test_shapes_without_values() -> None:
    """On the meta device a mask has no values to look at."""
    tensors = [tensor.to("meta") for tensor in qkv(0, 6, 2)]
    may_attend = torch.ones(T, S, dtype=torch.bool, device="meta")
    assert grouped_query_attention(*tensors, may_attend).shape == (B, 6, T, DV)


@pytest.mark.usefixtures("without_annotations")
def test_a_mask_must_fit() -> None:
    query, key, value = qkv(0, 4, 4)
    with pytest.raises(ValueError, match=r"T=3, S=5; shapes \(5, 3\) and \(2, 4, 3, 5\)"):
        lib.zero_unread(query, key, value, torch.ones(5, 3).bool())
    with pytest.raises(TypeError, match=r"it is torch.float32; shape \(3, 5\)"):
        lib.zero_unread(query, key, value, torch.ones(3, 5))


def test_gradients() -> None:
    tensors = [normal(seed, 1, 2, 2, 3).requires_grad_() for seed in range(3)]
    may_attend = torch.tensor([[True, False], [True, False]])
    assert torch.autograd.gradcheck(lambda *x: grouped_query_attention(*x, may_attend), tensors)
    _, value = lib.zero_unread(*tensors, may_attend)
    assert_close(value[..., 0, :], tensors[2][..., 0, :])
    assert not value[..., 1, :].any()
