"""A small assignment shaped like the course's own: three checks, one explanation, no PyTorch."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from damaged_hand_ins import HandIn
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from grading.classroom.course_directory import write_settings
from grading.classroom.sample_learners import grade_id, solution_sources
from grading.doctor.released import Released, released_notebook
from grading.notebooks import notebook, read_notebook

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
SLUG = "softmax"
#: Each task's points, function and body.
TASKS = {
    "softmax": (
        3.0,
        "    top = max(x)\n    powers = [math.exp(value - top) for value in x]\n"
        "    return [power / sum(powers) for power in powers]",
    ),
    "logsumexp": (2.0, "    return max(x) + math.log(sum(math.exp(v - max(x)) for v in x))"),
    "log-softmax": (3.0, "    total = logsumexp(x)\n    return [value - total for value in x]"),
}
#: What the notebooks import: the checks of this assignment.
CHECKS = """
import math

WANTED = {
    "softmax": lambda x: [math.exp(v) / sum(map(math.exp, x)) for v in x],
    "logsumexp": lambda x: [math.log(sum(map(math.exp, x)))],
    "log_softmax": lambda x: [v - math.log(sum(map(math.exp, x))) for v in x],
}
POINTS = {"softmax": 3.0, "logsumexp": 2.0, "log_softmax": 3.0}


def check(f):
    name, x = f.__name__, [0.5, -1.0, 2.0]
    try:
        got = f(x)
    except Exception:
        return 0.0
    got = got if isinstance(got, list) else [got]
    want = WANTED[name](x)
    near = len(got) == len(want) and all(abs(a - b) < 1e-9 for a, b in zip(got, want))
    return POINTS[name] if near else 0.0
"""


def marks(cell: Any, name: str, **more: Any) -> Any:
    flags = {"grade": False, "solution": False, "locked": False, "task": False}
    names = {"schema_version": 3, "grade_id": f"{SLUG}-{name}", "cell_type": cell.cell_type}
    cell.metadata["nbgrader"] = flags | names | more
    return cell


def solution_notebook() -> Any:
    nb = new_notebook(metadata={"kernelspec": KERNEL})
    nb.cells = [
        new_markdown_cell("# Exercises", id="title"),
        new_code_cell("import math\n\nfrom small_checks import check", id="imports"),
    ]
    for name, (points, body) in TASKS.items():
        function = name.replace("-", "_")
        body = f"    ### BEGIN SOLUTION\n{body}\n    ### END SOLUTION"
        answer = new_code_cell(f'def {function}(x, axis=-1):\n    """Say it."""\n{body}')
        answer["id"] = f"{name}-answer"
        check = new_code_cell(f"check({function})", id=f"{name}-check")
        nb.cells += [
            new_markdown_cell(f"Write {function}.", id=f"{name}-task"),
            marks(answer, f"{name}-answer", solution=True),
            marks(check, name, grade=True, locked=True, points=points),
        ]
    explain = new_markdown_cell("So that the weights sum to 1.", id="explain-answer")
    marks(explain, "explain", grade=True, solution=True, points=2.0)
    nb.cells += [new_markdown_cell("Why is there a denominator?", id="explain-task"), explain]
    return nb


class SmallCourse:
    """A course directory with this assignment, released."""

    def __init__(self, root: Path) -> None:
        self.root = root
        write_settings(root)
        settings = root / "nbgrader_config.py"
        settings.write_text(settings.read_text() + "c.Execute.timeout = 2\n")
        (root / "modules").mkdir()
        (root / "modules" / "small_checks.py").write_text(CHECKS)
        source = notebook(root / "solutions", SLUG)
        source.parent.mkdir(parents=True)
        nbformat.write(solution_notebook(), source)
        self.nbgrader("generate_assignment", SLUG)

    def nbgrader(self, *words: str, fails: bool = False) -> str:
        path = os.pathsep.join([str(self.root / "modules"), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            [sys.executable, "-m", "nbgrader", *words],
            cwd=self.root,
            env=os.environ | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    @property
    def released_file(self) -> Path:
        return notebook(self.root / "exercises", SLUG)

    def solved(self) -> dict[str, Any]:
        """Return the released notebook with everything written, as plain JSON."""
        nb = read_notebook(self.released_file)
        answers = solution_sources(self.root / "solutions", SLUG)
        for cell in nb.cells:
            cell.source = answers.get(grade_id(cell), cell.source)
        return json.loads(nbformat.writes(nb))


@pytest.fixture(scope="session")
def small_course(tmp_path_factory: pytest.TempPathFactory) -> SmallCourse:
    return SmallCourse(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def released(small_course: SmallCourse) -> Released:
    return released_notebook(SLUG, read_notebook(small_course.released_file))


@pytest.fixture
def hand_in(small_course: SmallCourse) -> HandIn:
    released = json.loads(small_course.released_file.read_text())
    return HandIn(released, small_course.solved())
