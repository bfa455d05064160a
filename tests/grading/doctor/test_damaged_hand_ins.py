"""Every damaged hand-in gets what it deserves, from nbgrader's own command, as one class."""

import json
import re
import sqlite3
from contextlib import closing

import pytest
from damaged_hand_ins import CASES, HandIn

from grading.doctor.errors import UngradableError
from grading.doctor.healing import heal
from grading.notebooks import ROOT, notebook, read_notebook

POINTS = {"softmax": 3.0, "logsumexp": 2.0, "log-softmax": 3.0}
#: Where a run of these tests writes what each of the damaged hand-ins deserves and gets.
TABLE = ROOT / "_build" / "damaged-hand-ins.md"


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
        """Return the reason that stands nearest behind the place where the log names the folder."""
        folder = re.escape(str(self.root / "submitted" / learner / "softmax"))
        named = [found.end() for found in re.finditer(rf"{folder}(?=\n| cannot)", self.log)]
        reasons = [re.search("UngradableError: (.*)", self.log[place:]) for place in named]
        return min((one.start(), one[1]) for one in reasons if one)[1]

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
    assert len({case.thread for case in CASES}) >= 40


def in_words(points, read):
    return f"{points:g} of {sum(POINTS.values()):g}, explanation {'read' if read else 'at 0'}"


def deserved(case):
    if case.ungraded:
        return f"no mark: {case.ungraded}"
    return in_words(sum(POINTS[name] for name in POINTS if name not in case.loses), case.read)


def got(graded, case):
    marks = graded.marks(case.name)
    if all(score is None for score, _ in marks.values()):
        return f"no mark: {graded.reason(case.name)}"
    return in_words(sum(marks[name][0] or 0 for name in POINTS), marks["explain"][1])


def test_the_table_says_of_each_what_it_deserves_and_gets(graded):
    rows = [(case.name, case.thread, deserved(case), got(graded, case)) for case in CASES]
    lines = ["| case | thread | deserves | gets |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in rows]
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for case, (name, _, deserves, gets) in zip(CASES, rows, strict=True):
        assert gets == deserves or (case.ungraded and case.ungraded in gets), name


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


#: What is told to the learner, by the names of some cases.
TOLD = {
    "work-beside-a-blank-notebook": '"softmax (1).ipynb" holds the work',
    "two-full-notebooks": '"softmax-2.ipynb" holds as much, but other, work',
    "checks-deleted": 'The check "softmax-softmax" was missing and was put back.',
    "schema-version-9": "nbgrader's marks of 7 cells were not as released",
    "file-named-like-a-module": 'The file "random.py" has the name of a module',
    "process-ended-in-a-cell-of-its-own": 'starts "import os" ended the process',
    "endless-loop-that-cannot-be-stopped": 'starts "import time" did not stop',
    "process-ended-again-and-again": "The process ended more than 5 times; the rest was not run.",
    "quit-in-the-middle": 'starts "quit()" asked the process to end',
}


@pytest.mark.parametrize("name", TOLD)
def test_a_repair_is_kept_in_the_graded_notebook(graded, name):
    repairs = graded.notebook(name).metadata["attention_course"]["repairs"]
    assert any(TOLD[name] in repair for repair in repairs)
    assert all(repair.endswith(".") for repair in repairs)


def test_repairs_stand_at_the_top_of_the_learners_page(graded, small_course):
    small_course.nbgrader("generate_feedback", "softmax", "--student", "notebook-renamed")
    folder = graded.root / "feedback" / "notebook-renamed" / "softmax"
    page = (folder / "softmax.html").read_text(encoding="utf-8")
    sentence = 'The notebook was handed in as "softmax &amp; final.ipynb".'
    assert page.index(sentence) < page.index("Write softmax.")
    small_course.nbgrader("generate_feedback", "softmax", "--student", "no-outputs")
    page = (graded.root / "feedback" / "no-outputs" / "softmax" / "softmax.html").read_text()
    assert "was repaired" not in page


def test_what_a_cell_prints_is_kept_up_to_a_page(graded):
    name = "twenty-megabytes-printed"
    path = notebook(graded.root / "autograded" / name, "softmax")
    assert path.stat().st_size < 200_000
    assert "[20000001 characters, cut here]" in path.read_text()


def test_a_check_shows_its_own_text_and_no_private_name(graded):
    for cell in graded.notebook("own-function-called-check").cells:
        assert "_released_" not in cell.source
