"""The steps of learning merges, each as it is right, and as it goes wrong."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

from grading.exercises.tokens_and_embeddings.telling import BYTE_IDS
from grading.late import late
from grading.steps import Instead, Pipeline, Step

__all__ = [
    "DEFAULT", "STEPS", "Counts", "Pair", "Word", "best", "every_position", "found", "in_bytes",
    "number_of",
]  # fmt: skip

regex = late("regex")

Pair = tuple[bytes, bytes]
Word = list[bytes]
Words = list[tuple[Word, int]]
Counts = Counter[Pair]


class _Called(str):
    """A text that a message calls by its name."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "GPT2_PATTERN"


#: The pattern of the contract; the tests compare it with the library's.
DEFAULT = _Called(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")


def _compose(do: Any) -> Any:
    def bpe_train(text: str, merges: int, pattern: str = DEFAULT) -> list[Pair]:
        words = do.frequencies([do.symbols(piece) for piece in do.pieces(text, pattern)])
        ids = dict(BYTE_IDS)
        learnt: list[Pair] = []
        while len(learnt) < merges:
            counts = do.count(words)
            if not do.goes_on(counts):
                break
            left, right = do.choose(counts, ids)
            learnt.append((left, right))
            ids.setdefault(left + right, len(ids))
            words = [(do.merge(word, (left, right)), times) for word, times in words]
        return learnt

    return bpe_train


# -- pieces and symbols ----------------------------------------------------------------------------


def found(text: str, pattern: str) -> list[str]:
    """Cut a text into its pieces."""
    return list(regex.findall(pattern, text))


def in_bytes(piece: str) -> Word:
    """Return the single bytes of a piece."""
    return [bytes([byte]) for byte in piece.encode()]


def _characters(piece: str) -> Word:
    return [character.encode() for character in piece]


def _with_an_end(piece: str) -> Word:
    return [*in_bytes(piece), b"</w>"]


# -- counting --------------------------------------------------------------------------------------


def _as_they_come(words: list[Word]) -> Words:
    """Count each piece as often as it stands in the text: one entry for each time."""
    return [(word, 1) for word in words]


def _once_each(words: list[Word]) -> Words:
    return [(list(word), 1) for word in dict.fromkeys(map(tuple, words))]


def every_position(words: Words) -> Counts:
    """Count each pair of neighbours wherever it stands."""
    counts: Counts = Counter()
    for word, times in words:
        for pair in pairwise(word):
            counts[pair] += times
    return counts


def _without_overlaps(words: Words) -> Counts:
    counts: Counts = Counter()
    for word, times in words:
        last: tuple[Pair, int] | None = None
        for at, pair in enumerate(pairwise(word)):
            if last == (pair, at - 1):
                last = None
                continue
            counts[pair] += times
            last = (pair, at)
    return counts


def _words_that_hold_it(words: Words) -> Counts:
    counts: Counts = Counter()
    for word, times in words:
        for pair in dict.fromkeys(pairwise(word)):
            counts[pair] += times
    return counts


def _any_pair(counts: Counts) -> bool:
    return bool(counts)


def _twice(counts: Counts) -> bool:
    return bool(counts) and max(counts.values()) > 1


# -- choosing --------------------------------------------------------------------------------------


def number_of(token: bytes, ids: dict[bytes, int]) -> int:
    """Return a token's id; what is no byte and no merge (a character) comes behind all others."""
    return ids.get(token, 10**6 + int.from_bytes(token, "big"))


def best(counts: Counts) -> list[Pair]:
    """Return the most frequent pairs, in the order in which they were met."""
    top = max(counts.values())
    return [pair for pair, count in counts.items() if count == top]


def _smallest_ids(counts: Counts, ids: dict[bytes, int]) -> Pair:
    return min(best(counts), key=lambda pair: (number_of(pair[0], ids), number_of(pair[1], ids)))


def _largest_ids(counts: Counts, ids: dict[bytes, int]) -> Pair:
    return max(best(counts), key=lambda pair: (number_of(pair[0], ids), number_of(pair[1], ids)))


def _first_met(counts: Counts, ids: dict[bytes, int]) -> Pair:
    return best(counts)[0]


def _smallest_bytes(counts: Counts, ids: dict[bytes, int]) -> Pair:
    return min(best(counts))


def _rarest(counts: Counts, ids: dict[bytes, int]) -> Pair:
    fewest = min(counts.values())
    few = Counter({pair: count for pair, count in counts.items() if count == fewest})
    return _smallest_ids(few, ids)


# -- merging ---------------------------------------------------------------------------------------


def _from_the_left(word: Word, pair: Pair) -> Word:
    return _walked(word, pair)


def _walked(word: Word, pair: Pair, step: int = 2, most: int = 10**9) -> Word:
    result: Word = []
    start = done = 0
    while start < len(word):
        if tuple(word[start : start + 2]) == pair and done < most:
            result.append(pair[0] + pair[1])
            start += step
            done += 1
        else:
            result.append(word[start])
            start += 1
    return result


def _from_the_right(word: Word, pair: Pair) -> Word:
    result, at = list(word), len(word) - 2
    while at >= 0:
        if tuple(result[at : at + 2]) == pair:
            result[at : at + 2] = [pair[0] + pair[1]]
            at -= 1
        at -= 1
    return result


def _overlapping(word: Word, pair: Pair) -> Word:
    at = [n for n in range(len(word) - 1) if (word[n], word[n + 1]) == pair]
    covered = {n for start in at for n in (start, start + 1)}
    return [
        pair[0] + pair[1] if n in at else one
        for n, one in enumerate(word)
        if n in at or n not in covered
    ]


def _once(word: Word, pair: Pair) -> Word:
    return _walked(word, pair, most=1)


def _one_step(word: Word, pair: Pair) -> Word:
    return _walked(word, pair, step=1)


STEPS = Pipeline(
    steps=(
        Step(name="pieces", right=found, wrong={
            "BPE-NOSPLIT": (
                lambda text, pattern: [text],
                lambda text, pattern: ["".join(found(text, pattern))]),
            "BPE-PATTERN": (lambda text, pattern: found(text, DEFAULT),),
            "BPE-WORDS": (lambda text, pattern: text.split(),)}),
        Step(name="symbols", right=in_bytes, wrong={
            "BPE-CHARS": (_characters,),
            "BPE-ENDMARK": (
                Instead(_with_an_end, pieces=found),
                Instead(_with_an_end, pieces=lambda text, pattern: text.split()))}),
        Step(name="frequencies", right=_as_they_come, wrong={"BPE-FREQ": (_once_each,)}),
        Step(name="count", right=every_position, wrong={
            "BPE-COUNTOVERLAP": (_without_overlaps,),
            "BPE-COUNTWORDS": (_words_that_hold_it,)}),
        Step(name="goes_on", right=_any_pair, wrong={"BPE-MINFREQ": (_twice,)}),
        Step(name="choose", right=_smallest_ids, wrong={
            "BPE-TIE": (_first_met, _largest_ids),
            "BPE-BYTEORDER": (_smallest_bytes,),
            "BPE-RAREST": (_rarest,)}),
        Step(name="merge", right=_from_the_left, wrong={
            "BPE-OVERLAP": (_overlapping,), "BPE-STEPONE": (_one_step,),
            "BPE-RIGHTLEFT": (_from_the_right,), "BPE-ONEPASS": (_once,)}),
    ),
    compose=_compose,
)  # fmt: skip
