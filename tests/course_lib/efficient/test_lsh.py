"""Hashing into buckets and reading there: equal to its loops, exact in one bucket, sorted back."""

import pytest
import torch
from allocations import Allocations
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import DV, B, D, H, arrays, assert_equals_twin, normal, seeds, stacked
from torch import Tensor
from torch.testing import assert_close

from course_lib.attention.dot_product import scaled_dot_product_attention
from course_lib.efficient.lsh import lsh_attention, lsh_hash, multi_round_lsh_attention
from course_lib.efficient.lsh_rounds import combine_rounds, duplicate_counts
from course_lib.masks import causal_mask
from course_lib.naive.efficient import lsh as naive
from course_lib.naive.efficient import lsh_rounds as naive_rounds

DTYPES = (torch.float32, torch.float64)
T, U = 8, 3


def parts(seed: int = 0, size: int = T, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    return (
        normal(seed, B, H, size, D, dtype=dtype),
        normal(seed + 1, B, H, size, DV, dtype=dtype),
        torch.randint(3, (B, H, size), generator=generator),
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("chunk", [1, 2, 4, 8])
def test_attention_equals_its_loops(chunk: int, causal: bool, dtype: torch.dtype) -> None:
    qk, value, buckets = parts(dtype=dtype)
    qk[0, 0, 2] = 0.0  # a key without a direction
    output, lse = lsh_attention(qk, value, buckets, chunk, causal)
    for b in range(B):
        expected = naive.lsh_attention(*arrays(qk[b], value[b]), buckets[b].numpy(), chunk, causal)
        assert_equals_twin(output[b], torch.from_numpy(expected[0]), dtype)
        assert_equals_twin(lse[b], torch.from_numpy(expected[1]), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_hashes_and_rounds_equal_their_loops(dtype: torch.dtype) -> None:
    qk, value, _ = parts(dtype=dtype)
    r = normal(3, U, D, 2, dtype=dtype)
    hashes = lsh_hash(qk[0, 0], r)
    assert torch.equal(hashes, torch.from_numpy(naive.lsh_hash(*arrays(qk[0, 0], r))))
    assert torch.equal(lsh_hash(qk, r)[:, 0, 0], hashes)
    counts = naive_rounds.duplicate_counts(hashes.numpy())
    assert torch.equal(duplicate_counts(hashes), torch.from_numpy(counts))
    for causal in (True, False):
        rounds = lsh_hash(qk, r)
        rounds[:, 1, 2] = torch.arange(T)  # everybody alone in every round
        found = multi_round_lsh_attention(qk, value, rounds, 4, causal)
        expected = stacked(
            naive.multi_round_lsh_attention(
                *arrays(qk[b], value[b]), rounds[:, b].numpy(), 4, causal
            )
            for b in range(B)
        )
        assert_equals_twin(found, expected, dtype)
    lses = normal(4, U, T, dtype=dtype)
    lses[1, 2] = -torch.inf
    lses[:, 3] = -torch.inf
    outputs = normal(5, U, T, DV, dtype=dtype)
    expected = torch.from_numpy(naive_rounds.combine_rounds(*arrays(outputs, lses)))
    assert_equals_twin(combine_rounds(outputs, lses), expected, dtype)


# Laws


@settings(max_examples=25)
@given(seed=seeds, causal=st.booleans())
def test_one_bucket_and_one_chunk_is_attention_with_shared_queries(seed: int, causal: bool) -> None:
    qk, value, buckets = parts(seed)
    key = qk / qk.norm(dim=-1, keepdim=True)
    may_attend = ~torch.eye(T).bool()
    if causal:
        may_attend = may_attend & causal_mask(T)
        may_attend[0, 0] = True  # the first has nobody else
    expected, _ = scaled_dot_product_attention(qk, key, value, may_attend)
    output, lse = lsh_attention(qk, value, 0 * buckets, T, causal)
    assert_close(output, expected)
    scores = (qk @ key.mT / D**0.5).masked_fill(~may_attend, -torch.inf)
    assert_close(lse, scores.logsumexp(-1))
    # Two chunks: the later half still reads the earlier one.
    halves, _ = lsh_attention(qk, value, 0 * buckets, T // 2, causal)
    later = slice(T // 2, None)
    assert_close(halves[..., later, :], expected[..., later, :])


@settings(max_examples=25)
@given(seed=seeds)
def test_directions_decide_and_opposites_are_half_a_turn_apart(seed: int) -> None:
    x, r = normal(seed, B, T, D), normal(seed + 1, U, D, 3)
    buckets = lsh_hash(x, r)
    assert torch.equal(lsh_hash(3 * x, r), buckets)
    assert torch.equal(lsh_hash(-x, r), (buckets + 3) % 6)
    assert buckets.min() >= 0
    assert buckets.max() <= 5
    assert torch.equal(lsh_hash(x, r[1:]), buckets[1:])


def test_like_vectors_meet_more_often() -> None:
    r = normal(0, 400, D, 4)
    near, far = normal(1, D), normal(2, D)
    rows = torch.stack([near, near + 0.1 * normal(3, D), far])
    counts = duplicate_counts(lsh_hash(rows, r))
    assert counts[0, 1] > 300
    assert counts[0, 2] < 150
    assert counts.diagonal().tolist() == [400] * 3


@settings(max_examples=25)
@given(seed=seeds)
def test_names_of_buckets_and_lengths_of_keys_do_not_matter(seed: int) -> None:
    qk, value, buckets = parts(seed)
    output, lse = lsh_attention(qk, value, buckets, T, causal=False)
    renamed, _ = lsh_attention(qk, value, (7 - 3 * buckets), T, causal=False)
    assert_close(renamed, output)
    # Position 5's query grows; as a key it is the same.
    longer = qk.clone()
    longer[..., 5, :] *= 4
    changed, sums = lsh_attention(longer, value, buckets, T, causal=False)
    others = [0, 1, 2, 3, 4, 6, 7]
    assert_close(changed[..., others, :], output[..., others, :])
    assert_close(sums[..., others], lse[..., others])


@settings(max_examples=25)
@given(seed=seeds)
def test_the_future_is_not_seen(seed: int) -> None:
    qk, value, buckets = parts(seed)
    output, _ = lsh_attention(qk, value, buckets, 4, causal=True)
    other = qk.clone()
    other[..., 5:, :], value[..., 5:, :] = 9.0, -9.0
    changed, _ = lsh_attention(other, value, buckets, 4, causal=True)
    assert_close(changed[..., :5, :], output[..., :5, :])


@settings(max_examples=25)
@given(seed=seeds)
def test_rounds_that_read_different_keys_are_attention_to_all(seed: int) -> None:
    query, key, value = normal(seed, T, D), normal(seed + 1, 9, D), normal(seed + 2, 9, DV)
    scores = query @ key.mT
    outputs, lses = zip(
        *(
            (part.softmax(-1) @ read, part.logsumexp(-1))
            for part, read in zip(scores.split(3, -1), value.split(3), strict=True)
        ),
        strict=True,
    )
    combined = combine_rounds(torch.stack(outputs), torch.stack(lses))
    assert_close(combined, scores.softmax(-1) @ value)
    twice = combine_rounds(torch.stack(outputs[:1] * 2), torch.stack(lses[:1] * 2))
    assert_close(twice, outputs[0])


def test_one_round_of_one_is_that_round() -> None:
    qk, value, _ = parts()
    r = normal(3, 1, D, 2)
    buckets = lsh_hash(qk, r)
    expected, _ = lsh_attention(qk, value, buckets[0], 4, causal=True)
    assert_close(multi_round_lsh_attention(qk, value, buckets, 4, causal=True), expected)
    twice = multi_round_lsh_attention(qk, value, buckets.repeat(2, 1, 1, 1), 4, causal=True)
    assert_close(twice, expected)


def test_a_round_without_others_does_not_count() -> None:
    """Its only score would be the largest there is: a query times its own direction."""
    qk, value, buckets = parts()
    alone = torch.arange(T).expand(B, H, T)
    expected, _ = lsh_attention(qk, value, 0 * buckets, T, causal=False)
    rounds = torch.stack([alone, 0 * buckets, alone])
    assert_close(multi_round_lsh_attention(qk, value, rounds, T, causal=False), expected)
    nobody = multi_round_lsh_attention(qk, value, rounds[[0, 2]], T, causal=False)
    assert_close(nobody, value)


# Extreme values and cost


def test_rounds_of_huge_and_empty_sums() -> None:
    outputs = torch.tensor([[[1.0]], [[3.0]]]).double().requires_grad_()
    for lses, expected in (([1e4, 1e4], 2.0), ([1e4, -1e4], 1.0), ([-torch.inf, 0.0], 3.0),
                           ([-torch.inf, -torch.inf], 0.0)):  # fmt: skip
        given_ = torch.tensor(lses).double()[:, None].requires_grad_()
        combined = combine_rounds(outputs, given_)
        assert combined.item() == expected
        gradients = torch.autograd.grad(combined, (outputs, given_))
        assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_what_is_spoilt_stays_in_its_chunk_and_the_next(wrong: float) -> None:
    qk, value, buckets = parts(size=12)
    buckets = torch.arange(12).expand(B, H, 12) // 4
    clean, _ = lsh_attention(qk, value, buckets, 4, causal=False)
    value[..., 1, :] = wrong
    spoilt, _ = lsh_attention(qk, value, buckets, 4, causal=False)
    assert torch.equal(spoilt[..., 8:, :], clean[..., 8:, :])
    assert not spoilt[..., 2, :].isfinite().any()


def test_no_scores_of_all_pairs_are_made() -> None:
    size, chunk = 512, 8
    qk, value = normal(0, 1, 1, size, 4), normal(1, 1, 1, size, 4)
    r = normal(2, 2, 4, 32)
    with Allocations() as made:
        multi_round_lsh_attention(qk, value, lsh_hash(qk, r), chunk, causal=True)
    assert made.largest == 2 * 32 * size  # the products of the hash; scores are 2 chunk T


# Gradients, purity, refusals


def test_gradients_and_purity() -> None:
    qk, value = normal(0, 1, 1, 4, 2).requires_grad_(), normal(1, 1, 1, 4, 1).requires_grad_()
    buckets = torch.tensor([[[1, 0, 1, 1]]])
    for causal in (True, False):
        with torch.autograd.set_detect_anomaly(True):
            assert torch.autograd.gradcheck(
                lambda q, v: lsh_attention(q, v, buckets, 2, causal),  # noqa: B023
                (qk, value),
            )
    lses = normal(2, 2, 3).requires_grad_()
    outputs = normal(3, 2, 3, 1).requires_grad_()
    assert torch.autograd.gradcheck(combine_rounds, (outputs, lses))
    assert torch.equal(qk, normal(0, 1, 1, 4, 2))
    assert torch.equal(value, normal(1, 1, 1, 4, 1))
    assert buckets.tolist() == [[[1, 0, 1, 1]]]
    zero = torch.zeros(1, 1, 2, 2).double().requires_grad_()
    lsh_attention(zero, normal(1, 1, 1, 2, 1), buckets[..., :2], 2, causal=True)[0].sum().backward()
    assert zero.grad is not None
    assert zero.grad.isfinite().all()


@pytest.mark.usefixtures("without_annotations")
def test_refusals_name_the_sizes() -> None:
    qk, value, buckets = parts()
    with pytest.raises(ValueError, match=r"T is 8 and chunk 3; shape \(2, 4, 8, 7\)"):
        lsh_attention(qk, value, buckets, 3, causal=True)
    with pytest.raises(ValueError, match=r"T is 0 and chunk 3"):
        lsh_attention(qk[:, :, :0], value[:, :, :0], buckets[..., :0], 3, causal=True)
    with pytest.raises(ValueError, match="chunk >= 1; chunk is 0"):
        lsh_attention(qk, value, buckets, 0, causal=True)
    with pytest.raises(ValueError, match=r"T = \(2, 4, 8\) and buckets \(2, 4, 7\)"):
        lsh_attention(qk, value, buckets[..., :7], 4, causal=True)
    with pytest.raises(ValueError, match="buckets counts, so it holds integers"):
        lsh_attention(qk, value, buckets.double(), 4, causal=True)
    with pytest.raises(ValueError, match=r"qk has \(2, 4, 8\) and value \(2, 4, 7\)"):
        lsh_attention(qk, value[:, :, :7], buckets, 4, causal=True)
    with pytest.raises(ValueError, match=r"x has D=7 and r D=6 and 2 columns"):
        lsh_hash(qk, normal(0, U, 6, 2))
    with pytest.raises(ValueError, match=r"x has D=7 and r D=7 and 0 columns"):
        lsh_hash(qk, normal(0, U, 7, 0))
    with pytest.raises(ValueError, match=r"r has the axes U D n/2, 3 in number; r has 2"):
        lsh_hash(qk, normal(0, 7, 2))
    with pytest.raises(ValueError, match=r"buckets has 0 rounds; shape \(0, 2, 4, 8\)"):
        multi_round_lsh_attention(qk, value, buckets[None][:0], 4, causal=True)
    with pytest.raises(ValueError, match=r"buckets has the axes U B H T, 4 in number"):
        multi_round_lsh_attention(qk, value, buckets, 4, causal=True)
    with pytest.raises(ValueError, match=r"outputs has \(3, 8\) and lses \(3, 7\)"):
        combine_rounds(normal(0, 3, 8, 2), normal(0, 3, 7))
    with pytest.raises(ValueError, match=r"outputs has \(0, 8\) and lses \(0, 8\)"):
        combine_rounds(normal(0, 0, 8, 2), normal(0, 0, 8))
    with pytest.raises(ValueError, match=r"buckets has the axes U T, 2 in number; buckets has 1"):
        duplicate_counts(torch.tensor([1, 2]))
