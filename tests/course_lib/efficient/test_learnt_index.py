"""A learnt index: equal to its loops; what it leaves out is neither computed nor seen."""

import pytest
import torch
from allocations import Allocations
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import DV, B, D, S, T, arrays, assert_equals_twin, mask, normal, seeds, stacked
from torch import Tensor
from torch.testing import assert_close

from course_lib.attention.grouped import grouped_query_attention
from course_lib.efficient.learnt_index import (
    index_loss,
    index_scores,
    top_k_attention,
    top_k_mask,
)
from course_lib.masks import causal_mask
from course_lib.naive.efficient import learnt_index as naive

DTYPES = (torch.float32, torch.float64)
H, SMALL_D = 3, 4


def index(seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    return (
        normal(seed, B, T, H, SMALL_D, dtype=dtype),
        normal(seed + 1, B, S, SMALL_D, dtype=dtype),
        normal(seed + 2, B, T, H, dtype=dtype),
    )


def attention(T: int, S: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    shapes = (B, 4, T, D), (B, 2, S, D), (B, 2, S, DV), (B, T, S)
    return [normal(seed + i, *shape, dtype=dtype) for i, shape in enumerate(shapes)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_scores_and_attention_equal_their_loops(dtype: torch.dtype) -> None:
    tensors = index(dtype=dtype)
    expected = stacked(
        naive.index_scores(*arrays(*(part[b] for part in tensors))) for b in range(B)
    )
    assert_equals_twin(index_scores(*tensors), expected, dtype)
    for queries, keys, k in ((T, S, 2), (S, S, 2), (S, S, 9), (S, T, 2)):
        parts = attention(queries, keys, dtype=dtype)
        expected = stacked(
            naive.top_k_attention(*arrays(*(part[b] for part in parts)), k) for b in range(B)
        )
        assert_equals_twin(top_k_attention(*parts, k), expected, dtype)


@settings(max_examples=40)
@given(seed=seeds, T=st.integers(0, 7), S=st.integers(0, 7), k=st.integers(1, 9))
def test_the_choice_equals_its_loops_also_among_equals(seed: int, T: int, S: int, k: int) -> None:
    scores = normal(seed, T, S).round()  # many are equal
    scores[scores == 1] = -torch.inf
    expected = torch.from_numpy(naive.top_k_mask(*arrays(scores), k))
    found = top_k_mask(scores, k)
    assert torch.equal(found, expected)
    fewest = causal_mask(T, S).sum(-1).clamp(max=k)
    assert torch.equal(found.sum(-1), fewest)
    assert not (found & ~causal_mask(T, S)).any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(T, S), (B, T, S), (1, S)])
def test_the_loss_equals_its_loops(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    scores, weights = normal(0, B, T, S, dtype=dtype), normal(1, B, H, T, S).softmax(-1).to(dtype)
    may_attend = mask(3, *shape) if shape[-2] > 1 else torch.arange(S)[None] % 2 == 0
    per_query = 0.0
    for b in range(B):
        allowed = may_attend.expand(B, T, S)[b]
        alone = naive.index_loss(*arrays(scores[b], weights[b]), allowed.numpy())
        per_query += alone * int(allowed.any(-1).sum())
    count = int(may_attend.expand(B, T, S).any(-1).sum())
    expected = torch.tensor(per_query / count, dtype=torch.float64)
    assert_equals_twin(index_loss(scores, weights, may_attend), expected, dtype)


# Laws


@settings(max_examples=25)
@given(seed=seeds, size=st.integers(1, 7), k=st.integers(1, 9))
def test_attention_to_the_chosen_is_attention_under_their_mask(
    seed: int, size: int, k: int
) -> None:
    query, key, value, scores = attention(size, size, seed)
    chosen = top_k_mask(scores, k)[:, None]
    expected = grouped_query_attention(query, key, value, chosen)
    assert_close(top_k_attention(query, key, value, scores, k), expected)
    whole = grouped_query_attention(query, key, value, causal_mask(size))
    assert_close(top_k_attention(query, key, value, scores, size), whole)


@settings(max_examples=25)
@given(seed=seeds)
def test_scores_know_relu_and_the_weight_of_each_head(seed: int) -> None:
    query, key, weight = index(seed)
    expected = index_scores(query, key, weight)
    by_head = [index_scores(query[:, :, [h]], key, weight[..., [h]]) for h in range(H)]
    assert_close(sum(by_head), expected)
    assert_close(index_scores(query, 3 * key, -2 * weight), -6 * expected)
    assert (index_scores(query, key, weight.abs()) >= 0).all()


def test_the_loss_is_zero_where_the_index_says_what_attention_reads() -> None:
    weights = normal(0, B, H, S, S).masked_fill(~causal_mask(S), -torch.inf).softmax(-1)
    perfect = weights.mean(1).log()
    assert_close(index_loss(perfect, weights, causal_mask(S)), torch.tensor(0.0).double())
    other = perfect + normal(1, B, S, S)
    assert index_loss(other, weights, causal_mask(S)) > 0.01
    shifted = other + normal(2, B, S, 1)  # a softmax knows no shift
    assert_close(
        index_loss(shifted, weights, causal_mask(S)), index_loss(other, weights, causal_mask(S))
    )
    alone = torch.eye(S).bool()
    assert_close(index_loss(other, weights, alone), torch.tensor(0.0).double())
    nothing = torch.zeros(S, S).bool()
    assert index_loss(other, weights, nothing) == 0


def test_training_the_index_finds_the_keys() -> None:
    """By gradient descent on the loss the index learns to name what attention reads most."""
    size = 24
    weights = (3 * normal(0, 1, 1, size, size)).masked_fill(~causal_mask(size), -torch.inf)
    weights = weights.softmax(-1)
    scores = torch.zeros(1, size, size).double().requires_grad_()
    kept = []
    for _ in range(30):
        loss = index_loss(scores, weights, causal_mask(size))
        kept.append((weights[:, 0] * top_k_mask(scores, 4)).sum(-1).mean().item())
        (gradient,) = torch.autograd.grad(loss, scores)
        scores = (scores - 20 * gradient).detach().requires_grad_()
    best = (weights[:, 0] * top_k_mask(weights[:, 0], 4)).sum(-1).mean().item()
    assert kept[0] < 0.6 * best
    assert kept[-1] > 0.99 * best


def test_the_index_itself_is_trained_by_the_divergence() -> None:
    """Not its scores but its three matrices learn, by the loss alone, which keys two heads read."""
    size, width, heads, small = 32, 16, 4, 8
    x, before = normal(0, 1, size, width), causal_mask(size)
    query, key = ((x @ normal(i, width, 12) / 2).unflatten(-1, (2, 6)) for i in (1, 2))
    fits = torch.einsum("bthd,bshd->bhts", query, key) / 6**0.5
    weights = fits.masked_fill(~before, -torch.inf).softmax(-1)
    shapes = (width, heads * small), (width, small), (width, heads)
    learnt = [(normal(3 + i, *shape) / 4).requires_grad_() for i, shape in enumerate(shapes)]
    optimiser = torch.optim.Adam(learnt, lr=0.02)

    def index_of_x() -> Tensor:
        queries = (x @ learnt[0]).unflatten(-1, (heads, small))
        return index_scores(queries, x @ learnt[1], x @ learnt[2])

    def share_of_what_is_read(scores: Tensor) -> float:
        return (weights.mean(1) * top_k_mask(scores, 4)).sum(-1).mean().item()

    best, first = share_of_what_is_read(weights.mean(1)), share_of_what_is_read(index_of_x())
    for _ in range(120):
        optimiser.zero_grad()
        index_loss(index_of_x(), weights, before).backward()
        optimiser.step()
    assert first < 0.6 * best
    assert share_of_what_is_read(index_of_x()) > 0.97 * best
    # What was chosen stands for all: attention to four keys is near that to every one.
    value = normal(9, 1, 2, size, 3)
    chosen = top_k_attention(*(p.transpose(1, 2) for p in (query, key)), value, index_of_x(), 4)
    assert (chosen - weights @ value).abs().mean() < 0.2


def test_gradients_stop_where_they_should() -> None:
    scores = normal(0, B, S, S).requires_grad_()
    weights = normal(1, B, H, S, S).softmax(-1).requires_grad_()
    index_loss(scores, weights, causal_mask(S)).backward()
    assert weights.grad is None
    assert scores.grad is not None
    later = ~causal_mask(S).expand(B, S, S)
    assert torch.equal(scores.grad[later], torch.zeros(int(later.sum())).double())
    parts = [part.requires_grad_() for part in attention(S, S)]
    top_k_attention(*parts, 2).sum().backward()
    assert parts[3].grad is None
    assert parts[0].grad is not None


# Extreme values


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_what_was_not_chosen_has_no_influence(wrong: float) -> None:
    query, key, value, scores = attention(S, S)
    scores[:, :, 1] = -1e9
    clean = top_k_attention(query, key, value, scores, 2)
    key[:, :, 1], value[:, :, 1] = wrong, wrong
    spoilt = top_k_attention(query, key, value, scores, 2)
    assert torch.equal(spoilt[:, :, [0, 2, 3, 4]], clean[:, :, [0, 2, 3, 4]])
    assert not spoilt[:, :, 1].isfinite().any()  # only two keys to choose from


def test_nothing_to_read_gives_zeros_and_finite_gradients() -> None:
    parts = [part.requires_grad_() for part in attention(S, 2)]
    with torch.autograd.set_detect_anomaly(True):
        output = top_k_attention(*parts, 2)
        output.sum().backward()
        scores = normal(0, B, T, S).requires_grad_()
        index_loss(scores, normal(1, B, H, T, S).softmax(-1), mask(0, T, S)).backward()
    assert torch.equal(output[:, :, :3], torch.zeros(B, 4, 3, DV).double())
    for tensor in (*parts[:3], scores):
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()


def test_nan_is_chosen_and_seen() -> None:
    scores = torch.tensor([[0.0, 0.0, 0.0], [torch.nan, 5.0, 0.0], [1.0, torch.nan, 2.0]])
    assert top_k_mask(scores, 1).int().tolist() == [[1, 0, 0], [1, 0, 0], [0, 1, 0]]
    weights = torch.full((1, 1, 3, 3), 1 / 3)
    weights[0, 0, 2, 0] = torch.nan
    assert index_loss(torch.zeros(1, 3, 3), weights, causal_mask(3)).isnan()


def test_no_scores_of_all_pairs_are_made_by_attention() -> None:
    size, k = 256, 4
    query, key, value = (normal(seed, 1, 8, size, 2) for seed in range(3))
    scores = normal(3, 1, size, size)
    with Allocations() as made:
        top_k_attention(query, key, value, scores, k)
    assert made.largest == size * size  # the order of the index's scores, once for all 8 heads


# Gradients, purity, refusals


def test_gradients_and_purity() -> None:
    shapes = (1, 2, 2, 2), (1, 3, 2), (1, 2, 2)
    given_ = [normal(seed, *shape) for seed, shape in enumerate(shapes)]
    tensors = [tensor.clone().requires_grad_() for tensor in given_]
    assert torch.autograd.gradcheck(index_scores, tensors)
    heads = [normal(seed, 1, 1, 3, 2).requires_grad_() for seed in range(3)]
    choice = normal(4, 1, 3, 3)
    assert torch.autograd.gradcheck(lambda *all_: top_k_attention(*all_, choice, 2), heads)
    weights = normal(5, 1, 2, 3, 3).softmax(-1)
    scores = choice.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: index_loss(x, weights, causal_mask(3)), scores)
    for tensor, copy in zip([*tensors, scores], [*given_, normal(4, 1, 3, 3)], strict=True):
        assert torch.equal(tensor, copy)


@pytest.mark.usefixtures("without_annotations")
def test_refusals_name_the_sizes() -> None:
    query, key, weight = index()
    with pytest.raises(ValueError, match=r"= \(2, 3, 3\), weight \(2, 3, 2\) and key B=2"):
        index_scores(query, key, weight[..., :2])
    with pytest.raises(ValueError, match=r"weight \(2, 3, 3\) and key B=1; shapes \(2, 3, 3, 4\)"):
        index_scores(query, key[:1], weight)
    with pytest.raises(ValueError, match=r"queries have D=4 and the keys D=3"):
        index_scores(query, key[..., :3], weight)
    with pytest.raises(ValueError, match=r"key has the axes B S D, 3 in number; key has 4"):
        index_scores(query, query, weight)
    with pytest.raises(ValueError, match="k >= 1; k is 0"):
        top_k_mask(torch.zeros(3, 3), 0)
    with pytest.raises(ValueError, match=r"scores is torch.int64; shape \(3, 3\)"):
        top_k_mask(torch.zeros(3, 3).long(), 1)
    parts = attention(T, S)
    with pytest.raises(ValueError, match=r"they are \(2, 3, 5\) and the scores \(2, 5, 3\)"):
        top_k_attention(*parts[:3], parts[3].mT, 2)
    with pytest.raises(ValueError, match=r"query has H=3 and key G=2"):
        top_k_attention(parts[0][:, :3], *parts[1:], 2)
    scores, weights = normal(0, B, T, S), normal(1, B, H, T, S).softmax(-1)
    with pytest.raises(ValueError, match=r"scores has \(2, 5, 3\) and weights \(2, 3, 3, 5\)"):
        index_loss(scores.mT, weights, mask(0, T, S))
    with pytest.raises(ValueError, match=r"T=3, S=5; shapes \(5, 3\) and \(2, 3, 5\)"):
        index_loss(scores, weights, mask(0, S, T))
    with pytest.raises(TypeError, match=r"it is torch.float32"):
        index_loss(scores, weights, torch.ones(T, S))
