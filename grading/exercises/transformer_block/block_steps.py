"""The steps of a block of today's decoders, and under which code each is done wrongly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grading.exercises.shared import attention_masks as masks
from grading.late import Tensor, torch
from grading.steps import Pipeline, Step

__all__ = ["STEPS", "arranged", "with_attention", "with_network", "with_norms"]

Way = Callable[..., Any]


def _block(do: Any) -> Way:
    """Put the steps in a row: norms, attention, network, and how they are arranged."""

    def block(
        x: Tensor, g_1: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, g_2: Tensor,
        w_gate: Tensor, w_up: Tensor, w_down: Tensor, H: int, may_attend: Any = None,
        eps: float = 1e-6,
    ) -> Any:  # fmt: skip
        norm_1, norm_2 = (
            lambda rows, g=g: do.norm(rows, g, eps) for g in do.gains(g_1, g_2)
        )  # fmt: skip

        def attend(queries: Tensor, read: Tensor | None = None) -> Any:
            source = queries if read is None else read
            q, k, v = (_split(rows @ w, H) for rows, w in (
                (queries, w_q), (source, w_k), (source, w_v)))  # fmt: skip
            scores = q @ k.mT * do.scale(q, x)
            if may_attend is None:
                return do.merge(scores.softmax(-1) @ v) @ w_o
            may = do.spread(may_attend)
            weights = do.empty(do.mask(scores, may, _softmax), scores, may, _softmax)
            return do.merge(weights @ v) @ w_o

        def think(rows: Tensor) -> Any:
            return do.think(rows, w_gate, w_up, w_down)

        return do.arrange(x, norm_1, attend, norm_2, think)

    return block


def _softmax(scores: Tensor) -> Tensor:
    return scores.softmax(-1)


def _split(rows: Tensor, H: int) -> Any:
    return torch.unflatten(rows, -1, (H, -1)).transpose(-3, -2)


def _merge(found: Tensor) -> Tensor:
    return found.transpose(-3, -2).flatten(-2)


def _rms(x: Tensor, g: Tensor, eps: float) -> Tensor:
    return x * (x.square().mean(-1, keepdim=True) + eps).rsqrt() * g


def _eps_outside(x: Tensor, g: Tensor, eps: float) -> Tensor:
    return x / (x.square().mean(-1, keepdim=True).sqrt() + eps) * g


def _swiglu(x: Tensor, w_gate: Tensor, w_up: Tensor, w_down: Tensor) -> Tensor:
    return torch.nn.functional.silu(x @ w_gate) * (x @ w_up) @ w_down


def _exchanged(x: Tensor, w_gate: Tensor, w_up: Tensor, w_down: Tensor) -> Tensor:
    return _swiglu(x, w_up, w_gate, w_down)


def _for_all_heads(may: Tensor) -> Tensor:
    return may if may.ndim == 2 else may.unsqueeze(-3)


# -- how the two halves are arranged ---------------------------------------------------------------


def _pre_norm(x: Tensor, norm_1: Way, attend: Way, norm_2: Way, think: Way) -> Any:
    h = x + attend(norm_1(x))
    return h + think(norm_2(h))


def _post_norm(x: Tensor, norm_1: Way, attend: Way, norm_2: Way, think: Way) -> Any:
    h = norm_1(x + attend(x))
    return norm_2(h + think(h))


def _from_the_normed(x: Tensor, norm_1: Way, attend: Way, norm_2: Way, think: Way) -> Any:
    n = norm_1(x)
    h = n + attend(n)
    m = norm_2(h)
    return m + think(m)


def _x_again(x: Tensor, norm_1: Way, attend: Way, norm_2: Way, think: Way) -> Any:
    return x + think(norm_2(x + attend(norm_1(x))))


#: Steps with one wrong way under each code: what else carries a code stands in `block.py`.
STEPS = Pipeline(
    compose=_block,
    steps=(
        Step(name="arrange", right=_pre_norm, wrong={
            "BLK-POST": (_post_norm,),
            "BLK-NORMRES": (_from_the_normed,),
            "BLK-XAGAIN": (_x_again,),
        }),
        Step(name="gains", right=lambda g_1, g_2: (g_1, g_2), wrong={
            "BLK-SHARENORM": (lambda g_1, g_2: (g_1, g_1),),
        }),
        Step(name="norm", right=_rms, wrong={
            "RMS-EPSOUT": (_eps_outside,),
        }),
        Step(name="think", right=_swiglu, wrong={"SWI-GATESWAP": (_exchanged,)}),
        Step(name="scale", right=lambda q, x: q.shape[-1] ** -0.5, wrong={
            "MHA-SCALED": (lambda q, x: x.shape[-1] ** -0.5,),
        }),
        Step(name="spread", right=_for_all_heads, given="may_attend"),
        Step(name="mask", right=masks.filled(), given="may_attend", wrong={
            "MHA-MASKDROP": (masks.ignored,),
        }),
        Step(name="empty", right=masks.zero_rows, given="may_attend", wrong={
            "SDPA-NANROW": (masks.nan_rows,),
        }),
        Step(name="merge", right=_merge),
    ),
)  # fmt: skip


def arranged(arrange: Way) -> Way:
    """Return the block in which the halves are arranged in another way."""
    return STEPS.answer({"arrange": arrange})


def with_norms(norm: Way | None = None, gains: Way | None = None) -> Way:
    """Return the block with another norm, or with its gains elsewhere."""
    ways = {"norm": norm, "gains": gains}
    return STEPS.answer({name: way for name, way in ways.items() if way is not None})


def with_network(think: Way) -> Way:
    """Return the block with another feed-forward network."""
    return STEPS.answer({"think": think})


def with_attention(**ways: Way) -> Way:
    """Return the block with another step of its attention."""
    return STEPS.answer(ways)
