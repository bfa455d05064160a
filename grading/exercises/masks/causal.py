"""causal_mask: no query reads a later position, and the last query sits at the last key."""

from __future__ import annotations

from typing import Any

from grading.exercise import Answer, Exercise, LeftOut, Misconception, Output, Probe
from grading.late import Tensor, late, torch

__all__ = ["CAUSAL_MASK"]

library = late("course_lib.masks")


def _sizes(name: str, T: int, S: Any) -> Probe:
    letters = {"T": T} if S is None or isinstance(S, LeftOut) else {"T": T, "S": S}
    return Probe(name=name, draw=lambda generator: {"T": T, "S": S}, sizes=letters)


def _edge(name: str, T: int, S: int) -> Probe:
    return Probe(name=name, draw=lambda generator: {"T": T, "S": S}, edge=True)


def _lower(T: int, S: int, diagonal: int) -> Tensor:
    return torch.ones(T, S, dtype=torch.bool).tril(diagonal)


def _with(diagonal: Any) -> Answer:
    """Return a mask whose last readable key lies so far right of the query's number."""

    def causal_mask(T: int, S: Any) -> Tensor:
        S = T if S is None else S
        return _lower(T, S, diagonal(T, S))

    return causal_mask


def _square(T: int, S: Any) -> Tensor:
    return _lower(T, T, 0)


def _square_of_keys(T: int, S: Any) -> Tensor:
    S = T if S is None else S
    return _lower(S, S, 0)


def _turned(mask: Answer) -> Answer:
    return lambda T, S: mask(T, S).mT


def _inverted(T: int, S: Any) -> Tensor:
    S = T if S is None else S
    return ~_lower(T, S, S - T)


def _future(T: int, S: Any) -> Tensor:
    S = T if S is None else S
    return torch.ones(T, S, dtype=torch.bool).triu(S - T)


def _all(T: int, S: Any) -> Tensor:
    return torch.ones(T, T if S is None else S, dtype=torch.bool)


def _by_positions(T: int, S: Any = None) -> Tensor:
    S = T if S is None else S
    return torch.arange(S) <= torch.arange(S - T, S)[:, None]


def _last_rows(T: int, S: Any = None) -> Tensor:
    """Take the last T rows of the whole square, or put empty rows above it."""
    S = T if S is None else S
    whole = torch.ones(S, S).tril().bool()
    above = torch.zeros(max(T - S, 0), S, dtype=torch.bool)
    return torch.cat([above, whole])[-T:]


def _row_by_row(T: int, S: Any = None) -> Tensor:
    S = T if S is None else S
    return torch.tensor([[s - S <= t - T for s in range(S)] for t in range(T)])


CAUSAL_MASK = Exercise(
    name="causal_mask", slug="masks", task="causal", title="A causal mask", kind="implement",
    points=0.5, difficulty=1, importance=3, minutes=15, parameters=("T", "S"),
    defaults={"S": None}, outputs=(Output(name="may_attend", axes="T S", dtype="bool"),),
    reference=lambda T, S: library.causal_mask(T, S), equation="eq-causal-mask",
    part="course_lib.masks.causal_mask",
    next_rung="With T = 1 it is one row of True: the newest token reads all that came before.",
    probes=(
        _sizes("4 queries, S left out", 4, LeftOut()),
        _sizes("5 queries, S=None", 5, None),
        _sizes("3 queries, 7 keys", 3, 7),
        _sizes("6 queries, 4 keys", 6, 4),
        _sizes("2 queries, 9 keys", 2, 9),
        _edge("1 query, 5 keys", 1, 5),
        _edge("3 queries, 3 keys", 3, 3),
        _edge("3 queries, 1 key", 3, 1),
    ),
    misconceptions=(
        Misconception(code="MASK-STRICT", wrong=_with(lambda T, S: S - T - 1), sentence=(
            "A query does not read its own position. Causal forbids what comes later; position t "
            "itself is known when t is asked.")),
        Misconception(code="MASK-OFF1", wrong=_with(lambda T, S: S - T + 1), sentence=(
            "Each query reads one position too many, the next one. That is the token which a model "
            "has to predict.")),
        Misconception(code="MASK-FUTURE", wrong=_future, also=(
            _inverted, _turned(_with(lambda T, S: S - T)), _turned(_with(lambda T, S: 0))),
            sentence=(
            "True stands on the wrong side of the diagonal: what is later is allowed and what is "
            "earlier is not. True means that a key may be read, row t belongs to query t, and a "
            "query may read what came before it.")),
        Misconception(code="MASK-TOPLEFT", wrong=_with(lambda T, S: 0), sentence=(
            "The first query sits at the first key. With a cache the T queries are the last of S "
            "positions: a single new token would read the first key alone. Let the last query sit "
            "at the last key.")),
        Misconception(code="MASK-AWAY", wrong=_with(lambda T, S: T - S), sentence=(
            "The diagonal is moved by T − S, the wrong way. With more keys than queries, every "
            "query has earlier keys to read, S − T of them before its own number.")),
        Misconception(code="MASK-CLAMP", wrong=_with(lambda T, S: max(S - T, 0)), sentence=(
            "Where there are more queries than keys the mask starts at the top left again. The "
            "last query still sits at the last key, and the first T − S have nothing to read.")),
        Misconception(code="MASK-SQUARE", wrong=_square, also=(_square_of_keys,), sentence=(
            "The mask is square. It has one row a query and one column a key, T × S, and with a "
            "cache there are more keys than queries.")),
        Misconception(code="MASK-ALL", wrong=_all, sentence=(
            "Everything is allowed, also what lies ahead.")),
    ),
    alternatives=(_by_positions, _last_rows, _row_by_row),
)  # fmt: skip
