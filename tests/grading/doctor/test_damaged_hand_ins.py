"""Every damaged hand-in gets what it deserves, from nbgrader's own command, as one class."""

import json
import re
import sqlite3
from contextlib import closing

import pytest
from damaged_hand_ins import CASES, HandIn

from grading.doctor.errors import UngradableError
from grading.doctor.healing import heal
from grading.notebooks import notebook, read_notebook

POINTS = {"softmax": 3.0, "logsumexp": 2.0, "log-softmax": 3.0}


@pytest.fixture(scope="module")
def graded(small_course):
    """Grade all at once; return what each has: its checks' points, what is read, the reason."""
    released = json.loads(small_course.released_file.read_text())
    solved = small_course.solved()
    for case in CASES:
        folder = small_course.root / "submitted" / case.name / "softmax"
        folder.mkdir(parents=True)
        for name, content in case.files(HandIn(released, solved)).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    log = small_course.nbgrader("autograde", "softmax", fails=True)
    return Graded(small_course.root, log)


class Graded:
    def __init__(self, root, log):
        self.root = root
        self.log = log

    def marks(self, learner):
        query = """
            select base_cell.name, grade.auto_score, grade.needs_manual_grade from grade
            join base_cell on base_cell.id = grade.cell_id
            join submitted_notebook on submitted_notebook.id = grade.notebook_id
            join submitted_assignment on submitted_assignment.id = submitted_notebook.assignment_id
            where submitted_assignment.student_id = ?
        """
        with closing(sqlite3.connect(self.root / "gradebook.db")) as gradebook:
            rows = gradebook.execute(query, [learner]).fetchall()
        return {name.removeprefix("softmax-"): row for name, *row in rows}

    def reason(self, learner):
        folder = self.root / "submitted" / learner / "softmax"
        part = self.log.split(str(folder), 1)[1] if str(folder) in self.log else ""
        found = re.search(r"UngradableError: (.*)", part)
        return found[1] if found else ""

    def notebook(self, learner):
        return read_notebook(notebook(self.root / "autograded" / learner, "softmax"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_damaged_hand_in_gets_what_it_deserves(graded, case):
    marks = graded.marks(case.name)
    if case.ungraded:
        assert {score for score, _ in marks.values()} == {None}
        assert case.ungraded in graded.reason(case.name)
        return
    deserved = {name: 0.0 if name in case.loses else points for name, points in POINTS.items()}
    assert {name: marks[name][0] for name in POINTS} == deserved
    assert marks["explain"] == ([None, 1] if case.read else [0.0, 0])
    if case.read:  # what is read is what was written, not the text that was given out
        cells = graded.notebook(case.name).cells
        text = next(
            cell.source
            for cell in cells
            if cell.metadata.get("nbgrader", {}).get("grade_id") == "softmax-explain"
        )
        assert "YOUR ANSWER HERE" not in text
        assert "sum" in text


def test_there_are_enough_of_them_each_from_a_thread():
    assert len(CASES) >= 40
    assert len({case.name for case in CASES}) == len(CASES)
    assert all(re.fullmatch(r"https://github\.com/\S+/(issues|pull)/\d+", c.thread) for c in CASES)


def test_what_was_handed_in_stays_as_it_is(graded, small_course):
    released = json.loads(small_course.released_file.read_text())
    solved = small_course.solved()
    for case in CASES:
        folder = graded.root / "submitted" / case.name / "softmax"
        found = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }
        assert found == case.files(HandIn(released, solved))


@pytest.mark.parametrize("case", [c for c in CASES if c.ungraded], ids=lambda case: case.name)
def test_a_reason_is_one_sentence_that_says_what_to_do(hand_in, released, case):
    with pytest.raises(UngradableError, match=case.ungraded) as refused:
        heal(case.files(hand_in), released)
    text = str(refused.value)
    assert "hand in" in text
    assert text.endswith(".")
    assert "\n" not in text
