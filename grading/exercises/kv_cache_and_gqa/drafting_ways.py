"""How drafted tokens are kept or refused, rightly and in the ways that people take instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grading.late import Tensor

__all__ = ["WAYS", "accepting"]

Way = Callable[..., Any]


def _keeps(u: float, p: float, q: float, row: Tensor, token: int) -> bool:
    return u * q < p


def _residual(p: Tensor, q: Tensor) -> Tensor:
    left = (p - q).clamp(min=0)
    return left / left.sum()


def _drawn(probs: Tensor, u: float) -> int:
    """Return the first token whose cumulative probability is above u; the last one at the end."""
    above = (probs.cumsum(-1) > u).nonzero()
    return int(above[0]) if len(above) else len(probs) - 1


def _last(uniform: Tensor, i: int) -> float:
    return float(uniform[-1])


def accepting(
    *, keeps: Way = _keeps, left: Way = _residual, draw: Way = _drawn, which: Way = _last,
    row: Way = lambda i: i, bonus: bool = True, replace: bool = True, goes_on: bool = False,
    bonus_row: int = -1,
) -> Way:  # fmt: skip
    """Return a way to keep or refuse drafted tokens.

    Args:
        keeps: whether a token is kept: the number, both probabilities, the target's row, the token.
        left: what a refused token is replaced from, of the two rows.
        draw: how a token is drawn from a row by a number.
        which: the number that a refusal draws by.
        row: the target's row for a drafted token.
        bonus: whether one more token follows where all are kept.
        replace: whether a refused token is replaced.
        goes_on: whether the walk goes on behind a refusal.
        bonus_row: the target's row for the last token.
    """

    def accept_draft(
        draft_probs: Tensor, target_probs: Tensor, draft: Tensor, uniform: Tensor
    ) -> list[int]:
        tokens: list[int] = []
        for i, token in enumerate(draft.tolist()):
            p, q = target_probs[row(i)], draft_probs[i]
            if keeps(float(uniform[i]), float(p[token]), float(q[token]), p, token):
                tokens.append(token)
                continue
            if replace:
                tokens.append(draw(left(p, q), which(uniform, i)))
            if not goes_on:
                return tokens
        if bonus:
            tokens.append(draw(target_probs[bonus_row], float(uniform[-1])))
        return tokens

    return accept_draft


def _likeliest(probs: Tensor, u: float) -> int:
    return int(probs.argmax())


def _is_likeliest(u: float, p: float, q: float, row: Tensor, token: int) -> bool:
    return int(row.argmax()) == token


def _everything(
    draft_probs: Tensor, target_probs: Tensor, draft: Tensor, uniform: Tensor
) -> list[int]:
    """Keep all drafted tokens."""
    return [*draft.tolist(), _drawn(target_probs[-1], float(uniform[-1]))]


#: The wrong functions of each mistake, the first one the plainest.
WAYS: dict[str, tuple[Way, ...]] = {
    "SPEC-RATIO": (accepting(keeps=lambda u, p, q, row, token: u * p < q),),
    "SPEC-TARGETU": (accepting(keeps=lambda u, p, q, row, token: u < p),),
    "SPEC-DRAFTU": (accepting(keeps=lambda u, p, q, row, token: u < q),),
    "SPEC-NOCHANCE": (accepting(keeps=lambda u, p, q, row, token: p >= q),),
    "SPEC-COMPLEMENT": (accepting(keeps=lambda u, p, q, row, token: u * q >= p),
                        accepting(keeps=lambda u, p, q, row, token: (1 - u) * q < p)),
    "SPEC-ALL": (_everything, lambda draft_probs, target_probs, draft, uniform: draft.tolist()),
    "SPEC-GREEDY": (
        accepting(keeps=_is_likeliest, left=lambda p, q: p, draw=_likeliest),
        accepting(keeps=_is_likeliest, left=lambda p, q: p),
        accepting(keeps=_is_likeliest),
    ),
    "SPEC-RESAMPLE": (accepting(left=lambda p, q: p),),
    "SPEC-UNNORM": (accepting(left=lambda p, q: (p - q).clamp(min=0)),),
    "SPEC-ABS": (accepting(left=lambda p, q: (p - q).abs() / (p - q).abs().sum()),),
    "SPEC-EXCHANGED": (accepting(left=lambda p, q: _residual(q, p)),),
    "SPEC-FROMDRAFT": (accepting(left=lambda p, q: q),),
    "SPEC-LIKELIEST": (accepting(draw=_likeliest),),
    "SPEC-SAMEU": (accepting(which=lambda uniform, i: float(uniform[i])),),
    "SPEC-NEXTU": (accepting(which=lambda uniform, i: float(uniform[i + 1])),),
    "SPEC-NOREPLACE": (accepting(replace=False),),
    "SPEC-NOBONUS": (accepting(bonus=False),),
    "SPEC-BONUSROW": (accepting(bonus_row=-2),),
    "SPEC-GOON": (accepting(goes_on=True), accepting(goes_on=True, replace=False),
                  accepting(goes_on=True, bonus=False)),
    "SPEC-LATEROW": (accepting(row=lambda i: i + 1),),
    "SPEC-AFTER": (accepting(draw=lambda probs, u: min(_drawn(probs, u) + 1, len(probs) - 1)),
                   accepting(draw=lambda probs, u: max(_drawn(probs, u) - 1, 0))),
}  # fmt: skip
