"""The kill table: every wrong function is submitted, and has to be refused by its own name."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from grading import recordings
from grading.asking import RIGHT, Live
from grading.catalogue.pairs import pairs_of
from grading.exercise import Exercise
from grading.exercises import all_exercises
from grading.verdict.case import Who
from grading.verdict.judge import judge
from grading.verdict.record import Record

__all__ = [
    "Row",
    "as_markdown",
    "chapter_title",
    "kill_table",
    "right_answers",
    "submitted",
    "wrong_answers",
]

BOOK = Path(__file__).resolve().parent.parent.parent / "book"


@dataclass(frozen=True, slots=True)
class Row:
    """One wrong function and what the grader said of it."""

    exercise: Exercise
    code: str
    sentence: str
    refused: bool
    named: str | None
    rule: str | None

    @property
    def killed(self) -> bool:
        """Whether it was refused under its own name."""
        return self.refused and self.named == self.code


def wrong_answers(exercise: Exercise) -> Iterator[tuple[str, int]]:
    """Yield the code and the number of every variant of every misconception."""
    for mistake in exercise.misconceptions:
        for number in range(1 + len(mistake.also)):
            yield mistake.code, number


def right_answers(exercise: Exercise) -> Iterator[tuple[str, int]]:
    """Yield what the right answers in other styles go by."""
    return ((RIGHT, number) for number in range(len(exercise.alternatives)))


def kill_table(exercises: Iterable[Exercise] | None = None) -> list[Row]:
    """Submit every wrong function of the catalogue to the grader."""
    rows = []
    for exercise in all_exercises() if exercises is None else exercises:
        sentences = {mistake.code: mistake.sentence for mistake in exercise.misconceptions}
        for who in wrong_answers(exercise):
            seen = submitted(exercise, who)
            refused = not seen.passed and seen.points == 0
            named = "+".join(seen.misconceptions) or None
            rows.append(Row(exercise, who[0], sentences[who[0]], refused, named, seen.rule))
        recordings.save(exercise)
    return rows


def submitted(exercise: Exercise, who: Who) -> Record:
    """Judge a function of the catalogue by what is kept of it, or run it."""
    return judge(exercise, Live(exercise, who), with_example=False).record


def as_markdown(rows: list[Row] | None = None) -> str:
    """Return the table as Markdown, one section a chapter and one table an exercise.

    Raises:
        ValueError: if a wrong function is accepted or not refused by its own name, two mistakes at
            once are not by both, or a right answer is refused: the table then has nothing to say.
    """
    rows = kill_table() if rows is None else rows
    lines = [_summary(rows)]
    chapter = ""
    for exercise in _exercises(rows):
        if exercise.slug != chapter:
            chapter = exercise.slug
            lines += ["", f"## {chapter_title(chapter)}"]
        lines += _section(exercise, [row for row in rows if row.exercise is exercise])
    return "\n".join(lines)


def chapter_title(slug: str) -> str:
    """Return a chapter's title without what follows its colon; where the book is not, its slug."""
    page = BOOK / f"{slug}.md"
    if not page.exists():
        return slug
    text = page.read_text(encoding="utf-8")
    heading = next(line for line in text.splitlines() if line.startswith("# "))
    return heading.removeprefix("# ").split(":")[0]


def _exercises(rows: list[Row]) -> list[Exercise]:
    return list({row.exercise.name: row.exercise for row in rows}.values())


def _summary(rows: list[Row]) -> str:
    """Count what was refused and what was accepted; refuse a table in which one was not."""
    known = _exercises(rows)
    killed = sum(row.killed for row in rows)
    right = sum(len(exercise.alternatives) for exercise in known)
    accepted = sum(
        submitted(exercise, who).passed for exercise in known for who in right_answers(exercise)
    )
    missed = [f"{row.exercise.name}: {row.code} is {row.named}" for row in rows if not row.killed]
    if missed or accepted < right:
        raise ValueError(
            "every wrong function is refused by its own name and every right answer is accepted; "
            f"{killed} of {len(rows)} and {accepted} of {right} were; {'; '.join(missed)}"
        )
    codes = len({(row.exercise.name, row.code) for row in rows})
    return (
        f"**{killed} of {len(rows)}** wrong functions were refused by name: {codes} mistakes in "
        f"{len(known)} exercises, some in several variants. **{accepted} of {right}** right "
        f"answers in other styles were accepted. {_summary_of_pairs(known)}"
    )


def _summary_of_pairs(known: list[Exercise]) -> str:
    """Count the pairs of mistakes; refuse a table in which one that can be told was not named."""
    pairs = [(exercise, pairs_of(exercise)) for exercise in known if exercise.steps is not None]
    missed = [f"{exercise.name}: {words}" for exercise, one in pairs for words in one.missed]
    if missed:
        raise ValueError(
            "two mistakes at once that can be told from all else are refused by both names; "
            f"{'; '.join(missed)}"
        )
    told, total = sum(one.told for _, one in pairs), sum(one.total for _, one in pairs)
    return (
        f"Of {total} pairs of mistakes in different steps, {told} can be told from all else, and "
        f"**{told} of {told}** were refused by both names."
    )


def _section(exercise: Exercise, rows: list[Row]) -> list[str]:
    """Write an exercise's heading and its table: a line for each mistake, not for each variant."""
    unit = "point" if exercise.points == 1 else "points"
    first = {row.code: row for row in reversed(rows)}
    return [
        "",
        f"### {exercise.title}",
        "",
        f"`{exercise.name}`, {exercise.points:g} {unit}.{_pairs(exercise)}",
        "",
        "| mistake | what the learner is told | first rule broken |",
        "|---|---|---|",
        *(
            f"| `{row.code}` | {_cell(row.sentence)} | {_cell(row.rule or '')} |"
            for row in rows
            if row is first[row.code]
        ),
    ]


def _pairs(exercise: Exercise) -> str:
    if exercise.steps is None:
        return ""
    pairs = pairs_of(exercise)
    return (
        f" Two of these mistakes at once: {pairs.total} pairs touch different steps, {pairs.told} "
        f"can be told from all else, and {pairs.named} are named as the pair."
    )


def _cell(text: str) -> str:
    """Protect what Markdown would read as a sign of its own."""
    for sign in "|*_$<":
        text = text.replace(sign, f"\\{sign}")
    return text
