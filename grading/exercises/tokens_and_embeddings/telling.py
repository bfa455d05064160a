"""Tokens and merges as numbers that are compared, and in words that a person reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from grading.exercise import Seen, Tolerance

__all__ = [
    "BYTE_IDS",
    "EXACT",
    "ids_in_words",
    "ids_of_merges",
    "merges_in_words",
    "pairs_of",
    "pieces_in_words",
]

#: An id is right or wrong.
EXACT = Tolerance(rtol=0.0, atol=0.001)


def _visible(byte: int) -> bool:
    return chr(byte).isprintable() and chr(byte) != " "


#: The ids of the bytes, as in the library's BYTE_RANKS: what Latin-1 shows comes first.
BYTE_IDS = {
    bytes([byte]): number
    for number, byte in enumerate(sorted(range(256), key=lambda byte: not _visible(byte)))
}
#: What no earlier merge has made.
UNKNOWN = -1


def pairs_of(merges: Any) -> list[tuple[bytes, bytes]]:
    """Return merges as pairs of bytes; texts by their bytes.

    Raises:
        TypeError: if they are something else.
    """
    found = []
    for left, right in merges:
        found.append((_as_bytes(left), _as_bytes(right)))
    return found


def _as_bytes(token: Any) -> bytes:
    if not isinstance(token, bytes | str):
        raise TypeError("a merge joins bytes")
    return token.encode() if isinstance(token, str) else token


def ids_of_merges(one: Seen) -> tuple[Any, ...]:
    """Return both ids of each merge, as a vocabulary numbers them that grows by these merges."""
    ids, rows = dict(BYTE_IDS), []
    for left, right in pairs_of(one.outputs[0]):
        rows.append([float(ids.get(left, UNKNOWN)), float(ids.get(right, UNKNOWN))])
        ids.setdefault(left + right, len(ids))
    return (np.array(rows).reshape(-1, 2),)


def merges_in_words(mine: Seen, right: Seen) -> str | None:
    """Say which merge is the first that is wrong, or that there are too few or too many."""
    learnt, wanted = mine.outputs[0], right.outputs[0]
    for number, (one, truth) in enumerate(zip(learnt, wanted, strict=False)):
        if tuple(one) != truth:
            before = "" if number else " Nothing has been merged before it."
            return f"Merge {number} joins {_joined(one)}; it has to join {_joined(truth)}.{before}"
    if len(learnt) < len(wanted):
        more = "what is there is right" if learnt else "there is none"
        return (
            f"{len(learnt)} merges came back, and {len(wanted)} can be learnt: {more}. The next "
            f"one joins {_joined(wanted[len(learnt)])}."
        )
    if len(learnt) > len(wanted):
        return (
            f"{len(learnt)} merges came back, and {len(wanted)} are right. Merge {len(wanted)} "
            f"joins {_joined(learnt[len(wanted)])}."
        )
    return None


def _joined(merge: Sequence[Any]) -> str:
    return f"{merge[0]!r} and {merge[1]!r}"


def ids_in_words(mine: Seen, right: Seen) -> str | None:
    """Say which ids came back, and which have to."""
    came, wanted = mine.outputs[0], right.outputs[0]
    return None if came == wanted else f"Yours is {came}; it has to be {wanted}."


def pieces_in_words(mine: Seen, right: Seen) -> str | None:
    """Say how an answer cuts a piece, and how it has to be cut."""
    cut, wanted = mine.outputs[0], right.outputs[0]
    if cut == wanted:
        return None
    names = {rank: token for token, rank in mine.inputs["ranks"].items()}
    return f"Your ids are {_cut(cut, names)}; they have to be {_cut(wanted, names)}."


def _cut(ids: Sequence[Any], names: dict[int, bytes]) -> str:
    tokens = " ".join(repr(names[one]) if one in names else "?" for one in ids)
    return f"{list(ids)}, which is {tokens or 'nothing'}"
