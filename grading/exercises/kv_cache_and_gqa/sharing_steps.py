"""The steps of attention whose heads share keys, and under which code each is done wrongly."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from grading.exercises.shared import attention_masks as masks
from grading.late import Tensor, torch
from grading.steps import Instead, Pipeline, Step

__all__ = ["MORE", "STEPS", "sharing"]

Way = Callable[..., Any]


def _share(do: Any) -> Way:
    """Put the steps in a row: bring keys to the heads that read them, then read."""

    def grouped_query_attention(
        query: Tensor, key: Tensor, value: Tensor, may_attend: Any = None
    ) -> Any:
        q = do.ask(query, key)
        R = q.shape[1] // key.shape[1]
        k, v = do.keys(key, R), do.values(value, R)
        scores = q @ k.mT * do.scale(q, query, value)
        if may_attend is None:
            weights = scores.softmax(-1)
        else:
            weights = do.mask(scores, may_attend, _softmax)
            weights = do.empty(weights, scores, may_attend, _softmax)
        return do.give(weights @ v, query, key)

    return grouped_query_attention


def _softmax(scores: Tensor) -> Tensor:
    return scores.softmax(-1)


def _in_blocks(shared: Tensor, R: int) -> Any:
    return shared.repeat_interleave(R, 1)


def _tiled(shared: Tensor, R: int) -> Any:
    return shared.repeat(1, R, 1, 1)


def _first(shared: Tensor, R: int) -> Any:
    return shared[:, :1].expand(-1, shared.shape[1] * R, -1, -1)


def _mean(shared: Tensor, R: int) -> Any:
    return shared.mean(1, keepdim=True)


def _clamped(shared: Tensor, R: int) -> Any:
    """Read head min(h, G − 1), as where only the last head is repeated."""
    G = shared.shape[1]
    return shared[:, [min(h, G - 1) for h in range(G * R)]]


def _by_groups(shared: Tensor, R: int) -> Any:
    """Read head h / G, cut off, in the place of h / R."""
    G = shared.shape[1]
    return shared[:, [h // G for h in range(G * R)]]


def _along(axis: int) -> Way:
    return lambda shared, R: shared.repeat_interleave(R, axis)


def _averaged(query: Tensor, key: Tensor) -> Any:
    return torch.unflatten(query, 1, (key.shape[1], -1)).mean(2)


def _as_many(query: Tensor, key: Tensor) -> Any:
    return query[:, : key.shape[1]]


def _spread(output: Tensor, query: Tensor, key: Tensor) -> Any:
    return output.repeat_interleave(query.shape[1] // key.shape[1], 1)


def _other_order(output: Tensor, query: Tensor, key: Tensor) -> Any:
    """Return the groups' first heads, then their second ones."""
    return torch.unflatten(output, 1, (key.shape[1], -1)).transpose(1, 2).flatten(1, 2)


STEPS = Pipeline(
    compose=_share,
    steps=(
        Step(name="ask", right=lambda query, key: query),
        Step(name="keys", right=_in_blocks, wrong={
            "GQA-TILE": (Instead(_tiled, values=_tiled),),
            "GQA-FIRST": (Instead(_first, values=_first),),
            "GQA-TORN": (_tiled,),
        }),
        Step(name="values", right=_in_blocks),
        Step(name="scale", right=lambda q, query, value: q.shape[-1] ** -0.5, wrong={
            "SDPA-NOSCALE": (lambda q, query, value: 1.0,),
            "MHA-SCALED": (lambda q, query, value: (q.shape[1] * q.shape[-1]) ** -0.5,),
        }),
        Step(name="mask", right=masks.filled(), given="may_attend", wrong={
            "SDPA-MASKNONE": (Instead(masks.ignored, empty=masks.as_they_are),),
            "SDPA-MASKINV": (
                Instead(masks.inverted(masks.filled()), empty=masks.as_they_are),
                Instead(masks.inverted(masks.filled(-math.inf)), empty=masks.as_they_are),
            ),
        }),
        Step(name="empty", right=masks.zero_rows, given="may_attend", wrong={
            "SDPA-NANROW": (masks.nan_rows,),
            "SDPA-UNIFORMROW": (masks.equal_shares,),
        }),
        Step(name="give", right=lambda output, query, key: output, wrong={
            "GQA-ORDER": (_other_order,),
        }),
    ),
)  # fmt: skip


def sharing(**steps: Way) -> Way:
    """Return attention with shared keys in which some steps are done in another way."""
    return STEPS.answer(steps)


def _both(way: Way) -> Way:
    return sharing(keys=way, values=way)


#: More ways of the same mistakes, and mistakes that are seldom made beside another: no products.
MORE: dict[str, tuple[Way, ...]] = {
    "GQA-TORN": (sharing(values=_tiled),),
    "GQA-DIVG": (_both(_by_groups),),
    "GQA-ONEMEAN": (_both(_mean),),
    "GQA-LAST": (_both(_clamped),),
    "GQA-AXIS": (_both(_along(2)), _both(_along(0))),
    "GQA-TRUNC": (sharing(ask=_as_many),),
    "GQA-MEAN": (sharing(ask=_averaged), sharing(ask=_averaged, give=_spread)),
    "GQA-KEYSALONE": (sharing(keys=_mean), sharing(keys=_first)),
}  # fmt: skip
