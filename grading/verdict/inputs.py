"""The inputs of an example as a person reads them: as numbers, or in words where they are long."""

from typing import Any

from grading.observation.values import (
    Array,
    EachRank,
    LeftOut,
    Named,
    Randomness,
    with_article,
)
from grading.verdict.record import Told

__all__ = ["shown_input"]

#: More entries, or more characters, are no example that a person reads.
READABLE, LINE = 36, 240


def shown_input(value: Any) -> Any:
    """Return an input as numbers, or in words where it is too long or no number."""
    if isinstance(value, Array):
        if value.numbers is None or value.numbers.size > READABLE:
            return Told(f"numbers of shape {value.shape}")
        return value.numbers.tolist()
    if isinstance(value, Randomness):
        return Told("a torch.Generator")
    if isinstance(value, LeftOut):
        return Told(f"left out, so {value.default}")
    if isinstance(value, str) and len(value) > LINE:
        return Told(_in_words(value))
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return Told(_in_words(value))


#: Functions that are made by their names, as Python writes them.
WRITTEN = {
    "rows mixed": "lambda x: torch.tensor({mix}).to(x) @ x @ torch.tensor({features}).to(x)",
    "rows attended": "lambda x: torch.softmax(x @ x.T + torch.tensor({bias}).to(x), -1) @ x",
}


def _in_words(value: Any) -> str:
    """Return an input as Python writes it; in words where it is longer than a person reads."""
    if isinstance(value, Array | Randomness):
        told = shown_input(value)
        return told.words if isinstance(told, Told) else repr(told)
    if isinstance(value, Named):
        parts = {name: _in_words(one) for name, one in value.arguments.items()}
        return WRITTEN.get(value.name, f'"{value.name}", made by its name').format(**parts)
    if isinstance(value, EachRank):
        return f"on each rank: {_in_words(list(value.values))}"
    if isinstance(value, bytes | str):
        kind = "bytes" if isinstance(value, bytes) else "characters"
        return repr(value) if len(value) <= LINE else f"{len(value)} {kind}"
    if not isinstance(value, list | tuple | dict):
        return repr(value)
    kind = with_article(type(value).__name__)
    if len(value) <= READABLE:
        text = _enclosed(value)
        if len(text) <= LINE:
            return text
    return f"{kind} of {len(value)} entr{'y' if len(value) == 1 else 'ies'}"


def _enclosed(value: Any) -> str:
    if isinstance(value, dict):
        pairs = (f"{_in_words(name)}: {_in_words(one)}" for name, one in value.items())
        return "{" + ", ".join(pairs) + "}"
    inside = ", ".join(_in_words(one) for one in value)
    if isinstance(value, list):
        return f"[{inside}]"
    return f"({inside},)" if len(value) == 1 else f"({inside})"
