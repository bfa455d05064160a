"""Faults that people met in public, made anew in code of our own, and what ours does there.

Each test shows the fault first: it gives something else. Which thread a test is about stands in its
mark; ``public_threads.md`` beside this file is the log, and the last test compares the two.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from strategies import DV, B, D, normal
from torch import Tensor
from torch.nn.functional import normalize
from torch.testing import assert_close

from course_lib.efficient.delta_rule import gated_delta_rule, gated_delta_rule_in_chunks
from course_lib.efficient.kernel_attention import causal_kernel_attention, elu_features
from course_lib.efficient.learnt_index import top_k_attention, top_k_mask
from course_lib.efficient.linear_attention import linear_attention
from course_lib.efficient.low_rank import linformer
from course_lib.efficient.lsh import lsh_attention
from course_lib.efficient.performer import (
    orthogonal_projections,
    performer_attention,
    performer_features,
)
from course_lib.efficient.reversible import ReversibleLayer, reversible_layers
from course_lib.efficient.sliding import sliding_attention
from course_lib.efficient.sparse_masks import random_mask
from course_lib.efficient.streaming import streaming_keep, streaming_step
from course_lib.masks import causal_mask, window_mask
from course_lib.positions.rope import rope

T = 8
LOG = Path(__file__).with_name("public_threads.md")
THREADS: dict[str, str] = {}


def thread(address: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Note which thread a test is about."""

    def noted(test: Callable[[], None]) -> Callable[[], None]:
        THREADS[f"https://github.com/{address}"] = test.__name__
        return test

    return noted


def qkv(heads: int = 2, seed: int = 0) -> list[Tensor]:
    return [normal(seed + i, B, heads, T, size) for i, size in enumerate((D, D, DV))]


# Windows and sinks


@thread("huggingface/transformers/issues/39408")
def test_a_window_of_w_reads_w_keys() -> None:
    query, key, _ = qkv()
    identity = torch.eye(T).double().expand(B, 2, T, T)  # as values it hands the weights over
    read = (sliding_attention(query, key, identity, 3) > 0).sum(-1)[0, 0]
    assert read.tolist() == [1, 2, 3, 3, 3, 3, 3, 3]
    inclusive = window_mask(T, T, 3 + 1)  # the left end of a span that is counted without oneself
    assert inclusive.sum(-1).tolist() == [1, 2, 3, 4, 4, 4, 4, 4]


@thread("sgl-project/sglang/pull/32087")
def test_where_one_token_is_written_its_window_is_whole() -> None:
    """There the oldest key of the window was lost at each step: a radius was taken for a size."""
    query, key, _ = qkv()
    identity = torch.eye(T).double().expand(B, 2, T, T)
    read = sliding_attention(query[:, :, -1:], key, identity, 3)[0, 0, 0] > 0
    assert read.tolist() == [False] * (T - 3) + [True] * 3
    radius = 3 - 1
    assert (window_mask(1, T, radius)[0] ^ read).nonzero().tolist() == [[T - 3]]


@thread("JaydenLyh/Reward-Forcing/issues/5")
def test_the_oldest_token_goes_and_not_the_newest() -> None:
    kept = torch.arange(5)
    for newest in range(5, 9):  # sinks 0 and 1; the fault keeps the first tokens behind them
        kept = torch.cat([kept[:5], torch.tensor([newest])])[:5]
    assert kept.tolist() == [0, 1, 2, 3, 4]
    assert streaming_keep(9, num_sinks=2, window=3)[0].tolist() == [0, 1, 6, 7, 8]


@thread("huggingface/transformers/issues/35350")
def test_positions_in_the_cache_are_consecutive() -> None:
    """There the newest key had its place in the text: the output knew how long the text was."""
    query, key, value = (normal(i, 1, 1, n, 6) for i, n in enumerate((1, 5, 5)))

    def with_the_newest_in_its_place(length: int) -> Tensor:
        places = torch.tensor([0, 1, 2, 3, length - 1])
        scores = rope(query, places[-1:], 10.0) @ rope(key, places, 10.0).mT / 6**0.5
        return scores.softmax(-1) @ value

    def ours(length: int) -> Tensor:
        between = normal(9, 1, 1, length - 5, 6)
        longer = [
            torch.cat([part[..., :2, :], between, part[..., 2:, :]], -2) for part in (key, value)
        ]
        return streaming_step(query, *longer, num_sinks=2, window=3, base=10.0)

    assert (with_the_newest_in_its_place(50) - with_the_newest_in_its_place(5)).abs().max() > 0.01
    assert_close(ours(50), ours(5))
    assert_close(ours(5), with_the_newest_in_its_place(5))


# Sparse patterns and learnt indices


