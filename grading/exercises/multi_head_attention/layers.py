"""multi_head_attention and cross_attention: a whole layer, without biases."""

from __future__ import annotations

from typing import Any

from grading.exercise import Exercise, Output
from grading.exercises.multi_head_attention.fitting import whole_heads
from grading.exercises.multi_head_attention.head_steps import CROSS_STEPS, STEPS
from grading.exercises.multi_head_attention.layer_probes import CROSS_PROBES, PROBES
from grading.exercises.shared.stepwise import mistake
from grading.late import Tensor, late, torch

__all__ = ["CROSS_ATTENTION", "MULTI_HEAD_ATTENTION"]

library = late("course_lib.attention.heads")

LAYER = {"w_q": "C K", "w_k": "C K", "w_v": "C V", "w_o": "V C"}


def _by_torch(
    x: Tensor, context: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, H: int,
    may_attend: Any = None,
) -> Any:  # fmt: skip
    """Split by chunks, and let PyTorch's own attention read."""
    sources = (x, w_q), (context, w_k), (context, w_v)
    q, k, v = (torch.stack((rows @ w).chunk(H, -1), -3) for rows, w in sources)
    may = may_attend
    if may is not None and may.ndim > 2:
        may = may[..., None, :, :]
    found = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=may)
    return torch.cat(found.unbind(-3), -1) @ w_o


def _by_heads(
    x: Tensor, context: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, H: int,
    may_attend: Any = None,
) -> Any:  # fmt: skip
    """Add up what each head contributes, in float64."""
    dtype = x.dtype
    x, context, w_q, w_k, w_v, w_o = (one.double() for one in (x, context, w_q, w_k, w_v, w_o))
    total = torch.zeros_like(x)
    parts = (w_q.chunk(H, -1), w_k.chunk(H, -1), w_v.chunk(H, -1), w_o.chunk(H, 0))
    for q, k, v, o in zip(*parts, strict=True):
        scores = torch.einsum("...td,...sd->...ts", x @ q, context @ k) / q.shape[-1] ** 0.5
        if may_attend is None:
            weights = scores.softmax(-1)
        else:
            reads = may_attend.any(-1, keepdim=True)
            weights = scores.masked_fill(~(may_attend | ~reads), float("-inf")).softmax(-1) * reads
        total = total + weights @ (context @ v) @ o
    return total.to(dtype)


MULTI_HEAD_ATTENTION = Exercise(
    name="multi_head_attention", slug="multi-head-attention", task="layer",
    title="Several heads, one layer", kind="implement", points=1.5, difficulty=3, importance=3,
    minutes=30, parameters=("x", "w_q", "w_k", "w_v", "w_o", "H", "may_attend"),
    defaults={"may_attend": None}, outputs=(Output(name="output", axes="... T C"),),
    axes={"x": "... T C", **LAYER, "may_attend": "... T T"}, fitted=whole_heads,
    reference=lambda *inputs: library.multi_head_attention(*inputs), equation="eq-multi-head",
    part="course_lib.attention.heads.multi_head_attention",
    forbidden=("torch.nn.functional.multi_head_attention_forward",),
    next_rung="This is the attention of a Transformer. The next task lets it read another text.",
    probes=PROBES,
    misconceptions=(
        mistake(STEPS, "SPLIT-VIEW", (
            "The projected rows are reshaped straight to H × T × D. That has the right shape, but "
            "a head gets columns of several heads, and entries of other positions. Cut the last "
            "axis only, then exchange heads and positions.")),
        mistake(STEPS, "SPLIT-INTERLEAVE", (
            "Every head takes each H-th column of a projection. Head h owns the columns from h · D "
            "up to (h + 1) · D.")),
        mistake(STEPS, "MHA-SPLITIN", (
            "Each head sees a part of the embedding alone, because x is cut before it is "
            "projected. Project first: every head reads the whole vector and makes its own query, "
            "key and value of it.")),
        mistake(STEPS, "MHA-ONEHEAD", (
            "H changes nothing: one head, as wide as all of them, compares whole rows. Split the "
            "projected rows into H heads, and let each attend by itself.")),
        mistake(STEPS, "MHA-SCALED", (
            "The scores are divided by the root of the whole width. A score adds up the D products "
            "of one head, so D's root divides it.")),
        mistake(STEPS, "SDPA-NOSCALE", "The scores are not divided by the root of D."),
        mistake(STEPS, "SDPA-CAUSAL", (
            "Positions never read what stands behind them, whatever may_attend says. Only the mask "
            "that is given forbids.")),
        mistake(STEPS, "MHA-MASKHEAD", (
            "A mask of each example meets the scores without an axis for the heads. Its first axis "
            "is then lined up with the heads: that fails, or, with as many examples as heads, each "
            "head gets the mask of another example.")),
        mistake(STEPS, "MHA-MASKDROP", "may_attend changes nothing: every pair is read."),
        mistake(STEPS, "SDPA-MASKINV", (
            "The mask is read the wrong way round. True means that position t may read s.")),
        mistake(STEPS, "SDPA-NANROW", (
            "A position with nothing to read gives NaN, as a softmax of nothing but −∞ does. The "
            "contract asks for zeros.")),
        mistake(STEPS, "SDPA-UNIFORMROW", (
            "A position with nothing to read reads all the same: a softmax shares out 1 over any "
            "row of finite scores. The contract asks for zeros.")),
        mistake(STEPS, "MERGE-NOTRANSP", (
            "The heads' outputs are reshaped to rows while heads still stand before positions, so "
            "a row holds what one head found at several positions. Exchange the two axes first.")),
        mistake(STEPS, "MHA-AVG", (
            "The output is the mean of the heads' contributions, H times too small. The heads are "
            "put side by side, and w_o adds up what each of them contributes.")),
        mistake(STEPS, "MHA-NOWO", (
            "w_o is missing: the heads' outputs come back side by side, H · Dv numbers a row.")),
        mistake(STEPS, "MHA-WOT", (
            "w_o is transposed. Its rows belong to the heads' outputs, so the product is "
            "merged @ w_o; nn.Linear stores the transpose.")),
    ),
    steps=STEPS,
    alternatives=(
        lambda x, *others: _by_torch(x, x, *others),
        lambda x, *others: _by_heads(x, x, *others),
    ),
)  # fmt: skip

