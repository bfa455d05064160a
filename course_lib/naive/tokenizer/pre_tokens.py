"""The two ways to cut a text, as scanners: no regular expression, one character at a time."""

import unicodedata
from collections.abc import Callable

__all__ = ["gpt2_pre_tokens", "o200k_pre_tokens"]

CAPITALS = ("Lu", "Lt", "Lm", "Lo", "Mn", "Mc", "Me")
SMALL = ("Ll", "Lm", "Lo", "Mn", "Mc", "Me")


def gpt2_pre_tokens(text: str) -> list[str]:
    """At each position the first of: contraction, run of one kind behind a space, white space."""
    pieces = []
    start = 0
    while start < len(text):
        end = _contraction(text, start)
        first = start + 1 if text[start] == " " else start
        for kind in ("letter", "digit", "sign"):
            if end == start and _run(text, first, kind) > first:
                end = _run(text, first, kind)
        if end == start:
            end = _spaces(text, start)
        pieces.append(text[start:end])
        start = end
    return pieces


def o200k_pre_tokens(text: str) -> list[str]:
    """At each position the first of: word, three digits, signs and breaks, breaks, white space."""
    pieces = []
    start = 0
    while start < len(text):
        end = _word(text, start)
        if end == start:
            end = min(_run(text, start, "digit"), start + 3)
        if end == start:
            end = _signs(text, start)
        if end == start:
            end = _line_breaks(text, start)
        if end == start:
            end = _spaces(text, start)
        pieces.append(text[start:end])
        start = end
    return pieces


def _kind(character: str) -> str:
    category = unicodedata.category(character)
    if category[0] == "L":
        return "letter"
    if category[0] == "N":
        return "digit"
    # Python counts the separators 1C to 1F as white space; Unicode's property does not.
    if character.isspace() and not "\x1c" <= character <= "\x1f":
        return "space"
    return "sign"


def _end(text: str, start: int, belongs: Callable[[str], bool]) -> int:
    end = start
    while end < len(text) and belongs(text[end]):
        end += 1
    return end


def _run(text: str, start: int, kind: str) -> int:
    return _end(text, start, lambda character: _kind(character) == kind)


def _contraction(text: str, start: int) -> int:
    for ending in ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d"):
        if text[start : start + len(ending)] == ending:
            return start + len(ending)
    return start


def _spaces(text: str, start: int) -> int:
    """All white space, but the last one of several is left to a word that follows."""
    end = _run(text, start, "space")
    return end - 1 if end < len(text) and end - start > 1 else end


def _word(text: str, start: int) -> int:
    lead = _kind(text[start]) in ("space", "sign") and text[start] not in "\r\n"
    for first in (start + 1, start) if lead else (start,):
        end = _capitals_then_small(text, first)
        if end > first:
            return _contraction_in_any_case(text, end)
    for first in (start + 1, start) if lead else (start,):
        end = _end(text, first, lambda character: unicodedata.category(character) in CAPITALS)
        if end > first:
            return _contraction_in_any_case(text, end)
    return start


def _capitals_then_small(text: str, first: int) -> int:
    """As many capitals as leave at least one small letter; then all small letters."""
    capitals = _end(text, first, lambda character: unicodedata.category(character) in CAPITALS)
    for turn in range(capitals, first - 1, -1):
        end = _end(text, turn, lambda character: unicodedata.category(character) in SMALL)
        if end > turn:
            return end
    return first


def _contraction_in_any_case(text: str, start: int) -> int:
    # 017F, the old long s, is another form of s.
    letters = [character.lower().replace("\u017f", "s") for character in text[start : start + 3]]
    return start + _contraction("".join(letters), 0)


def _signs(text: str, start: int) -> int:
    first = start + 1 if text[start] == " " else start
    end = _run(text, first, "sign")
    return _end(text, end, lambda character: character in "\r\n/") if end > first else start


def _line_breaks(text: str, start: int) -> int:
    """White space up to its last line break."""
    end = _run(text, start, "space")
    while end > start and text[end - 1] not in "\r\n":
        end -= 1
    return end