@thread("huggingface/transformers/issues/16566")
def test_random_blocks_come_from_everywhere() -> None:
    """There every row drew among the first blocks alone."""
    drawn = random_mask(40, 1, 3, torch.Generator().manual_seed(0))
    by_block = drawn.int().sum(0)
    among_the_first = torch.rand(40, 9).argsort(-1)[:, :3]
    assert among_the_first.max() < 9
    assert by_block[9:].sum() > 3 * by_block[:9].sum() * 0.7  # 31 of 40 blocks lie there
    assert drawn[:, 20:].any(-1).sum() > 20


@thread("huggingface/transformers/issues/45820")
def test_an_index_chooses_nothing_later() -> None:
    scores = torch.arange(T).double().expand(T, T)  # the later, the better
    unmasked = torch.zeros(T, T).bool().scatter(-1, scores.topk(2).indices, True)
    assert (unmasked & ~causal_mask(T)).any()
    ours = top_k_mask(scores, 2)
    assert not (ours & ~causal_mask(T)).any()
    assert torch.equal(ours, window_mask(T, T, 2))


@thread("osaurus-ai/vmlx-swift/pull/429")
def test_with_fewer_keys_than_k_it_is_still_causal() -> None:
    """There the choice was skipped below k, and the causal mask with it."""
    query, key, value = qkv()
    scores = normal(5, B, T, T)
    later = value.clone()
    later[:, :, 5:] += 1

    def skipped(value: Tensor) -> Tensor:
        return (query @ key.mT / D**0.5).softmax(-1) @ value

    assert (skipped(later) - skipped(value))[:, :, :5].abs().max() > 0.1
    for k in (T, 2048):
        before = top_k_attention(query, key, value, scores, k)
        assert_close(top_k_attention(query, key, later, scores, k)[:, :, :5], before[:, :, :5])


# Low rank and kernels


@thread("tatp22/linformer-pytorch/issues/16")
def test_a_mask_over_mixtures_hides_no_position() -> None:
    """There the corner of the scores T x K was masked; each mixture still holds every token."""
    query, key, value = qkv()
    e = 0.2 * normal(4, 3, T)
    corner = torch.ones(T, 3).bool().tril()

    def masked(value: Tensor) -> Tensor:
        scores = (query @ (e @ key).mT).masked_fill(~corner, -torch.inf)
        return scores.softmax(-1) @ (e @ value)

    later = value.clone()
    later[:, :, -1] += 1
    assert ((masked(later) - masked(value)).abs() > 1e-3).all()  # the first query, too
    ours = linformer(query, key, later, e, e) - linformer(query, key, value, e, e)
    assert (ours.abs() > 1e-3).all()  # which is why it is called two-sided, and takes no mask


def features() -> tuple[Tensor, Tensor]:
    return elu_features(normal(0, B, T, D)), elu_features(normal(1, B, T, D))


@thread("lucidrains/performer-pytorch/issues/40")
def test_the_normaliser_divides() -> None:
    query, key = features()
    ones = torch.ones(B, T, 1).double()
    total = torch.einsum("btd,btd->bt", query, key.cumsum(1))[..., None]
    read = (query @ key.mT).tril() @ ones
    assert ((read * total - 1).abs() > 1).any()  # multiplied instead
    assert_close(causal_kernel_attention(query, key, ones, 3), ones)


@thread("lucidrains/performer-pytorch/issues/21")
def test_the_normaliser_is_read_by_the_query() -> None:
    """There the state was divided by the sum of the keys, entry by entry, before any query came."""
    query, key = features()
    ones = torch.ones(B, T, 1).double()
    state = (key[..., None] * ones[:, :, None]).cumsum(1) / key.cumsum(1)[..., None]
    unread = torch.einsum("btd,btde->bte", query, state)
    assert ((unread - 1).abs() > 1).any()
    assert_close(causal_kernel_attention(query, key, ones, 3), ones)


@thread("lucidrains/performer-pytorch/issues/8")
def test_turns_and_mirrorings_are_drawn_alike() -> None:
    """QR without the signs of R: each group of rows is turned the same way round."""
    ours = orthogonal_projections(2 * 2000, 2, torch.Generator().manual_seed(0)).unflatten(
        0, (2000, 2)
    )
    mirrored = (torch.linalg.det(ours) < 0).double().mean()
    assert abs(mirrored - 0.5) < 0.05  # 4.5 standard errors of .0112
    plain, _ = torch.linalg.qr(normal(0, 2000, 2, 2))
    assert (torch.linalg.det(plain) < 0).double().mean() in (0.0, 1.0)


