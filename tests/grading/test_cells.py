"""The notebooks and the exercises agree: every task once, in order, for the same points."""

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from grading import check
from grading.exercises import all_exercises

ROOT = Path(__file__).resolve().parents[2]
SLUGS = list(dict.fromkeys(exercise.slug for exercise in all_exercises()))
each = pytest.mark.parametrize("slug", SLUGS)


def cells(slug: str, folder: str = "solutions") -> list[Any]:
    return list(nbformat.read(ROOT / folder / slug / f"{slug}.ipynb", as_version=4).cells)


def graded(slug: str) -> list[Any]:
    return [c for c in cells(slug) if c.metadata.get("nbgrader", {}).get("grade")]


def test_every_chapter_has_a_notebook_and_every_notebook_a_chapter() -> None:
    assert {path.parent.name for path in ROOT.glob("solutions/*/*.ipynb")} == set(SLUGS)
    assert {path.parent.name for path in ROOT.glob("exercises/*/*.ipynb")} == set(SLUGS)
    assert len(all_exercises()) >= 23


@each
def test_each_check_is_worth_what_its_exercise_is(slug: str) -> None:
    wanted = [exercise for exercise in all_exercises() if exercise.slug == slug]
    *checks, explanation = graded(slug)
    assert [c.metadata.nbgrader.grade_id for c in checks] == [f"{slug}-{e.task}" for e in wanted]
    assert [c.metadata.nbgrader.points for c in checks] == [e.points for e in wanted]
    assert [c.source for c in checks] == [f"check({e.name})" for e in wanted]
    assert explanation.cell_type == "markdown"
    assert sum(c.metadata.nbgrader.points for c in graded(slug)) == 10


@each
def test_each_task_says_its_minutes_points_and_three_hints(slug: str) -> None:
    texts = "\n\n".join(c.source for c in cells(slug) if c.cell_type == "markdown")
    parts = re.split(r"^## ", texts, flags=re.MULTILINE)[1:]
    parts = [part for part in parts if not part.startswith("Milestone")]  # nothing is asked there
    tasks = [exercise for exercise in all_exercises() if exercise.slug == slug]
    assert len(parts) == len(tasks) + 2, "behind the tasks: explain, and the learner's own table"
    for part, exercise in zip(parts, tasks, strict=False):
        dots = "●" * exercise.difficulty + "○" * (3 - exercise.difficulty)
        assert f"Difficulty {dots} " in part, exercise.name
        assert f" {exercise.minutes} minutes · {exercise.points:g} point" in part, exercise.name
        assert part.count("<details>") == part.count("</details>") == 3, exercise.name
        if exercise.kind not in ("predict",):
            assert "**Contract.**" in part, exercise.name
        assert re.search(r"[Ee]xample", part), exercise.name


@each
def test_no_answer_is_left_in_what_learners_get(slug: str) -> None:
    released = "\n".join(c.source for c in cells(slug, "exercises"))
    assert "BEGIN SOLUTION" not in released
    assert "Rubric" not in released
    assert released.count("raise NotImplementedError") == len(
        [exercise for exercise in all_exercises() if exercise.slug == slug]
    )


@each
def test_each_exercise_links_to_an_equation_of_the_built_page(slug: str) -> None:
    for exercise in (e for e in all_exercises() if e.slug == slug):
        chapter, label = exercise.to_read
        page = (ROOT / "_build" / "html" / f"{chapter}.html").read_text(encoding="utf-8")
        assert f'id="equation-{label}"' in page, exercise.name
        assert f"{chapter}.html#equation-{label}" in str(check(lambda: None, exercise.name))
