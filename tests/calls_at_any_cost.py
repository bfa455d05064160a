"""One call of every function that attends, routes or mixes at another cost: what tests vary."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from strategies import normal
from torch import Tensor

from course_lib.efficient import (
    block_sparse,
    delta_rule,
    forget_gate,
    kernel_attention,
    learnt_index,
    linear_attention,
    low_rank,
    lsh,
    lsh_rounds,
    performer,
    reversible,
    sliding,
    streaming,
)
from course_lib.efficient.chunked_feed_forward import chunked_feed_forward
from course_lib.exact import blockwise, blockwise_forward, merging, pages, splits
from course_lib.exact.cascade import cascade_attention
from course_lib.exact.feed_forward import blockwise_feed_forward
from course_lib.exact.fused import attend_then_feed
from course_lib.experts import (
    affine_router,
    balance,
    capacity,
    clamped,
    dispatch,
    expert_choice,
    mixture,
    router,
)

#: 12 positions, which no block of 5 divides; 4 heads in 2 groups; 5 experts, one without tokens.
B, H, G, T, D, DV, C, E, A, F = 2, 4, 2, 12, 6, 5, 7, 5, 2, 3
Result = Tensor | tuple[Tensor, ...]


@dataclass(frozen=True, kw_only=True)
class Call:
    """One function with its arguments.

    Attributes:
        run: the function, of the tensors alone.
        tensors: all of its tensors of floating point, in float64.
        once: whether half precision is computed in float32 and rounded once.
        batched: which of the tensors have a batch on their first axis, one letter each: b or -.
    """

    run: Callable[..., Result]
    tensors: tuple[Tensor, ...]
    once: bool = True
    batched: str = ""

    def results(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        found = self.run(*tensors)
        return found if isinstance(found, tuple) else (found,)


def drawn(*shapes: tuple[int, ...]) -> tuple[Tensor, ...]:
    return tuple(normal(seed, *shape) for seed, shape in enumerate(shapes))


QKV = drawn((B, H, T, D), (B, G, T, D), (B, G, T, DV))
HEADS = drawn((B, H, T, D), (B, H, T, D), (B, H, T, DV))
POSITIVE = (HEADS[0].abs() + 0.1, HEADS[1].abs() + 0.1, HEADS[2])
GATES = tuple(normal(seed, B, H, T).sigmoid() for seed in (8, 9))
SHORT_KEY = HEADS[1] / 4
STEP = (*(x[..., 0, :] for x in HEADS), normal(5, B, H, D, DV), normal(6, B, H, D).abs() + 1)
HIDDEN = torch.rand(T, T, generator=torch.Generator().manual_seed(0)) < 0.5
BUCKETS = torch.arange(T) * 5 % T // 4
X, PROBABILITIES = normal(10, B, T, C), normal(11, B, T, A).softmax(-1)
CHOICES = router.choose(normal(12, B, T, E).index_fill(-1, torch.tensor(3), -9.0), A)
MATRICES = drawn((E, C, F), (E, C, F), (E, F, C))
TABLE, LENGTHS = torch.tensor([[2, 0, 1], [1, 3, -1]]), torch.tensor([8, 5])
TOKENS = torch.tensor([[0, 2], [1, 4], [5, 3], [1, 0], [7, 2]])


def of_batch(x: Tensor, size: int) -> Tensor:
    """A choice that was made for a whole batch, for as many examples as came."""
    return x[:size]


def with_experts(
    function: Callable[..., Tensor], x: Tensor, weights: Tensor, *matrices: Tensor
) -> Tensor:
    return function(x, of_batch(CHOICES, len(x)), weights, *matrices)


def clamped_experts(x: Tensor, weights: Tensor, *parts: Tensor) -> Tensor:
    names = ("w_gate_up", "b_gate_up", "w_down", "b_down")
    held = clamped.ClampedExperts(**dict(zip(names, parts, strict=True)))
    return clamped.clamped_moe_forward(x, of_batch(CHOICES, len(x)), weights, held)


def lsh_round(qk: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    return lsh.lsh_attention(qk, value, BUCKETS.expand(qk.shape[:-1]), 4, True)


def lsh_in_rounds(qk: Tensor, value: Tensor) -> Tensor:
    rounds = torch.stack([BUCKETS, BUCKETS.flip(0)])[:, None, None].expand(2, *qk.shape[:-1])
    return lsh.multi_round_lsh_attention(qk, value, rounds, 4, True)


def two_layers(x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor]:
    layer = reversible.ReversibleLayer(f=torch.tanh, g=torch.sin)
    return reversible.reversible_layers(x1, x2, (layer, layer))


def routed(route: Callable[..., tuple[Tensor, Tensor]], *after: object) -> Callable[..., Tensor]:
    """The weights of a router; what comes behind the gate may be a bias."""
    return lambda x, w_gate, *bias: route(x, w_gate, *after[:1], *bias, *after[1:])[1]


def affine(x: Tensor, w_gate: Tensor, b_gate: Tensor) -> Tensor:
    return affine_router.affine_topk_router(x, w_gate, b_gate, A)[1]


GATE, BIAS = normal(13, C, E), normal(14, E)
EVERY_PAIR = torch.ones(T, T).bool().tril()

CALLS = {
    "sliding_attention": Call(
        run=lambda *qkv: sliding.sliding_attention(*qkv, 5), tensors=QKV, batched="bbb"
    ),
    "block_sparse_attention": Call(
        run=lambda *qkv: block_sparse.block_sparse_attention(*qkv, HIDDEN, 5),
        tensors=QKV, batched="bbb",
    ),
    "permuted_block_attention": Call(
        run=lambda *qkv: block_sparse.permuted_block_attention(*qkv, torch.tensor([1, 2, 0]), 5),
        tensors=QKV, batched="bbb",
    ),
    "streaming_step": Call(
        run=lambda q, k, v: streaming.streaming_step(q[:, :, -1:], k, v, 2, 4, 100.0),
        tensors=QKV, batched="bbb",
    ),
    "index_scores": Call(
        run=learnt_index.index_scores,
        tensors=(QKV[0].transpose(1, 2), QKV[1][:, 0], normal(7, B, T, H)), batched="bbb",
    ),
    "top_k_attention": Call(
        run=lambda q, *kv: learnt_index.top_k_attention(
            q, *kv, of_batch(normal(7, B, T, T), len(q)), 4
        ),
        tensors=QKV, batched="bbb",
    ),
    "index_loss": Call(
        run=lambda z, p: learnt_index.index_loss(z, p, EVERY_PAIR),
        tensors=(normal(0, B, T, T), normal(1, B, H, T, T).softmax(-1)), batched="bb",
    ),
    "linformer": Call(
        run=low_rank.linformer, tensors=(*HEADS, *drawn((4, T), (4, T))), batched="bbb--"
    ),
    "kernel_attention": Call(
        run=kernel_attention.kernel_attention, tensors=POSITIVE, batched="bbb"
    ),
    "kernel_attention_by_scores": Call(
        run=lambda *qkv: kernel_attention.kernel_attention_by_scores(*qkv, HIDDEN),
        tensors=POSITIVE, batched="bbb",
    ),
    "causal_kernel_attention": Call(
        run=lambda *qkv: kernel_attention.causal_kernel_attention(*qkv, 5),
        tensors=POSITIVE, batched="bbb",
    ),
    "elu_features": Call(run=kernel_attention.elu_features, tensors=(X,), batched="b"),
    "linear_attention": Call(
        run=lambda *qkv: linear_attention.linear_attention(*qkv, True),
        tensors=HEADS, batched="bbb",
    ),
    "linear_attention_step": Call(
        run=linear_attention.linear_attention_step, tensors=STEP, batched="bbbbb"
    ),
    "performer_features": Call(
        run=performer.performer_features, tensors=(X, normal(3, 16, C)), batched="b-"
    ),
    "performer_attention": Call(
        run=lambda *parts: performer.performer_attention(*parts, True),
        tensors=(*HEADS, normal(3, 32, D)), batched="bbb-",
    ),
    "delta_rule": Call(
        run=lambda *parts: delta_rule.delta_rule(*parts)[0],
        tensors=(HEADS[0], SHORT_KEY, HEADS[2], GATES[0]), batched="bbbb",
    ),
    "gated_delta_rule": Call(
        run=lambda *parts: delta_rule.gated_delta_rule(*parts)[0],
        tensors=(HEADS[0], SHORT_KEY, HEADS[2], *GATES), batched="bbbbb",
    ),
    "gated_delta_rule_in_chunks": Call(
        run=lambda *parts: delta_rule.gated_delta_rule_in_chunks(*parts)[0],
        tensors=(HEADS[0], SHORT_KEY, HEADS[2], *GATES), batched="bbbbb",
    ),
    "forget_gate": Call(
        run=forget_gate.forget_gate, tensors=drawn((B, T, H), (H,), (H,)), batched="b--"
    ),
    "lsh_attention": Call(run=lsh_round, tensors=(HEADS[0], HEADS[2]), batched="bb"),
    "multi_round_lsh_attention": Call(
        run=lsh_in_rounds, tensors=(HEADS[0], HEADS[2]), batched="bb"
    ),
    "combine_rounds": Call(
        run=lsh_rounds.combine_rounds, tensors=drawn((3, B, T, DV), (3, B, T))
    ),
    "chunked_feed_forward": Call(
        run=lambda x: chunked_feed_forward(x, torch.tanh, 5), tensors=(X,), batched="b"
    ),
    "couple": Call(
        run=lambda x1, x2: reversible.couple(x1, x2, torch.tanh, torch.sin),
        tensors=drawn((B, T, C), (B, T, C)), once=False, batched="bb",
    ),
    "uncouple": Call(
        run=lambda y1, y2: reversible.uncouple(y1, y2, torch.tanh, torch.sin),
        tensors=drawn((B, T, C), (B, T, C)), once=False, batched="bb",
    ),
    "reversible_layers": Call(
        run=two_layers, tensors=drawn((B, T, C), (B, T, C)), once=False, batched="bb"
    ),
    "blockwise_attention": Call(
        run=lambda *qkv: blockwise.blockwise_attention(*qkv, True, 7, 5),
        tensors=QKV, batched="bbb",
    ),
    "flash_forward": Call(
        run=lambda *qkv: blockwise_forward.flash_forward(*qkv, 5, 4, True),
        tensors=QKV, batched="bbb",
    ),
    "split_kv": Call(
        run=lambda *qkv: splits.split_kv(*qkv, 5), tensors=QKV, batched="bbb"
    ),
    "merge_splits": Call(run=merging.merge_splits, tensors=drawn((3, B, T, DV), (3, B, T))),
    "merge_partials": Call(
        run=merging.merge_partials,
        tensors=drawn((B, T, DV), (B, T), (B, T, DV), (B, T)), batched="bbbb",
    ),
    "merge_sink": Call(
        run=merging.merge_sink, tensors=drawn((B, H, T, DV), (B, H, T), (H,)), batched="bb-"
    ),
    "shared_prefix_attention": Call(
        run=lambda q, k, v, *prefix: splits.shared_prefix_attention(q, prefix, k, v),
        tensors=(*QKV, *drawn((G, 7, D), (G, 7, DV))), batched="bbb--",
    ),
    "cascade_attention": Call(
        run=lambda q, k, v, *level: cascade_attention(
            q, (level[:2], (level[2][: len(q)], level[3][: len(q)])) if len(q) else (level[:2],),
            k, v,
        ),
        tensors=(*QKV, *drawn((1, G, 7, D), (1, G, 7, DV), (B, G, 3, D), (B, G, 3, DV))),
        batched="bbb----",
    ),
    "paged_attention": Call(
        run=lambda q, k, v: pages.paged_attention(
            q, k, v, of_batch(TABLE, len(q)), of_batch(LENGTHS, len(q))
        ),
        tensors=drawn((B, H, D), (4, 3, G, D), (4, 3, G, DV)), batched="b--",
    ),
    "blockwise_feed_forward": Call(
        run=lambda *parts: blockwise_feed_forward(*parts, 5),
        tensors=(X, *drawn((C, F), (F, C))), once=False, batched="b--",
    ),
    "attend_then_feed": Call(
        run=lambda q, k, v, w: attend_then_feed(q, k, v, True, lambda x: torch.tanh(x @ w), 5),
        tensors=(*QKV, normal(5, H * DV, C)), once=False, batched="bbb-",
    ),
    "topk_router": Call(
        run=routed(router.topk_router, A), tensors=(X, GATE, BIAS), batched="b--"
    ),
    "sigmoid_router": Call(
        run=routed(router.sigmoid_router, A), tensors=(X, GATE, BIAS), batched="b--"
    ),
    "grouped_sigmoid_router": Call(
        run=routed(router.grouped_sigmoid_router, A, 5, 3),
        tensors=(X, GATE, BIAS), batched="b--",
    ),
    "limit_groups": Call(
        run=lambda p: router.limit_groups(p, 5, 2).clamp(min=-99.0),
        tensors=(normal(0, B, T, E),), batched="b",
    ),
    "affine_topk_router": Call(run=affine, tensors=(X, GATE, BIAS), batched="b--"),
    "expert_choice": Call(
        run=lambda x, w_gate: expert_choice.expert_choice(x, w_gate, 3)[1], tensors=(X[0], GATE)
    ),
    "expert_choice_forward": Call(
        run=lambda x, *rest: expert_choice.expert_choice_forward(x, TOKENS, *rest),
        tensors=(X[0], normal(3, E, 2), *MATRICES[1:]), once=False,
    ),
    "load_balance_loss": Call(
        run=lambda z: balance.load_balance_loss(z, CHOICES), tensors=(normal(0, B, T, E),)
    ),
    "router_z_loss": Call(run=balance.router_z_loss, tensors=(normal(0, B, T, E),)),
    "bias_update": Call(
        run=lambda bias: balance.bias_update(torch.arange(E), bias, 0.01), tensors=(BIAS,)
    ),
    "drop_overflow": Call(
        run=lambda p: capacity.drop_overflow(p, CHOICES[: len(p)] - 1),
        tensors=(PROBABILITIES,), batched="b",
    ),
    "moe_forward": Call(
        run=partial(with_experts, mixture.moe_forward),
        tensors=(X, PROBABILITIES, *MATRICES[1:]), once=False, batched="bb--",
    ),
    "gated_moe_forward": Call(
        run=partial(with_experts, mixture.gated_moe_forward),
        tensors=(X, PROBABILITIES, *MATRICES), once=False, batched="bb---",
    ),
    "clamped_moe_forward": Call(
        run=clamped_experts,
        tensors=(X, PROBABILITIES, *drawn((E, C, 2 * F), (E, 2 * F), (E, F, C), (E, C))),
        once=False, batched="bb----",
    ),
    "shared_experts": Call(
        run=mixture.shared_experts, tensors=(X, *MATRICES), once=False, batched="b---"
    ),
    "grouped_matmul": Call(
        run=lambda rows, w: mixture.grouped_matmul(rows, torch.tensor([4, 0, 3, 5, 0]), w),
        tensors=(X[0], MATRICES[0]),
    ),
    "expert_combine": Call(
        run=lambda rows, p: dispatch.expert_combine(rows, torch.arange(T * A) * 7 % (T * A), p),
        tensors=(normal(0, T * A, C), PROBABILITIES[0]),
    ),
}  # fmt: skip