@thread("facebookresearch/xformers/issues/96")
def test_random_features_in_float16_leave_no_query_without_keys() -> None:
    """There, and here, features below 6e-8 were 0: a query that reads no other key got 0 / 0."""
    query, key, value = (part.half() for part in qkv())
    key[:, :, 0] = 4.5  # a long key that w meets sideways: its features are small beside others'
    w = orthogonal_projections(64, D, torch.Generator().manual_seed(0)).half()
    w = w - w.mean(-1, keepdim=True)
    wide = [part.double() for part in (query, key, value, w)]
    small = performer_features(wide[1], wide[3])
    assert (small / small.amax((-2, -1), keepdim=True)).half()[:, :, 0].sum() == 0
    found = performer_attention(query, key, value, w, causal=True)
    assert found.isfinite().all()
    assert_close(found.double(), performer_attention(*wide, causal=True), rtol=1e-3, atol=1e-3)


@thread("idiap/fast-transformers/issues/32")
def test_the_sum_of_many_keys_may_be_larger_than_float16_holds() -> None:
    key = torch.full((4000, 1), 20.0).half()  # 4,000 features of 21 are 84,000 together
    value = torch.arange(4000.0).half()[:, None] / 4000
    summed = elu_features(key).sum(-2)
    assert summed.isinf().all()
    found = linear_attention(key[:1], key, value, causal=False)
    assert_close(found, value.float().mean(0, keepdim=True).half())


# Delta rules


def gated(decay: float) -> list[Tensor]:
    query, key = normal(0, B, T, D), normalize(normal(1, B, T, D), dim=-1)
    alpha = torch.full((B, T), decay).double()
    return [query, key, normal(2, B, T, DV), alpha, normal(4, B, T).sigmoid(), normal(5, B, D, DV)]


@thread("fla-org/flash-linear-attention/issues/885")
def test_the_error_is_that_of_the_decayed_state() -> None:
    def before_the_decay(decay: float) -> Tensor:
        query, key, value, alpha, beta, z = gated(decay)
        outputs = []
        for t in range(T):
            row = key[:, t, None]
            error = value[:, t, None] - row @ z
            z = alpha[:, t, None, None] * z + beta[:, t, None, None] * row.mT * error
            outputs.append(query[:, t, None] @ z)
        return torch.cat(outputs, 1)

    assert (before_the_decay(0.5) - gated_delta_rule(*gated(0.5))[0]).abs().max() > 0.1
    assert_close(before_the_decay(1.0), gated_delta_rule(*gated(1.0))[0])  # where it hides


@thread("NVlabs/GatedDeltaNet/issues/15")
def test_what_a_chunk_reads_of_itself_is_decayed() -> None:
    """Read literally, the paper's last formula masks Q Kᵀ with zeros and ones."""

    def undecayed(decay: float) -> Tensor:
        query, key, value, alpha, beta, z = gated(decay)
        kept = alpha.cumprod(-1)[..., None]
        ratio = (kept / kept.mT).tril()
        system = (beta[..., None] * ratio * (key @ key.mT)).tril(-1) + torch.eye(T).double()
        written = torch.linalg.solve(system, beta[..., None] * (value - kept * (key @ z)))
        return kept * (query @ z) + (query @ key.mT).tril() @ written

    assert (undecayed(0.5) - gated_delta_rule_in_chunks(*gated(0.5))[0]).abs().max() > 0.1
    assert_close(undecayed(1.0), gated_delta_rule_in_chunks(*gated(1.0))[0])  # where it hides


@thread("pytorch/executorch/pull/21417")
def test_a_decay_of_nearly_nothing_makes_no_nan() -> None:
    """There a chunk was multiplied by exp(-sum of log decays): infinity, and 0 · infinity."""
    parts = [part.float() for part in gated(6.5e-12)]
    logs = parts[3].log().cumsum(-1)
    assert (logs.exp() * (-logs).exp()).isnan().any()
    found = gated_delta_rule_in_chunks(*parts)
    assert all(part.isfinite().all() for part in found)
    assert_close(found, gated_delta_rule(*parts))


@thread("gittensor-ai-lab/sparkinfer/pull/604")
def test_the_last_chunk_decays_the_state_by_its_own_last_gate() -> None:
    """There a short chunk was filled up with gates of 1, and its total read at the end of that."""
    size = 70  # a chunk of 64, and one of 6
    shapes = (B, size, D), (B, size, D), (B, size, DV)
    query, key, value = (normal(seed, *shape) for seed, shape in enumerate(shapes))
    key, beta = normalize(key, dim=-1), normal(4, B, size).sigmoid()
    alpha = torch.full((B, size), 0.9).double()
    _, state = gated_delta_rule_in_chunks(query, key, value, alpha, beta)
    _, before = gated_delta_rule(*(part[:, :64] for part in (query, key, value, alpha, beta)))
    _, expected = gated_delta_rule(query, key, value, alpha, beta)
    assert_close(state, expected)
    assert ((1 - 0.9**6) * before).abs().max() > 0.1  # what stayed too much of the first chunk


