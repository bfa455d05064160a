"""The steps of attention with turned queries and keys, and under which code each goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grading.exercises.positions.rotation_steps import STEPS as TURNS
from grading.exercises.positions.rotation_steps import rotation
from grading.late import Tensor, torch
from grading.steps import Pipeline, Step

__all__ = ["MORE", "STEPS"]

Way = Callable[..., Any]


def _read(do: Any) -> Way:
    """Put the steps in a row."""

    def rope_attention(
        x: Tensor,
        w_q: Tensor,
        w_k: Tensor,
        w_v: Tensor,
        H: int,
        positions: Tensor,
        base: float = 10000.0,
    ) -> Any:
        q, k, v = (do.split(x @ w, H) for w in (w_q, w_k, w_v))

        def turned(rows: Tensor) -> Any:
            return do.turn(rows, do.positions(positions), do.base(base), H)

        q, k, v = do.turned(q, k, v, turned)
        scores = do.restrict(q @ k.mT * do.scale(x, q))
        return scores.softmax(-1) @ v

    return rope_attention


def _split(rows: Tensor, H: int) -> Any:
    return torch.unflatten(rows, -1, (H, -1)).transpose(-3, -2)


def _viewed(rows: Tensor, H: int) -> Any:
    return rows.reshape(*rows.shape[:-2], H, rows.shape[-2], rows.shape[-1] // H)


def _each_head(rows: Tensor, positions: Tensor, base: float, H: int) -> Any:
    return rotation()(rows, positions, base)


def _across_heads(rows: Tensor, positions: Tensor, base: float, H: int) -> Any:
    """Turn each head by its number, as where heads stand in the place of positions."""
    heads_last = rows.transpose(-3, -2)
    return rotation()(heads_last, torch.arange(H), base).transpose(-3, -2)


def _along_heads(rows: Tensor, positions: Tensor, base: float, H: int) -> Any:
    """Turn rows that still have heads behind positions: it fits where both are as many."""
    return rotation()(rows.transpose(-3, -2), positions, base).transpose(-3, -2)


def _whole_rows(rows: Tensor, positions: Tensor, base: float, H: int) -> Any:
    whole = rows.transpose(-3, -2).flatten(-2)
    return _split(rotation()(whole, positions, base), H)


def _turned_by(turn: Way) -> Way:
    return lambda rows, positions, base, H: turn(rows, positions, base)


def _square_causal(scores: Tensor) -> Any:
    T = scores.shape[-2]
    return scores.masked_fill(torch.ones(T, T, dtype=torch.bool).triu(1), -torch.inf)


STEPS = Pipeline(
    compose=_read,
    steps=(
        Step(name="split", right=_split, wrong={"SPLIT-VIEW": (_viewed,)}),
        Step(name="positions", right=lambda positions: positions, wrong={
            "ROPE-IGNOREPOS": (lambda positions: torch.arange(len(positions)),)}),
        Step(name="base", right=lambda base: base),
        Step(name="turn", right=_each_head, wrong={
            "ROPE-BEFORESPLIT": (_whole_rows,),
        }),
        Step(name="turned", right=lambda q, k, v, turned: (turned(q), turned(k), v), wrong={
            "ROPE-ONV": (lambda q, k, v, turned: (turned(q), turned(k), turned(v)),),
            "ROPE-ONEK": (lambda q, k, v, turned: (turned(q), k, v),),
        }),
        Step(name="scale", right=lambda x, q: q.shape[-1] ** -0.5, wrong={
            "SDPA-NOSCALE": (lambda x, q: 1.0,),
            "MHA-SCALED": (lambda x, q: x.shape[-1] ** -0.5,),
        }),
        Step(name="restrict", right=lambda scores: scores),
    ),
)  # fmt: skip


def _reading(**steps: Way) -> Way:
    return STEPS.answer(steps)


#: More ways of the same mistakes, and mistakes that are seldom made beside another: no products.
MORE: dict[str, tuple[Way, ...]] = {
    "ROPE-BASE": (_reading(base=lambda base: 10000.0),),
    "SDPA-CAUSAL": (_reading(restrict=_square_causal),),
    "ROPE-AXIS": (_reading(turn=_along_heads),),
    "ROPE-INTERLEAVE": (_reading(turn=_turned_by(TURNS.wrong("ROPE-INTERLEAVE")[0])),),
    "ROPE-SIGN": (_reading(turn=_turned_by(TURNS.wrong("ROPE-SIGN")[0])),),
    "ROPE-NONE": (
        _reading(turned=lambda q, k, v, turned: (q, k, v)), _reading(turn=_across_heads),
    ),
    "ROPE-ONEK": (_reading(turned=lambda q, k, v, turned: (q, turned(k), v)),),
    "MHA-SCALED": (_reading(scale=lambda x, q: (q.shape[-3] * q.shape[-1]) ** -0.5),),
}  # fmt: skip
