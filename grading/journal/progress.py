"""A learner's own table of a notebook: points, first predictions, mistakes met and mended."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from grading.exercise import Exercise
from grading.exercises import all_exercises
from grading.journal.notes import Note, known
from grading.journal.place import FILE, place

__all__ = ["Progress", "progress"]

HEAD = ("task", "points", "first prediction")
LINE = "padding:.1em .8em .1em 0;text-align:left"


def progress(chapter: str | None = None) -> "Progress":
    """Return your own table; it shows itself.

    Args:
        chapter: its name, "softmax"; None takes every chapter of which something was checked.

    Raises:
        ValueError: if the course has no exercises of that name.
    """
    chapters = list(dict.fromkeys(exercise.slug for exercise in all_exercises()))
    if chapter is not None and chapter not in chapters:
        raise ValueError(f"there is no chapter {chapter!r}; there are {', '.join(chapters)}")
    notes = known()
    met = {exercise.slug for exercise in all_exercises() if exercise.name in notes}
    shown = [one for one in all_exercises() if one.slug in (met if chapter is None else {chapter})]
    rows = tuple((one, notes.get(one.name, Note())) for one in shown)
    return Progress(rows, is_kept=place() is not None)


@dataclass(frozen=True, repr=False)
class Progress:
    """Tasks with what is noted of them.

    Attributes:
        rows: each task, in the order of its notebook.
        is_kept: whether a file beside the notebook keeps it.
    """

    rows: Sequence[tuple[Exercise, Note]]
    is_kept: bool

    @property
    def cells(self) -> list[tuple[str, str, str]]:
        """The table's rows as texts; the last one sums up."""
        body = [
            (one.title, f"{_points(one, note):g} of {one.points:g}", _first(note))
            for one, note in self.rows
        ]
        earned = sum(_points(one, note) for one, note in self.rows)
        all_points = sum(one.points for one, _ in self.rows)
        return [*body, ("all that a check gives", f"{earned:g} of {all_points:g}", "")]

    def mistakes(self, mended: bool) -> list[str]:
        """Return the sentences of the mistakes that were met, and are mended or not."""
        return [
            f"{one.title}: {mistake.sentence}"
            for one, note in self.rows
            for mistake in one.misconceptions
            if note.mistakes.get(mistake.code) is mended
        ]

    @property
    def where(self) -> str:
        """Where the table is kept."""
        if self.is_kept:
            return f"Kept in {FILE} beside this notebook. It never leaves this machine."
        return "Kept only as long as this notebook runs."

    def __str__(self) -> str:
        """The table, for a terminal."""
        if not self.rows:
            return "Nothing was checked yet."
        rows = [HEAD, *self.cells]
        widths = [max(len(row[at]) for row in rows) for at in range(len(HEAD))]
        lines = [
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        for head, mended in HEADINGS.items():
            told = self.mistakes(mended)
            lines += [f"\n{head}", *(f"- {sentence}" for sentence in told)] if told else []
        return "\n".join([*lines, f"\n{self.where}"])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        if not self.rows:
            return f"<p>{self}</p>"
        head = "".join(f'<th style="{LINE}">{text}</th>' for text in HEAD)
        body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in self.cells)
        lists = ""
        for text, mended in HEADINGS.items():
            told = self.mistakes(mended)
            items = "".join(f"<li>{escape(sentence)}</li>" for sentence in told)
            lists += f"<p><strong>{text}</strong></p><ul>{items}</ul>" if told else ""
        return f"<table><tr>{head}</tr>{body}</table>{lists}<p><em>{self.where}</em></p>"

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": self._repr_html_()}


HEADINGS = {"Mistakes met and mended": True, "Mistakes met and not mended yet": False}


def _points(one: Exercise, note: Note) -> float:
    # A class may work on a notebook in which the task has other points.
    return one.points * note.points / note.max_points if note.max_points else 0.0


def _first(note: Note) -> str:
    verdict = "right" if note.first_was_right else "not right"
    return f"{note.first}, {verdict}" if note.first else ""


def _cell(text: str) -> str:
    return f'<td style="{LINE}">{escape(text)}</td>'
