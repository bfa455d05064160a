"""Labels that say where spans begin and end, and the characters of a text that they cover."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch

from course_lib.labelling.best_path import PathRules
from course_lib.sizes import require_count
from course_lib.tokenizer.vocabulary import Tokenizer

__all__ = ["Span", "character_ranges", "span_rules", "token_spans"]

_TAGS = {"B", "I", "E", "S"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A piece of something in a row, and what it is.

    Attributes:
        kind: what it is, such as "private_email".
        start: where it begins.
        end: where it has ended: the first place that is not part of it.

    Raises:
        ValueError: if it does not end behind its beginning.
    """

    kind: str
    start: int
    end: int

    def __post_init__(self) -> None:
        require_count(start=self.start, end=self.end)
        if self.end <= self.start:
            raise ValueError(
                f"a span has at least one place, so start < end; start is {self.start} and end "
                f"{self.end}, of {self.kind!r}"
            )


def span_rules(labels: Sequence[str]) -> PathRules:
    r"""Say which labels may follow which: a span that begins also ends.

    After O, and after the end of a span (E) or a span of one token (S), comes O, a beginning (B) or
    an S. After a beginning or an inner token (I) comes an I or an E of the same kind. A row begins
    as if after O, and ends as if before it.

    Args:
        labels: "O", and B-, I-, E- or S- before a kind, such as "B-secret".

    Returns:
        0 where it is allowed, and minus infinity elsewhere. privacy-filter's release adds six
        numbers to these zeros, by which finding more is weighed against being right more often;
        in its own calibration all six are 0.

    Raises:
        ValueError: if a label is written otherwise.

    Source: the labels of openai/privacy-filter; Ratinov and Roth 2009 name them BILOU.
    """
    parts = [_parts(label) for label in labels]
    forbidden = -torch.inf
    steps = [[0.0 if _may_follow(old, new) else forbidden for new in parts] for old in parts]
    outside = ("O", "")
    first = [0.0 if _may_follow(outside, new) else forbidden for new in parts]
    last = [0.0 if _may_follow(old, outside) else forbidden for old in parts]
    return PathRules(first=torch.tensor(first), steps=torch.tensor(steps), last=torch.tensor(last))


def token_spans(labels: Sequence[str]) -> list[Span]:
    """Collect the spans of a row of labels.

    Args:
        labels: one per token, a row that ``span_rules`` allows.

    Returns:
        The spans, in tokens, in order.

    Raises:
        ValueError: if a label is none, or may not stand where it stands.
    """
    found: list[Span] = []
    start, before = 0, ("O", "")
    for place, label in enumerate([*labels, "O"]):
        tag, kind = now = _parts(label)
        if not _may_follow(before, now):
            raise ValueError(
                "a span begins with B, goes on with I and ends with E, all of one kind; at token "
                f"{place} of {len(labels)} comes {label!r} after {'-'.join(before).strip('-')!r}"
            )
        if tag in {"B", "S"}:
            start = place
        if tag in {"E", "S"}:
            found.append(Span(kind=kind, start=start, end=place + 1))
        before = now
    return found


def character_ranges(tokenizer: Tokenizer, ids: Sequence[int]) -> list[tuple[int, int]]:
    """Say which characters of the text each token has a part of.

    Args:
        tokenizer: what the ids are of.
        ids: tokens of a text from its beginning.

    Returns:
        Where each token's first character stands, and the place behind its last one. Where a
        character of several bytes is cut, both tokens have it.

    Raises:
        ValueError: if an id is none of the tokenizer's.
    """
    unknown = [i for i in ids if i not in tokenizer.tokens]
    if unknown:
        raise ValueError(
            f"an id is one of the tokenizer's {len(tokenizer.tokens)}; {len(unknown)} of "
            f"{len(ids)} are not, {unknown[0]} first"
        )
    pieces = [tokenizer.tokens[i] for i in ids]
    # In UTF-8 a byte 10xxxxxx goes on with a character, any other one begins it.
    begun = list(accumulate((byte & 0xC0 != 0x80 for byte in b"".join(pieces)), initial=0))
    ends = list(accumulate((len(piece) for piece in pieces), initial=0))
    return [(begun[start + 1] - 1, begun[end]) for start, end in pairwise(ends)]


def _parts(label: str) -> tuple[str, str]:
    tag, dash, kind = label.partition("-")
    if label != "O" and (tag not in _TAGS or not dash or not kind):
        raise ValueError(
            f"a label is O, or B-, I-, E- or S- before a kind; {label!r} of {len(label)} "
            "characters is not"
        )
    return tag, kind


def _may_follow(old: tuple[str, str], new: tuple[str, str]) -> bool:
    if old[0] in {"B", "I"}:
        return new[0] in {"I", "E"} and new[1] == old[1]
    return new[0] in {"O", "B", "S"}
