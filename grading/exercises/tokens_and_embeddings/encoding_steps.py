"""The steps of encoding a piece, each as it is right, and as it goes wrong."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

from grading.steps import Pipeline, Step

__all__ = ["STEPS", "greedy", "in_the_order_of_the_dict", "in_walks", "one_sweep", "two_by_two"]

Ranks = dict[bytes, int]
Parts = list[bytes]


def _compose(do: Any) -> Any:
    def bpe_encode(piece: bytes, ranks: Ranks) -> list[int]:
        parts, rounds = do.symbols(piece), 0
        while do.goes_on(rounds):
            known = [at for at, (a, b) in enumerate(pairwise(parts)) if a + b in ranks]
            if not known:
                break
            at = do.choose(parts, known, ranks)
            parts = [*parts[:at], parts[at] + parts[at + 1], *parts[at + 2 :]]
            rounds += 1
        return [do.number(part, ranks) for part in parts]

    return bpe_encode


def _bytes(piece: bytes) -> Parts:
    return [bytes([byte]) for byte in piece]


def _characters(piece: bytes) -> Parts:
    return [character.encode() for character in piece.decode()]


def _always(rounds: int) -> bool:
    return True


def _union(parts: Parts, at: int) -> bytes:
    return parts[at] + parts[at + 1]


def _lowest(parts: Parts, known: list[int], ranks: Ranks) -> int:
    return min(known, key=lambda at: ranks[_union(parts, at)])


def _highest(parts: Parts, known: list[int], ranks: Ranks) -> int:
    return max(known, key=lambda at: ranks[_union(parts, at)])


def _last_of_the_highest(parts: Parts, known: list[int], ranks: Ranks) -> int:
    return max(known, key=lambda at: (ranks[_union(parts, at)], at))


def _last_of_the_lowest(parts: Parts, known: list[int], ranks: Ranks) -> int:
    return min(reversed(known), key=lambda at: ranks[_union(parts, at)])


def _leftmost(parts: Parts, known: list[int], ranks: Ranks) -> int:
    return known[0]


def _longest(parts: Parts, known: list[int], ranks: Ranks) -> int:
    """Prefer the longest token; of equally long ones the lowest rank."""
    return min(known, key=lambda at: (-len(_union(parts, at)), ranks[_union(parts, at)]))


def _most_frequent(parts: Parts, known: list[int], ranks: Ranks) -> int:
    counts = Counter(pairwise(parts))
    return max(known, key=lambda at: counts[parts[at], parts[at + 1]])


def _frequent_then_lowest(parts: Parts, known: list[int], ranks: Ranks) -> int:
    counts = Counter(pairwise(parts))
    return min(
        known, key=lambda at: (-counts[parts[at], parts[at + 1]], ranks[_union(parts, at)])
    )  # fmt: skip


def _by_the_halves(parts: Parts, known: list[int], ranks: Ranks) -> int:
    return min(known, key=lambda at: (ranks[parts[at]], ranks[parts[at + 1]]))


def _by_their_sum(parts: Parts, known: list[int], ranks: Ranks) -> int:
    return min(known, key=lambda at: ranks[parts[at]] + ranks[parts[at + 1]])


def _rank(part: bytes, ranks: Ranks) -> int:
    return ranks[part]


def _value(part: bytes, ranks: Ranks) -> int:
    return part[0] if len(part) == 1 else ranks[part]


STEPS = Pipeline(
    steps=(
        Step(name="symbols", right=_bytes, wrong={"BPE-CHARS": (_characters,)}),
        Step(name="goes_on", right=_always, wrong={
            "BPE-ONEPASS": (lambda rounds: rounds < 1,),
            "BPE-NOMERGE": (lambda rounds: False,)}),
        Step(name="choose", right=_lowest, wrong={
            "BPE-HIGHEST": (_highest, _last_of_the_highest), "BPE-LEFTMOST": (_leftmost,),
            "BPE-LONGESTPAIR": (_longest,),
            "BPE-FREQUENT": (_most_frequent, _frequent_then_lowest),
            "BPE-PARTRANK": (_by_the_halves, _by_their_sum),
            "BPE-RIGHTLEFT": (_last_of_the_lowest,)}),
        Step(name="number", right=_rank, wrong={"BPE-BYTEID": (_value,)}),
    ),
    compose=_compose,
)  # fmt: skip


def greedy(piece: bytes, ranks: Ranks) -> list[int]:
    """Take the longest token that fits, from the left on."""
    ids = []
    while piece:
        size = next(size for size in range(len(piece), 0, -1) if piece[:size] in ranks)
        ids.append(ranks[piece[:size]])
        piece = piece[size:]
    return ids


def one_sweep(piece: bytes, ranks: Ranks) -> list[int]:
    """Go through the piece once; a part grows as long as it makes a token with the next byte."""
    parts: Parts = []
    for byte in _bytes(piece):
        if parts and parts[-1] + byte in ranks:
            parts[-1] += byte
        else:
            parts.append(byte)
    return [ranks[part] for part in parts]


def in_the_order_of_the_dict(piece: bytes, ranks: Ranks) -> list[int]:
    """Try every token as the dict lists them."""
    parts = _bytes(piece)
    for token in ranks:
        at = 0
        while at < len(parts) - 1:
            if parts[at] + parts[at + 1] == token:
                parts[at : at + 2] = [token]
            at += 1
    return [ranks[part] for part in parts]


def two_by_two(piece: bytes, ranks: Ranks) -> list[int]:
    """Look at the first two parts, then at the next two, until nothing changes."""
    parts = _bytes(piece)
    while True:
        new: Parts = []
        for at in range(0, len(parts), 2):
            union = b"".join(parts[at : at + 2])
            new += [union] if union in ranks else parts[at : at + 2]
        if new == parts:
            return [ranks[part] for part in parts]
        parts = new


def in_walks(piece: bytes, ranks: Ranks) -> list[int]:
    """Walk to the right and merge what makes a token, and walk again until nothing does."""
    parts = _bytes(piece)
    while True:
        new: Parts = []
        at = 0
        while at < len(parts):
            union = b"".join(parts[at : at + 2])
            is_known = at + 1 < len(parts) and union in ranks
            new.append(union if is_known else parts[at])
            at += 1 + is_known
        if new == parts:
            return [ranks[part] for part in parts]
        parts = new