CROSS_ATTENTION = Exercise(
    name="cross_attention", slug="multi-head-attention", task="cross",
    title="Read another text", kind="implement", points=0.5, difficulty=2, importance=3,
    minutes=15, parameters=("x", "context", "w_q", "w_k", "w_v", "w_o", "H", "may_attend"),
    defaults={"may_attend": None}, outputs=(Output(name="output", axes="... T C"),),
    axes={"x": "... T C", "context": "... S C", **LAYER, "may_attend": "... T S"},
    fitted=whole_heads,
    reference=lambda *inputs: library.cross_attention(*inputs), equation="eq-multi-head",
    part="course_lib.attention.heads.cross_attention",
    forbidden=("torch.nn.functional.multi_head_attention_forward",),
    next_rung="With context = x it is self-attention: one function would have been enough.",
    probes=CROSS_PROBES,
    misconceptions=(
        mistake(CROSS_STEPS, "QKV-CTXQ", (
            "The queries come from the context too, and x is not used. The sequence that asks is "
            "x; the context is what gets read.")),
        mistake(CROSS_STEPS, "XATT-OUTS", (
            "The two sequences are exchanged: the context asks and x is read, so there is one "
            "output for each position of the context. There has to be one for each of x.")),
        mistake(CROSS_STEPS, "QKV-KX", (
            "Keys, or keys and values, come from x although a context is given. Both belong to "
            "the sequence that is read.")),
        mistake(CROSS_STEPS, "SPLIT-VIEW", (
            "The projected rows are reshaped straight to heads × positions × D. That has the right "
            "shape, but a head gets columns of several heads, and entries of other positions.")),
        mistake(CROSS_STEPS, "MHA-SCALED", (
            "The scores are divided by the root of the whole width. A score adds up the D products "
            "of one head, so D's root divides it.")),
        mistake(CROSS_STEPS, "MASK-SQUARE", (
            "A causal mask of T × T is laid over scores of T × S. It fails where the two sequences "
            "differ in length, and elsewhere it hides keys that may be read: the whole context is "
            "there before the first query asks.")),
        mistake(CROSS_STEPS, "MHA-MASKDROP", "may_attend changes nothing: every pair is read."),
        mistake(CROSS_STEPS, "MERGE-NOTRANSP", (
            "The heads' outputs are reshaped to rows while heads still stand before positions, so "
            "a row holds what one head found at several positions. Exchange the two axes first.")),
    ),
    steps=CROSS_STEPS,
    alternatives=(_by_torch, _by_heads),
)  # fmt: skip
