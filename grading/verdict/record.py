"""A verdict as a record: what a check found, as data that travels as JSON."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["MIME", "Comparison", "Example", "Picture", "Record", "Told"]

#: The part of a check's output in which its record travels.
MIME = "application/vnd.attention-course.verdict+json"

#: The rule of a record that says nothing of the answer: the check itself failed.
UNJUDGED = "the answer can be judged"


@dataclass(frozen=True, slots=True)
class Told:
    """An input that is no short list of numbers, in words: "numbers of shape (5, 7)"."""

    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """Inputs on which an answer is wrong, and the first row that differs.

    Attributes:
        probe: the name of the probe that the inputs come from, or were cut from.
        label: what the inputs are, in words made from themselves.
        smallest: whether smaller inputs were looked for; not where recordings alone could answer.
        inputs: by name; numbers, nested lists of them, a string, None, or told in words.
        output: the name of the output that differs.
        index: where its row stands; () where there is only one.
        yours, expected: the row of the answer and that of the reference; () where there is none.
        other: whether these inputs are not those on which the rule was seen broken, as in some
            older records.
    """

    probe: str
    smallest: bool
    inputs: Mapping[str, Any]
    output: str
    index: tuple[int, ...]
    yours: tuple[Any, ...]
    expected: tuple[Any, ...]
    other: bool = False
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A small table of a right answer's numbers, which is shown shaded."""

    title: str
    rows: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A matrix of the answer's beside the expected one, which are shown as two shaded grids.

    Attributes:
        title: what it is, "weights[0, 1]".
        axes: the letters of its rows and its columns.
        yours, expected: the numbers; of shapes of their own, for a shape may be what is wrong.
        cut: whether only their first rows and columns are held.
    """

    title: str
    axes: tuple[str, ...]
    yours: tuple[tuple[float, ...], ...]
    expected: tuple[tuple[float, ...], ...]
    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a check found.

    Attributes:
        exercise: the exercise's name.
        passed: whether every rule holds.
        points: all of the points, or none.
        max_points: the points of the cell.
        rule: the first broken rule, or None.
        misconceptions: the codes of the mistakes that the answer behaves like.
        parts: what is said, in paragraphs: what was seen, then each mistake in its sentence.
        example: an example on which it shows, or None.
        comparison: a matrix of the answer's where it says more than a row, or None.
        picture: the result of an accepted answer, or None.
        link: the equation to read, "softmax#eq-softmax"; "" where there is none. Its address
            depends on where the book is when the record is read.
    """

    exercise: str
    passed: bool
    points: float
    max_points: float
    rule: str | None = None
    misconceptions: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    example: Example | None = None
    comparison: Comparison | None = None
    picture: Picture | None = None
    link: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the record as what JSON knows: dicts, lists, strings, finite numbers, None."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        plain["example"] = self.example and {
            name: getattr(self.example, name) for name in Example.__dataclass_fields__
        }
        plain["comparison"] = self.comparison and {
            name: getattr(self.comparison, name) for name in Comparison.__dataclass_fields__
        }
        plain["picture"] = self.picture and {"title": self.picture.title, "rows": self.picture.rows}
        written: dict[str, Any] = _written(plain)
        return written

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Record":
        """Return the record that `to_json` wrote.

        Raises:
            ValueError: if that is no record: a field is missing, unknown, or of another kind.
        """
        try:
            _refuse_other_kinds(data)
            plain = {name: _read(value) for name, value in data.items()}
            example, picture = plain.get("example"), plain.get("picture")
            plain["misconceptions"] = tuple(plain["misconceptions"])
            plain["parts"] = tuple(plain["parts"])
            if example is not None:
                rows = {name: tuple(example[name]) for name in ("index", "yours", "expected")}
                plain["example"] = Example(**(example | rows))
            if plain.get("comparison") is not None:
                both = {name: _grid(plain["comparison"][name]) for name in ("yours", "expected")}
                axes = {"axes": tuple(plain["comparison"]["axes"])}
                plain["comparison"] = Comparison(**(plain["comparison"] | both | axes))
            if picture is not None:
                plain["picture"] = Picture(title=picture["title"], rows=_grid(picture["rows"]))
            return cls(**plain)
        except (AttributeError, KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"this is no record of a check: {error!r}") from error


def _grid(rows: Any) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in rows)


# What a learner's cell shows can be anything, and those who read a record trust its fields.
def _refuse_other_kinds(data: Mapping[str, Any]) -> None:
    example, picture = data.get("example"), data.get("picture")
    kinds = {
        "exercise": _is_text(data["exercise"]),
        "passed": isinstance(data["passed"], bool),
        "points": _is_points(data["points"]),
        "max_points": _is_points(data["max_points"]),
        "rule": data.get("rule") is None or _is_text(data["rule"]),
        "misconceptions": _is_list(data["misconceptions"], _is_text),
        "parts": _is_list(data["parts"], _is_text),
        "link": _is_text(data.get("link", "")),
        "example": example is None or _is_example(example),
        "comparison": data.get("comparison") is None or _is_comparison(data["comparison"]),
        "picture": picture is None
        or (_is_text(picture["title"]) and _is_list(picture["rows"], _is_row)),
    }
    for name, is_right in kinds.items():
        if not is_right:
            raise ValueError(f"this is no record of a check: {name} is {data[name]!r:.80}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _is_points(value: Any) -> bool:
    return _is_number(value) and not isinstance(value, bool) and 0 <= value < math.inf


def _is_list(value: Any, is_entry: Callable[[Any], bool]) -> bool:
    return isinstance(value, list | tuple) and all(is_entry(entry) for entry in value)


def _is_row(value: Any) -> bool:
    return _is_list(value, _is_number) and len(value) > 0


def _is_shown(value: Any) -> bool:
    """Whether it is a number, a text, None, or lists of these: what an example's tables show."""
    read = _read(value)
    if isinstance(read, list):
        return all(_is_shown(entry) for entry in value)
    return read is None or _is_number(read) or _is_text(getattr(read, "words", read))


def _is_example(one: Any) -> bool:
    return (
        _is_text(one["probe"])
        and isinstance(one["smallest"], bool)
        and isinstance(one.get("other", False), bool)
        and _is_text(one.get("label", ""))
        and isinstance(one["inputs"], Mapping)
        and all(_is_shown(value) for value in one["inputs"].values())
        and _is_text(one["output"])
        and _is_list(one["index"], lambda entry: type(entry) is int)
        and _is_list(one["yours"], _is_shown)
        and _is_list(one["expected"], _is_shown)
    )


def _is_comparison(one: Any) -> bool:
    grids = [_read(one["yours"]), _read(one["expected"])]
    return (
        _is_text(one["title"])
        and isinstance(one["cut"], bool)
        and _is_list(one["axes"], _is_text)
        and all(_is_list(grid, _is_row) and len(grid) > 0 for grid in grids)
    )


# JSON has no NaN and no infinity, and a sentence is no string that a learner handed over.
def _written(value: Any) -> Any:
    if isinstance(value, Told):
        return {"told": value.words}
    if isinstance(value, float) and not math.isfinite(value):
        return {"number": repr(value)}
    if isinstance(value, Mapping):
        return {name: _written(entry) for name, entry in value.items()}
    if isinstance(value, tuple | list):
        return [_written(entry) for entry in value]
    return value


def _read(value: Any) -> Any:
    if isinstance(value, Mapping):
        if set(value) == {"told"}:
            return Told(value["told"])
        if set(value) == {"number"}:
            return float(value["number"])
        return {name: _read(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_read(entry) for entry in value]
    return value