@thread("NeuraLegion/shainet/pull/170")
def test_the_state_is_not_decayed_twice() -> None:
    """There what a chunk takes off the state was weighed by the gates in both of its factors."""

    def twice(decay: float, factor: float = 1.0) -> Tensor:
        query, key, value, alpha, beta, z = gated(decay)
        kept, one = alpha.cumprod(-1)[..., None], torch.eye(T).double()
        ratio = (kept / kept.mT).tril()
        system = (beta[..., None] * ratio * (key @ key.mT)).tril(-1) + one
        by_value = torch.linalg.solve(system, beta[..., None] * value)
        by_state = torch.linalg.solve(system, beta[..., None] * key)
        written = by_value - kept * (by_state @ (factor * z))
        return kept * (query @ (factor * z)) + (ratio * (query @ key.mT)) @ written

    exact = gated_delta_rule_in_chunks(*gated(0.5))[0]
    assert (twice(0.5) - exact).abs().max() > 0.01
    assert_close(twice(1.0), gated_delta_rule_in_chunks(*gated(1.0))[0])  # where it hides
    empty = gated(0.5)
    empty[5] = torch.zeros_like(empty[5])
    assert_close(twice(0.5, factor=0.0), gated_delta_rule_in_chunks(*empty)[0])  # and here


@thread("huggingface/transformers/pull/46773")
def test_padding_writes_nothing_also_where_there_is_one_example() -> None:
    """There a padded text alone in its batch was not masked: its padding went into the state."""
    query, key, value, alpha, beta, _ = (part[:1] for part in gated(0.5))
    padded = [torch.cat([part.flip(1), part], 1) for part in (query, key, value)]
    is_text = torch.arange(2 * T) >= T
    gates = torch.cat([alpha, alpha], 1), torch.cat([beta, beta], 1)
    expected, state = gated_delta_rule(query, key, value, alpha, beta)
    for rule in (gated_delta_rule, gated_delta_rule_in_chunks):
        unmasked, _ = rule(*padded, *gates)
        assert (unmasked[:, T:] - expected).abs().max() > 0.1
        masked = gates[0].masked_fill(~is_text, 1.0), gates[1].masked_fill(~is_text, 0.0)
        found, last = rule(*padded, *masked)
        assert_close(found[:, T:], expected)
        assert_close(last, state)


# Reformer


@thread("Rick-McCoy/Reformer-pytorch/issues/3")
def test_the_first_chunk_does_not_look_at_the_last() -> None:
    """One bucket and no causal mask: nothing else would hide the last chunk from the first."""
    qk, _, value = qkv()
    buckets = torch.zeros(B, 2, T).long()
    later = value.clone()
    later[:, :, -4:] += 1

    def rolled(value: Tensor) -> Tensor:
        unit = normalize(qk, dim=-1)
        chunks = [part.unflatten(-2, (2, 4)) for part in (qk, unit, value)]
        keys, values = (torch.cat([part.roll(1, 2), part], -2) for part in chunks[1:])
        return ((chunks[0] @ keys.mT / D**0.5).softmax(-1) @ values).flatten(2, 3)

    assert (rolled(later) - rolled(value))[:, :, :4].abs().max() > 0.1
    before, after = (
        lsh_attention(qk, part, buckets, 4, causal=False)[0] for part in (value, later)
    )
    assert torch.equal(after[:, :, :4], before[:, :, :4])


@thread("lucidrains/reformer-pytorch/issues/29")
def test_parameters_learn_though_the_input_wants_no_gradient() -> None:
    w = normal(3, D, D).requires_grad_()
    layer = ReversibleLayer(f=lambda x, w: x @ w, g=torch.sin, f_parameters=(w,))
    x = normal(0, T, D)
    assert not x.requires_grad
    with torch.no_grad():
        silent = x + x @ w
    assert silent.grad_fn is None
    sum(part.sum() for part in reversible_layers(x, x, (layer,))).backward()
    assert w.grad is not None
    assert w.grad.abs().max() > 0


@thread("silvandeleemput/memcnn/issues/12")
def test_dropout_in_a_reversible_layer_is_refused() -> None:
    """Run again, it drops other entries: the inputs come back wrong, and so do all gradients."""
    torch.manual_seed(0)
    drop = torch.nn.Dropout(0.5)
    x = normal(0, T, D)
    assert (x + drop(x) - drop(x) - x).abs().max() > 0.1
    y1, _ = reversible_layers(x.requires_grad_(), x, (ReversibleLayer(f=drop, g=torch.sin),))
    with pytest.raises(ValueError, match="so no dropout"):
        y1.sum().backward()


def test_the_log_names_each_thread_and_its_test() -> None:
    rows = re.findall(r"^\| (https://\S+) \|.*\| `(\w+)` \|$", LOG.read_text("utf-8"), re.MULTILINE)
    assert dict(rows) == THREADS
    assert len(rows) == len(THREADS)
