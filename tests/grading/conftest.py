"""A course of one small notebook in a temporary folder, graded by the real nbgrader."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from grading.classroom.course_directory import write_settings
from grading.notebooks import notebook

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def marked(cell: Any, grade_id: str, **flags: Any) -> Any:
    """Give a cell nbgrader's metadata."""
    defaults = {"schema_version": 3, "grade": False, "solution": False, "locked": False}
    extra = {"task": False, "grade_id": grade_id, "cell_type": cell.cell_type}
    cell.metadata["nbgrader"] = defaults | extra | flags
    return cell


def make_notebook(
    slug: str, tasks: dict[str, str], arguments: str = "", check: str = "{task}()"
) -> Any:
    """Return a notebook with a function and a check cell of 2 points for each task."""
    nb = new_notebook(metadata={"kernelspec": KERNEL})
    for number, (task, body) in enumerate(tasks.items()):
        source = (
            f"def {task}({arguments}):\n    ### BEGIN SOLUTION\n    {body}\n    ### END SOLUTION"
        )
        nb.cells += [
            marked(new_code_cell(source), f"{slug}-{task}-answer", solution=True),
            marked(
                new_code_cell(check.format(task=task)),
                f"{slug}-{task}",
                grade=True,
                locked=True,
                points=2.0,
            ),
        ]
        for position, cell in enumerate(nb.cells[-2:]):
            cell["id"] = f"cell-{number}-{position}"
    task = new_markdown_cell("In two sentences: why is $\\sqrt{d_k}$ there?", id="cell-task")
    explain = new_markdown_cell("So that the variance stays 1.", id="cell-explain")
    marked(explain, f"{slug}-explain", grade=True, solution=True, points=2.0)
    nb.cells += [task, explain]
    return nb


class TinyCourse:
    """A course directory with one assignment, `tiny`."""

    slug = "tiny"

    def __init__(self, root: Path, tasks: dict[str, str], *, generates: bool = True) -> None:
        self.root = root
        write_settings(root)
        source = notebook(root / "solutions", self.slug)
        source.parent.mkdir(parents=True)
        nbformat.write(make_notebook(self.slug, tasks), source)
        if generates:
            self.nbgrader("generate_assignment", self.slug)

    def nbgrader(self, *words: str, fails: bool = False) -> str:
        """Run one of nbgrader's commands here; return what it printed."""
        # Bare PATH: the course's own settings must find what nbgrader calls.
        environment = os.environ | {"PATH": "/usr/bin:/bin"}
        command = [sys.executable, "-m", "nbgrader", *words]
        done = subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=120
        )
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    def submit(self, learner: str, edit: Callable[[Any], None]) -> Path:
        """Hand in the released notebook after `edit` has changed it."""
        nb = nbformat.read(notebook(self.root / "exercises", self.slug), as_version=4)
        edit(nb)
        target = notebook(self.root / "submitted" / learner, self.slug)
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(nb, target)
        return target

    def answer(self, learner: str, bodies: dict[str, str], explanation: str = "") -> Path:
        """Hand in the released notebook with these bodies of functions."""

        def edit(nb: Any) -> None:
            answers = {f"{self.slug}-{name}-answer": name for name in bodies}
            for cell in nb.cells:
                grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
                if grade_id in answers:
                    name = answers[grade_id]
                    cell.source = f"def {name}():\n    {bodies[name]}"
                if grade_id == f"{self.slug}-explain" and explanation:
                    cell.source = explanation

        return self.submit(learner, edit)

    def autograde(self, learner: str, *options: str) -> dict[str, float | None]:
        """Grade one submission; return the points of each check."""
        self.nbgrader("autograde", self.slug, "--student", learner, "--force", *options)
        return self.points(learner)

    def points(self, learner: str) -> dict[str, float | None]:
        """Return what the gradebook holds for each check and explanation."""
        query = """
            select base_cell.name, grade.auto_score from grade
            join base_cell on base_cell.id = grade.cell_id
            join submitted_notebook on submitted_notebook.id = grade.notebook_id
            join submitted_assignment
                on submitted_assignment.id = submitted_notebook.assignment_id
            where submitted_assignment.student_id = ?
        """
        with closing(sqlite3.connect(self.root / "gradebook.db")) as gradebook:
            rows = gradebook.execute(query, [learner]).fetchall()
        return {name.removeprefix(f"{self.slug}-"): score for name, score in rows}


@pytest.fixture(scope="module")
def make_tiny_course(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., TinyCourse]:
    def make(tasks: dict[str, str], **options: bool) -> TinyCourse:
        return TinyCourse(tmp_path_factory.mktemp("course"), tasks, **options)

    return make


@pytest.fixture(scope="session")
def tiny_notebook() -> Callable[..., Any]:
    return make_notebook
