"""Bugs that were reported of blockwise attention, merged parts, rings, pages and experts, again.

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
from course_lib.exact.blockwise_backward import blockwise_backward
from course_lib.exact.blockwise_forward import blockwise_forward
from course_lib.exact.merging import merge_partials, merge_sink, merge_splits
from course_lib.exact.pages import paged_attention
from course_lib.exact.reach import Reach
from course_lib.exact.splits import split_kv
from course_lib.experts.balance import bias_update, expert_load, load_balance_loss
from course_lib.experts.capacity import capacity_dispatch
from course_lib.experts.mixture import grouped_matmul
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


HIGH = torch.full((T,), 1000.0), torch.full((T,), 0.0)
HIGH_OUTPUTS = normal(12, T, D).float(), normal(13, T, D).float()


def lse_by_a_difference(lse: Tensor, block: Tensor) -> Tensor:
    return lse + torch.log(1 + torch.exp(block - lse))


# A ring: two ranks' keys, one after the other

HALVES = (slice(0, 3), slice(3, S))
ARRIVING = normal(14, B, H, T, D)


def gradients_by_autograd() -> Tensor:
    leaves = [x.requires_grad_() for x in qkv()]
    read = F.scaled_dot_product_attention(*leaves)
    return torch.cat([x.flatten() for x in torch.autograd.grad(read, leaves, ARRIVING)])


def gradients_by_parts(keys_of: tuple[int, int], own_result: bool) -> Tensor:
    """Back through each half of the keys: which half is at hand, and whose output and lse."""
    query, key, value = qkv()
    reach = Reach(num_queries=T, num_keys=3, causal=False)
    halves = [(key[:, :, part], value[:, :, part]) for part in HALVES]
    results = [blockwise_forward(query, *half, reach, 2, 2) for half in halves]
    whole = merge_partials(*results[0], *results[1])
    arriving = ARRIVING, torch.zeros(B, H, T).double()
    parts = [
        blockwise_backward(
            (query, *halves[at_hand]), results[i] if own_result else whole, arriving, reach, 2, 2
        )
        for i, at_hand in enumerate(keys_of)
    ]
    keys, values = (torch.cat([part[i] for part in parts], 2) for i in (1, 2))
    return torch.cat([x.flatten() for x in (parts[0][0] + parts[1][0], keys, values)])


# Strides

TURNED = ARRIVING.mT.contiguous().mT  # the same numbers, in another order in memory
TWICE = torch.stack([qkv()[1], torch.full((B, H, S, D), 9.0).double()], 3).flatten(2, 3)


def as_if_in_a_row(x: Tensor) -> Tensor:
    return x.as_strided(x.shape, torch.empty(x.shape).stride())


def query_gradient(arriving: Tensor) -> Tensor:
    query, key, value = qkv()
    query.requires_grad_()
    output, _ = blockwise_attention(query, key, value, False, None, 2)
    (gradient,) = torch.autograd.grad(output, query, arriving)
    return gradient


def value_by_the_keys_strides() -> Tensor:
    query, _, value = qkv()
    key = TWICE[:, :, ::2]  # every other row of a larger buffer
    larger = torch.cat([value.flatten(), torch.zeros(value.numel()).double()])
    return F.scaled_dot_product_attention(query, key, larger.as_strided(value.shape, key.stride()))


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


def pages_of_two_heads() -> tuple[Tensor, Tensor]:
    return normal(15, 4, 2, 2, D), normal(16, 4, 2, 2, D)


FOUR_HEADS = normal(17, 1, 4, D)


def four_heads(of_head: list[int]) -> Tensor:
    keys, values = (x[TABLE[0, :2]].flatten(0, 1)[:, of_head] for x in pages_of_two_heads())
    weights = torch.einsum("hd,shd->hs", FOUR_HEADS[0], keys).div(math.sqrt(D)).softmax(-1)
    return torch.einsum("hs,shd->hd", weights, values)[None]


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


CROWD = torch.zeros(1, 5, 1).long()  # five tokens that all choose expert 0 of 4
MATRICES = normal(18, 3, D, E)
ROWS = normal(19, 3, D)


def gradient_of_matrices(unwritten: float | None) -> Tensor:
    """The second expert has no rows: its part of the gradient is written, or left as it was."""
    if unwritten is None:
        w = MATRICES.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(grouped_matmul(ROWS, torch.tensor([2, 0, 1]), w).sum(), w)
        return gradient
    made = torch.full_like(MATRICES, unwritten)
    for e, rows in ((0, ROWS[:2]), (2, ROWS[2:])):
        made[e] = rows.mT @ torch.ones(len(rows), E).double()
    return made


def ten_steps(bias: Tensor, step: Callable[[Tensor], Tensor]) -> Tensor:
    for _ in range(10):
        bias = step(bias)
    return bias.float()


UNEVEN = torch.tensor([40_900, 40_840, 40_780])


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
        thread="jzhang38/EasyContext/issues/14",
        what="adds log(1 + exp(new − old)) to the old sum: exp overflows",
        right=lambda: HIGH[0],
        broken=lambda: lse_by_a_difference(HIGH[1], HIGH[0]),
        ours=lambda: merge_partials(HIGH_OUTPUTS[0], HIGH[1], HIGH_OUTPUTS[1], HIGH[0])[1],
    ),
    Bug(
        thread="huggingface/diffusers/issues/14265",
        what="goes back around a ring with the keys that it held at first",
        right=gradients_by_autograd,
        broken=lambda: gradients_by_parts((0, 0), own_result=False),
        ours=lambda: gradients_by_parts((0, 1), own_result=False),
    ),
    Bug(
        thread="tenstorrent/tt-metal/pull/53216",
        what="goes back through a part with that part's own output and log-sum-exp",
        right=gradients_by_autograd,
        broken=lambda: gradients_by_parts((0, 1), own_result=True),
        ours=lambda: gradients_by_parts((0, 1), own_result=False),
    ),
    Bug(
        thread="Dao-AILab/flash-attention/issues/355",
        what="reads the gradient that arrives as if it lay in a row",
        right=lambda: query_gradient(ARRIVING),
        broken=lambda: query_gradient(as_if_in_a_row(TURNED)),
        ours=lambda: query_gradient(TURNED),
    ),
    Bug(
        thread="flagos-ai/FlagGems/issues/5896",
        what="reads values as if they lay in a row",
        right=plain,
        broken=lambda: F.scaled_dot_product_attention(
            *qkv()[:2], as_if_in_a_row(qkv()[2].transpose(1, 2).contiguous().transpose(1, 2))
        ),
        ours=lambda: blockwise_attention(
            *qkv()[:2], qkv()[2].transpose(1, 2).contiguous().transpose(1, 2), False, None, 2
        )[0],
    ),
    Bug(
        thread="flagos-ai/FlagAttention/issues/45",
        what="walks over the values with the strides of the keys",
        right=plain,
        broken=value_by_the_keys_strides,
        ours=lambda: blockwise_attention(qkv()[0], TWICE[:, :, ::2], qkv()[2], False, None, 2)[0],
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
        thread="ekzhang/jax-js/pull/180",
        what="lets the heads of queries take turns at the heads of keys",
        right=lambda: four_heads([0, 0, 1, 1]),
        broken=lambda: four_heads([0, 1, 0, 1]),
        ours=lambda: paged_attention(FOUR_HEADS, *pages_of_two_heads(), TABLE, torch.tensor([4])),
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
    Bug(
        thread="deepspeedai/DeepSpeed/issues/1658",
        what="counts places in an expert's room and looks at no room",
        right=lambda: torch.tensor([[[0], [1], [-1], [-1], [-1]]]),
        broken=lambda: torch.arange(5)[None, :, None],
        ours=lambda: capacity_dispatch(CROWD, 4, 1.0),
    ),
    Bug(
        thread="tgale96/grouped_gemm/issues/36",
        what="leaves what belongs to an expert without tokens as memory happened to be",
        right=lambda: gradient_of_matrices(0.0),
        broken=lambda: gradient_of_matrices(math.nan),
        ours=lambda: gradient_of_matrices(None),
    ),
    Bug(
        thread="NVIDIA/Megatron-LM/issues/1482",
        what="keeps the bias that balances in bfloat16, where a thousandth is lost",
        right=lambda: torch.tensor([0.49, 0.5, 0.51]),
        broken=lambda: ten_steps(
            torch.full((3,), 0.5).bfloat16(),
            lambda b: b + (1e-3 * torch.tensor([-1, 0, 1])).bfloat16(),
        ),
        ours=lambda: ten_steps(
            torch.full((3,), 0.5).bfloat16(), lambda b: bias_update(UNEVEN, b, 1e-3)
        ),
    ),
    Bug(
        thread="NVIDIA/Megatron-LM/pull/7081",
        what="counts tokens in bfloat16, where neighbouring loads are one number",
        right=lambda: torch.tensor([-1.0, 0.0, 1.0]),
        broken=lambda: torch.sign(UNEVEN.bfloat16().mean() - UNEVEN.bfloat16()).float(),
        ours=lambda: bias_update(
            expert_load(torch.arange(3).repeat_interleave(UNEVEN), 3), torch.zeros(3), 1.0
        ),
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
