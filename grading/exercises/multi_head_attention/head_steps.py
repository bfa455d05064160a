"""The steps of multi-head attention, and under which code each is done wrongly."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from grading.exercises.shared import attention_masks as masks
from grading.late import Tensor, torch
from grading.steps import Instead, Pipeline, Step

__all__ = ["CROSS_STEPS", "STEPS"]

Way = Callable[..., Any]


def _attended(do: Any, q: Tensor, k: Tensor, v: Tensor, scale: float, may: Any) -> Any:
    """Return what each head reads."""
    scores = do.restrict(q @ k.mT * scale)
    if may is None:
        return _softmax(scores) @ v
    spread = do.spread(may)
    masked = do.mask(scores, spread, _softmax)
    return do.empty(masked, scores, spread, _softmax) @ v


def _layer(do: Any) -> Way:
    """Put the steps of self-attention in a row."""

    def layer(
        x: Tensor,
        w_q: Tensor,
        w_k: Tensor,
        w_v: Tensor,
        w_o: Tensor,
        H: int,
        may_attend: Any = None,
    ) -> Any:
        q, k, v = (do.split(x, w, H) for w in (w_q, w_k, w_v))
        found = _attended(do, q, k, v, do.scale(x, q, H), may_attend)
        return do.project(do.merge(found, H), w_o)

    return layer


def _cross_layer(do: Any) -> Way:
    """Put the steps of cross-attention in a row."""

    def layer(
        x: Tensor, context: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, H: int,
        may_attend: Any = None,
    ) -> Any:  # fmt: skip
        sources = do.sources(x, context)
        pairs = zip(sources, (w_q, w_k, w_v), strict=True)
        q, k, v = (do.split(source, w, H) for source, w in pairs)
        found = _attended(do, q, k, v, do.scale(x, q, H), may_attend)
        return do.project(do.merge(found, H), w_o)

    return layer


def _softmax(scores: Tensor) -> Tensor:
    return scores.softmax(-1)


def _split(x: Tensor, w: Tensor, H: int) -> Any:
    return torch.unflatten(x @ w, -1, (H, -1)).transpose(-3, -2)


def _viewed(x: Tensor, w: Tensor, H: int) -> Any:
    rows = x @ w
    return rows.reshape(*rows.shape[:-2], H, rows.shape[-2], rows.shape[-1] // H)


def _interleaved(x: Tensor, w: Tensor, H: int) -> Any:
    return torch.unflatten(x @ w, -1, (-1, H)).movedim(-1, -3)


def _split_before(x: Tensor, w: Tensor, H: int) -> Any:
    """Give each head a part of the embedding alone, and the block of w that belongs to it."""
    blocks = torch.unflatten(torch.unflatten(w, 0, (H, -1)), -1, (H, -1))
    parts = torch.unflatten(x, -1, (H, -1)).transpose(-3, -2)
    return parts @ blocks.diagonal(dim1=0, dim2=2).movedim(-1, 0)


def _merge(found: Tensor, H: int) -> Any:
    return found.transpose(-3, -2).flatten(-2)


def _not_moved(found: Tensor, H: int) -> Any:
    return found.reshape(*found.shape[:-3], found.shape[-2], -1)


def _for_all_heads(may: Tensor) -> Any:
    return may if may.ndim == 2 else may.unsqueeze(-3)


def _same(first: Any, *others: Any) -> Any:
    return first


def _square_causal(scores: Tensor) -> Any:
    T = scores.shape[-2]
    past = torch.ones(T, T, dtype=torch.bool).tril()
    return scores.masked_fill(~past, -math.inf)


def _times(scores: Tensor, may: Any, share: Way) -> Any:
    return masks.inverted(masks.filled(-math.inf))(scores, may, share)


SPLIT = Step(name="split", right=_split, wrong={
    "SPLIT-VIEW": (_viewed,),
    "SPLIT-INTERLEAVE": (_interleaved,),
    "MHA-SPLITIN": (_split_before,),
    "MHA-ONEHEAD": (lambda x, w, H: (x @ w).unsqueeze(-3),),
})  # fmt: skip
SCALE = Step(name="scale", right=lambda x, q, H: q.shape[-1] ** -0.5, wrong={
    "MHA-SCALED": (lambda x, q, H: x.shape[-1] ** -0.5,
                   lambda x, q, H: (H * q.shape[-1]) ** -0.5),
    "SDPA-NOSCALE": (lambda x, q, H: 1.0,),
})  # fmt: skip
RESTRICT = Step(name="restrict", right=_same, wrong={"SDPA-CAUSAL": (_square_causal,)})
SPREAD = Step(name="spread", right=_for_all_heads, given="may_attend", wrong={
    "MHA-MASKHEAD": (_same,),
})  # fmt: skip
MASK = Step(name="mask", right=masks.filled(), given="may_attend", wrong={
    "MHA-MASKDROP": (Instead(masks.ignored, empty=masks.as_they_are, spread=_for_all_heads),),
    "SDPA-MASKINV": (Instead(_times, empty=masks.as_they_are),),
})  # fmt: skip
EMPTY = Step(name="empty", right=masks.zero_rows, given="may_attend", wrong={
    "SDPA-NANROW": (masks.nan_rows,),
    "SDPA-UNIFORMROW": (masks.equal_shares,),
})  # fmt: skip
MERGE = Step(name="merge", right=_merge, wrong={
    "MERGE-NOTRANSP": (_not_moved,),
    "MHA-AVG": (lambda found, H: _merge(found, H) / H,),
})  # fmt: skip
PROJECT = Step(name="project", right=lambda merged, w_o: merged @ w_o, wrong={
    "MHA-NOWO": (_same,),
    "MHA-WOT": (lambda merged, w_o: merged @ w_o.T,),
})  # fmt: skip
STEPS = Pipeline(
    compose=_layer,
    steps=(
        SPLIT, SCALE, RESTRICT, SPREAD, MASK, EMPTY, MERGE, PROJECT,
    ),
)  # fmt: skip


def _few(step: Step, *codes: str) -> Step:
    """Return a step with some of its wrong ways: self-attention's task names all of them."""
    kept = {code: step.wrong[code][:1] for code in codes}
    return Step(name=step.name, right=step.right, wrong=kept, given=step.given)


CROSS_STEPS = Pipeline(
    compose=_cross_layer,
    steps=(
        Step(name="sources", right=lambda x, context: (x, context, context), wrong={
            "QKV-CTXQ": (lambda x, context: (context, context, context),),
            "XATT-OUTS": (lambda x, context: (context, x, x),),
            "QKV-KX": (lambda x, context: (x, x, x), lambda x, context: (x, x, context)),
        }),
        _few(SPLIT, "SPLIT-VIEW"), _few(SCALE, "MHA-SCALED"),
        Step(name="restrict", right=_same, wrong={"MASK-SQUARE": (_square_causal,)}),
        _few(SPREAD), _few(MASK, "MHA-MASKDROP"), _few(EMPTY), _few(MERGE, "MERGE-NOTRANSP"),
        _few(PROJECT),
    ),
)  # fmt: skip
