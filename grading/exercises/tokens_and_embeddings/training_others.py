"""Further ways to learn merges wrongly, of which no products are made."""

from __future__ import annotations

from typing import Any

from grading.exercises.tokens_and_embeddings.telling import BYTE_IDS
from grading.exercises.tokens_and_embeddings.training_steps import (
    STEPS,
    Counts,
    Pair,
    Word,
    best,
    every_position,
    found,
    in_bytes,
    number_of,
)

__all__ = [
    "OTHER_ORDERS", "OTHER_TIES", "first_counts_alone", "substring", "the_most_frequent_first",
]  # fmt: skip


def _last_met(counts: Counts, ids: dict[bytes, int]) -> Pair:
    return best(counts)[-1]


def _largest_bytes(counts: Counts, ids: dict[bytes, int]) -> Pair:
    return max(best(counts))


def _smallest_values(counts: Counts, ids: dict[bytes, int]) -> Pair:
    """Number the bytes by their own values, as 0 to 255, and merges behind them."""

    def number(token: bytes) -> int:
        return token[0] if len(token) == 1 else 256 + number_of(token, ids)

    return min(best(counts), key=lambda pair: (number(pair[0]), number(pair[1])))


#: Other ways to decide a tie, and other kinds of one mistake; no products are made of them.
OTHER_TIES = tuple(STEPS.answer({"choose": way}) for way in (_last_met, _largest_bytes))
OTHER_ORDERS = (STEPS.answer({"choose": _smallest_values}),)


def _by_text(word: Word, pair: Pair) -> Word:
    """Look for the pair in a text in which marks stand between the tokens."""
    joined = b"\0".join(word).replace(b"\0".join(pair), b"".join(pair))
    return joined.split(b"\0")


substring = STEPS.answer({"merge": _by_text})


def first_counts_alone(text: str, merges: int, pattern: str) -> list[Pair]:
    """Count once, and take the most frequent pairs of that one count."""
    words = [(in_bytes(piece), 1) for piece in found(text, pattern)]
    counts = every_position(words)

    def place(pair: Pair) -> Any:
        return -counts[pair], BYTE_IDS[pair[0]], BYTE_IDS[pair[1]]

    return sorted(counts, key=place)[:merges]


def the_most_frequent_first(text: str, merges: int, pattern: str) -> list[Pair]:
    """Count once; of equally frequent pairs the first one comes first."""
    words = [(in_bytes(piece), 1) for piece in found(text, pattern)]
    return [pair for pair, _ in every_position(words).most_common(merges)]
