"""How drafted tokens are kept or refused, rightly and in the ways that people take instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grading.late import Tensor
from grading.steps import Pipeline, Step

__all__ = ["MORE", "STEPS", "accepting"]

Way = Callable[..., Any]


def _accept(do: Any) -> Way:
    """Put the steps in a row: keep, replace what is refused, go on or stop, add one."""

    def accept_draft(
        draft_probs: Tensor, target_probs: Tensor, draft: Tensor, uniform: Tensor
    ) -> list[int]:
        tokens: list[int] = []
        for i, token in enumerate(draft.tolist()):
            p, q = target_probs[do.row(i)], draft_probs[i]
            if do.keeps(float(uniform[i]), float(p[token]), float(q[token]), p, token):
                tokens.append(token)
                continue
            tokens += do.replaced(do.draw(do.left(p, q, token), do.which(uniform, i)))
            if not do.goes_on(i):
                return tokens
        return [*tokens, *do.bonus(do.draw(target_probs[do.last()], float(uniform[-1])))]

    return accept_draft


def _residual(p: Tensor, q: Tensor, token: int) -> Tensor:
    left = (p - q).clamp(min=0)
    return left / left.sum()


def _drawn(probs: Tensor, u: float) -> int:
    """Return the first token whose cumulative probability is above u; the last one at the end."""
    above = (probs.cumsum(-1) > u).nonzero()
    return int(above[0]) if len(above) else len(probs) - 1


def _one(token: int) -> list[int]:
    return [token]


def _none(token: int) -> list[int]:
    return []


STEPS = Pipeline(
    compose=_accept,
    steps=(
        Step(name="row", right=lambda i: i),
        Step(name="keeps", right=lambda u, p, q, row, token: u * q < p, wrong={
            "SPEC-RATIO": (lambda u, p, q, row, token: u * p < q,),
            "SPEC-TARGETU": (lambda u, p, q, row, token: u < p,),
        }),
        Step(name="left", right=_residual, wrong={
            "SPEC-RESAMPLE": (lambda p, q, token: p,),
            "SPEC-UNNORM": (lambda p, q, token: (p - q).clamp(min=0),),
        }),
        Step(name="draw", right=_drawn),
        Step(name="which", right=lambda uniform, i: float(uniform[-1])),
        Step(name="replaced", right=_one),
        Step(name="goes_on", right=lambda i: False, wrong={"SPEC-GOON": (lambda i: True,)}),
        Step(name="last", right=lambda: -1),
        Step(name="bonus", right=_one, wrong={"SPEC-NOBONUS": (_none,)}),
    ),
)  # fmt: skip


def accepting(**steps: Way) -> Way:
    """Return the rule in which some steps are done in another way."""
    return STEPS.answer(steps)


def _likeliest(probs: Tensor, u: float) -> int:
    return int(probs.argmax())


def _is_likeliest(u: float, p: float, q: float, row: Tensor, token: int) -> bool:
    return int(row.argmax()) == token


def _target(p: Tensor, q: Tensor, token: int) -> Tensor:
    return p


def _apart(p: Tensor, q: Tensor, token: int) -> Tensor:
    return (p - q).abs() / (p - q).abs().sum()


def _without_the_token(p: Tensor, q: Tensor, token: int) -> Tensor:
    """Take the refused token alone out of the target."""
    left = p.clone()
    left[token] = 0.0
    return left / left.sum()


def _everything(
    draft_probs: Tensor, target_probs: Tensor, draft: Tensor, uniform: Tensor
) -> list[int]:
    """Keep all drafted tokens, and add one."""
    return [*draft.tolist(), _drawn(target_probs[-1], float(uniform[-1]))]


def _in_place(
    draft_probs: Tensor, target_probs: Tensor, draft: Tensor, uniform: Tensor
) -> list[int]:
    """Write the difference over the target's rows."""
    tokens: list[int] = accepting()(draft_probs, target_probs, draft, uniform)
    kept = len(tokens) - 1
    if kept < len(draft):
        target_probs[kept] = (target_probs[kept] - draft_probs[kept]).clamp(min=0)
    return tokens


#: More mistakes, and more ways of the same ones: no products.
MORE: dict[str, tuple[Way, ...]] = {
    "SPEC-DRAFTU": (accepting(keeps=lambda u, p, q, row, token: u < q),),
    "SPEC-NOCHANCE": (accepting(keeps=lambda u, p, q, row, token: p >= q),),
    "SPEC-COMPLEMENT": (
        accepting(keeps=lambda u, p, q, row, token: u * q >= p),
        accepting(keeps=lambda u, p, q, row, token: (1 - u) * q < p),
    ),
    "SPEC-ALL": (_everything, lambda draft_probs, target_probs, draft, uniform: draft.tolist()),
    "SPEC-GREEDY": (
        accepting(keeps=_is_likeliest, left=_target, draw=_likeliest),
        accepting(keeps=_is_likeliest, left=_target), accepting(keeps=_is_likeliest),
    ),
    "SPEC-ABS": (accepting(left=_apart),),
    "SPEC-EXCHANGED": (accepting(left=lambda p, q, token: _residual(q, p, token)),),
    "SPEC-FROMDRAFT": (accepting(left=lambda p, q, token: q),),
    "SPEC-ZEROED": (accepting(left=_without_the_token),),
    "SPEC-LIKELIEST": (accepting(draw=_likeliest),),
    "SPEC-SAMEU": (accepting(which=lambda uniform, i: float(uniform[i])),),
    "SPEC-NEXTU": (accepting(which=lambda uniform, i: float(uniform[i + 1])),),
    "SPEC-NOREPLACE": (accepting(replaced=_none),),
    "SPEC-BONUSROW": (accepting(last=lambda: -2),),
    "SPEC-GOON": (accepting(goes_on=lambda i: True, replaced=_none),),
    "SPEC-LATEROW": (accepting(row=lambda i: i + 1),),
    "SPEC-AFTER": (
        accepting(draw=lambda probs, u: min(_drawn(probs, u) + 1, len(probs) - 1)),
        accepting(draw=lambda probs, u: max(_drawn(probs, u) - 1, 0)),
    ),
    "SPEC-INPLACE": (_in_place,),
}  # fmt: skip
