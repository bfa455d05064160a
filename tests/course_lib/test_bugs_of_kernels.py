"""Bugs that were reported of blockwise attention, merged parts, pages and experts, made again.

Each is written anew, in a few lines of our own. A row holds what is right, what the bug gives and
what we give; the inputs are such that the bug shows. The table with its addresses is in
`bugs_of_kernels.md` beside this file.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from strategies import normal
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close

from course_lib.exact.blockwise import blockwise_attention
from course_lib.exact.merging import merge_partials, merge_sink, merge_splits
from course_lib.exact.pages import paged_attention
from course_lib.exact.splits import split_kv
from course_lib.experts.balance import load_balance_loss
from course_lib.experts.router import choose, sigmoid_router, topk_router

LOG = Path(__file__).parent / "bugs_of_kernels.md"
GITHUB = "https://github.com/"
B, H, T, S, D, E, A = 1, 2, 3, 6, 4, 5, 2
Result = Callable[[], Tensor]


@dataclass(frozen=True, kw_only=True)
class Bug:
    """What a thread reports.

    Attributes:
        thread: its address behind GitHub's.
        what: what the code does, in one line.
        right: the result by a plain formula.
        broken: what the bug gives.
        ours: what the library gives.
    """

    thread: str
    what: str
    right: Result
    broken: Result
    ours: Result


def qkv(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    return normal(seed, B, H, T, D), normal(seed + 1, B, H, S, D), normal(seed + 2, B, H, S, D)


def plain(may_attend: Tensor | None = None) -> Tensor:
    return F.scaled_dot_product_attention(*qkv(), may_attend)


def scores() -> Tensor:
    query, key, _ = qkv()
    return query @ key.mT / math.sqrt(D)


# Merging

NOTHING = torch.zeros(T, D), torch.full((T,), -math.inf)


def merged_by_the_larger(o1: Tensor, l1: Tensor, o2: Tensor, l2: Tensor) -> Tensor:
    larger = torch.maximum(l1, l2)
    a, b = (l1 - larger).exp()[:, None], (l2 - larger).exp()[:, None]
    return (a * o1 + b * o2) / (a + b)


SINK = torch.tensor([0.5, 1.5]).double()


def sink_in_every_run() -> Tensor:
    parts = [merge_sink(o, lse, SINK) for o, lse in zip(*split_kv(*qkv(), 3), strict=True)]
    outputs, lses = zip(*parts, strict=True)
    return merge_splits(torch.stack(outputs), torch.stack(lses))[0]


def with_sink_column() -> Tensor:
    column = SINK[None, :, None, None].expand(B, H, T, 1)
    return torch.cat([scores(), column], -1).softmax(-1)[..., :-1] @ qkv()[2]


BIG_SINK = torch.tensor([1000.0, 1000.0]).double()


def sink_beside_the_maximum() -> Tensor:
    maximum = scores().amax(-1)
    total = (scores() - maximum[..., None]).exp().sum(-1) + (BIG_SINK[:, None] - maximum).exp()
    return maximum + total.log()


# Tiles

FAR = normal(3, B, H, T, 1).abs() + 1.0  # scores far below -50,000
FAR_KEY = -1e5 * (normal(4, B, H, S, 1).abs() + 1.0)


def maximum_that_starts_at_a_number() -> Tensor:
    z = FAR @ FAR_KEY.mT
    maximum = z.amax(-1, keepdim=True).clamp(min=-5e4)
    weights = (z - maximum).exp()
    total = weights.sum(-1, keepdim=True)
    return torch.where(total > 0, weights / total, 0.0) @ qkv()[2]


BOTTOM_RIGHT = torch.ones(T, S).bool().tril(S - T)


def lse_gradient(through: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Tensor:
    query, key, value = qkv()
    query.requires_grad_()
    (gradient,) = torch.autograd.grad(through(query, key, value), query)
    return gradient


def lse_by_formula(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return (query @ key.mT / math.sqrt(D)).logsumexp(-1).square().sum()


def lse_of_ours(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return blockwise_attention(query, key, value, False, None, 2)[1].square().sum()


# Pages

PAGES = normal(5, 4, 2, 1, D), normal(6, 4, 2, 1, D)
ONE = normal(7, 1, 1, D)
TABLE = torch.tensor([[2, 0, 3]])


def read_pages(length: int, slots: int, keys: Tensor, values: Tensor) -> Tensor:
    """The first slots of the table, of which all before the length count."""
    k, v = (x[TABLE[0]].flatten(0, 1)[:slots, 0] for x in (keys, values))
    z = (ONE[0] @ k.mT / math.sqrt(D)).masked_fill(torch.arange(slots) >= length, -math.inf)
    return (z.softmax(-1) @ v)[None]


def dirty(store: Tensor) -> Tensor:
    """The slot behind three tokens was never written."""
    spoilt = store.clone()
    spoilt[0, 1] = math.nan
    return spoilt


# Experts

X, GATE, BIAS = normal(8, T, D), normal(9, D, E), 3 * normal(10, E)
LOGITS = X @ GATE


def on_all(experts: Tensor, weights: Tensor) -> Tensor:
    return torch.zeros(len(experts), E, dtype=weights.dtype).scatter(1, experts, weights)


def unbiased() -> Tensor:
    chosen = (LOGITS + BIAS).topk(A).indices
    return on_all(chosen, LOGITS.gather(1, chosen).softmax(-1))


def biased() -> Tensor:
    best = (LOGITS + BIAS).topk(A)
    return on_all(best.indices, best.values.softmax(-1))


FAINT = torch.full((1, 1), -17.0), torch.ones(1, E)  # affinities of 4e-8, beside a bias of 12
HEAVY = 12.0 + torch.tensor([0.0, 3.0, 1.0, 2.0, 0.5])


def affinities_by_subtraction() -> Tensor:
    best = (torch.sigmoid(FAINT[0] @ FAINT[1]) + HEAVY).topk(A)
    affinities = best.values - HEAVY[best.indices]
    return on_all(best.indices, affinities / affinities.sum(-1, keepdim=True).clamp(min=1e-20))


def one_choice_normalised_over_tokens() -> Tensor:
    share, experts = LOGITS.softmax(-1).max(-1)  # the axis of choices is gone
    return on_all(experts[:, None], (share / share.norm(p=1))[:, None])


LOW = torch.tensor([[-3.0, -1.5, -2.0, -4.0, -5.0]])


def best_above_minus_one() -> Tensor:
    chosen, left = [], LOW[0].clone()
    for _ in range(A):
        best, at = -1.0, 0
        for e, priority in enumerate(left.tolist()):
            if priority > best:
                best, at = priority, e
        chosen.append(at)
        left[at] = -math.inf
    return torch.tensor([chosen])


LAYERS = torch.stack([10 * F.one_hot(torch.full((T,), e), E).double() for e in (0, 1)])
PADDED = torch.cat([normal(11, 1, 4, E), 20 * F.one_hot(torch.full((1, 3), 2), E).double()], 1)
KEEP = torch.arange(7) < 4


def balance(logits: Tensor) -> Tensor:
    """E Σ f P of tokens in one row."""
    load = F.one_hot(logits.topk(1).indices[:, 0], E).double().mean(0)
    return E * (load * logits.softmax(-1).mean(0)).sum()


def shares_of_the_chosen() -> Tensor:
    """The softmax over the chosen logits alone, in the place of P."""
    experts = LOGITS.topk(A).indices
    load = F.one_hot(experts, E).double().sum(1).mean(0)
    return E * (load * on_all(experts, LOGITS.gather(1, experts).softmax(-1)).mean(0)).sum()


def share_of_choices() -> Tensor:
    mask = F.one_hot(LOGITS.topk(A).indices, E).double().sum(1)
    return E * (mask.mean(0) * LOGITS.softmax(-1).mean(0)).sum()


BUGS = (
    Bug(
        thread="flashinfer-ai/flashinfer/issues/4051",
        what="merges two results of nothing: −∞ less −∞",
        right=lambda: NOTHING[0],
        broken=lambda: merged_by_the_larger(*NOTHING, *NOTHING),
        ours=lambda: merge_partials(*NOTHING, *NOTHING)[0],
    ),
    Bug(
        thread="flashinfer-ai/flashinfer/pull/4401",
        what="starts the running maximum at −50,000 and not at −∞",
        right=lambda: (FAR @ FAR_KEY.mT).softmax(-1) @ qkv()[2],
        broken=maximum_that_starts_at_a_number,
        ours=lambda: blockwise_attention(FAR, FAR_KEY, qkv()[2], False, None, 2)[0],
    ),
    Bug(
        thread="ROCm/rocm-libraries/issues/12227",
        what="adds the sink in each run of a split cache",
        right=with_sink_column,
        broken=sink_in_every_run,
        ours=lambda: merge_sink(*merge_splits(*split_kv(*qkv(), 3)), SINK)[0],
    ),
    Bug(
        thread="Dao-AILab/flash-attention/pull/2752",
        what="leaves the sink out of the maximum: a large one overflows",
        right=lambda: BIG_SINK[:, None].expand(B, H, T),
        broken=sink_beside_the_maximum,
        ours=lambda: merge_sink(*blockwise_attention(*qkv(), False), BIG_SINK)[1],
    ),
    Bug(
        thread="gittensor-ai-lab/sparkinfer/issues/3",
        what="aligns a causal mask at the top left: a chunk does not read its past",
        right=lambda: plain(BOTTOM_RIGHT),
        broken=lambda: plain(torch.ones(T, S).bool().tril()),
        ours=lambda: blockwise_attention(*qkv(), True, None, 2)[0],
    ),
    Bug(
        thread="huggingface/transformers/issues/39408",
        what="takes a window of W keys for one of W + 1",
        right=lambda: plain(BOTTOM_RIGHT & torch.ones(T, S).bool().triu(S - T - 1)),
        broken=lambda: plain(BOTTOM_RIGHT & torch.ones(T, S).bool().triu(S - T - 2)),
        ours=lambda: blockwise_attention(*qkv(), True, 2, 2)[0],
    ),
    Bug(
        thread="karpathy/nanochat/issues/452",
        what="forgets the window where one token is written",
        right=lambda: plain(BOTTOM_RIGHT & torch.ones(T, S).bool().triu(S - T - 1))[:, :, -1:],
        broken=lambda: plain()[:, :, -1:],
        ours=lambda: blockwise_attention(qkv()[0][:, :, -1:], *qkv()[1:], True, 2, 4)[0],
    ),
    Bug(
        thread="Dao-AILab/flash-attention/issues/889",
        what="carries no gradient through the log-sum-exp",
        right=lambda: lse_gradient(lse_by_formula),
        broken=lambda: torch.zeros(B, H, T, D).double(),
        ours=lambda: lse_gradient(lse_of_ours),
    ),
    Bug(
        thread="vllm-project/vllm/pull/47305",
        what="multiplies the weight 0 with what was never written",
        right=lambda: read_pages(3, 3, *PAGES),
        broken=lambda: read_pages(3, 4, *map(dirty, PAGES)),
        ours=lambda: paged_attention(ONE, *map(dirty, PAGES), TABLE, torch.tensor([3])),
    ),
    Bug(
        thread="pegainfer-project/pegainfer/issues/291",
        what="reads one page more where a sequence fills its last one",
        right=lambda: read_pages(4, 4, *PAGES),
        broken=lambda: read_pages(6, 6, *PAGES),
        ours=lambda: paged_attention(ONE, *PAGES, TABLE, torch.tensor([4])),
    ),
    Bug(
        thread="huggingface/transformers/pull/39581",
        what="weighs with the bias that should only choose",
        right=unbiased,
        broken=biased,
        ours=lambda: on_all(*topk_router(X, GATE, A, BIAS)),
    ),
    Bug(
        thread="flashinfer-ai/flashinfer/pull/3875",
        what="finds the affinity again by subtracting the bias: small ones are lost",
        right=lambda: on_all(torch.tensor([[1, 3]]), torch.full((1, A), 0.5)),
        broken=affinities_by_subtraction,
        ours=lambda: on_all(*sigmoid_router(*FAINT, A, HEAVY)),
    ),
    Bug(
        thread="databricks/megablocks/pull/87",
        what="loses the axis of choices where there is one, and divides by all tokens",
        right=lambda: on_all(LOGITS.argmax(-1, keepdim=True), torch.ones(T, 1).double()),
        broken=one_choice_normalised_over_tokens,
        ours=lambda: on_all(*topk_router(X, GATE, 1)),
    ),
    Bug(
        thread="vllm-project/vllm/pull/31478",
        what="looks for the largest from −1 on, where a bias makes all smaller",
        right=lambda: torch.tensor([[1, 2]]),
        broken=best_above_minus_one,
        ours=lambda: choose(LOW, A),
    ),
    Bug(
        thread="huggingface/transformers/issues/28021",
        what="balances with the softmax over the chosen logits, not over all",
        right=share_of_choices,
        broken=shares_of_the_chosen,
        ours=lambda: load_balance_loss(LOGITS[None], LOGITS.topk(A).indices[None]),
    ),
    Bug(
        thread="huggingface/transformers/issues/31464",
        what="takes all layers for one: what one overloads, another evens out",
        right=lambda: (balance(LAYERS[0]) + balance(LAYERS[1])) / 2,
        broken=lambda: balance(LAYERS.flatten(0, 1)),
        ours=lambda: load_balance_loss(LAYERS, LAYERS.topk(1).indices),
    ),
    Bug(
        thread="huggingface/transformers/issues/28505",
        what="lets the padding count in the balance loss",
        right=lambda: balance(PADDED[0, :4]),
        broken=lambda: balance(PADDED[0]),
        ours=lambda: load_balance_loss(PADDED, PADDED.topk(1).indices, KEEP),
    ),
)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.thread)
def test_the_bug_shows_and_is_not_ours(bug: Bug) -> None:
    right, broken = bug.right(), bug.broken()
    assert not torch.allclose(broken.double(), right.double(), rtol=1e-3, atol=1e-3)
    assert_close(bug.ours(), right)


def test_the_log_lists_them_all() -> None:
    text = LOG.read_text(encoding="utf-8")
    listed = [line for line in text.splitlines() if line.startswith(f"| {GITHUB}")]
    assert listed[: len(BUGS)] == [f"| {GITHUB}{bug.thread} | {bug.what} |" for bug in BUGS]
    assert f"{len(BUGS)} bugs of numbers" in text
