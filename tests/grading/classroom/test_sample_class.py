"""A class of small notebooks, from solutions to the printed table, by the real nbgrader."""

import csv
import json
import os
import subprocess
import sys
from html.parser import HTMLParser

import nbformat
import pytest

from grading.classroom.sample_learners import learners
from grading.notebooks import notebook

LEARNERS = {
    "learner-01": '"""All right."""',
    "learner-02": '"""Nothing written."""\nSTARTS_FROM = "blank"',
    "learner-03": '"""Half."""\n\n\ndef double(x):\n    return x ** 2\n',
    "learner-04": '"""A file cut off."""\nDAMAGED = True',
    "learner-05": '"""Ends its own process."""\ndef double(x):\n    import os\n    os._exit(1)\n',
}
# What `check` shows is a record beside the points; the HTML is for people.
RESULT = """
from grading.verdict.record import MIME, Record
class Result(float):
    def _repr_mimebundle_(self, **options):
        codes = () if self else ("DOUBLE-SQUARE", "DOUBLE-LATE")
        record = Record(exercise="double", passed=bool(self), points=float(self), max_points=2.0,
                        misconceptions=codes)
        html = '<div data-misconception="NOT-READ">' + (" ".join(codes) or "passed") + "</div>"
        return {"text/plain": repr(float(self)), "text/html": html, MIME: record.to_json()}
def check(f):
    return Result(2.0 if f(5) == 10 else 0.0)
"""


class AttributeFinder(HTMLParser):
    """Collect the values of one attribute in a piece of HTML."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.values: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.values += [value for name, value in attrs if name == self.name and value]


def call(root, code: str, *, fails: bool = False) -> str:
    """Run a line of Python in a process of its own, with a bare PATH; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env=os.environ | {"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode != 0) is fails, done.stdout + done.stderr
    return done.stdout


GRADE = (
    "from pathlib import Path; from grading.classroom.sample_class import grade_class;"
    "from grading.report.printed import print_report;"
    "print_report(*grade_class(Path('.').resolve(), Path('learners').resolve()))"
)


@pytest.fixture(scope="module")
def root(tmp_path_factory, tiny_notebook):
    root = tmp_path_factory.mktemp("repository")
    for slug in ("one", "two"):
        nb = tiny_notebook(slug, {"double": "return 2 * x"}, arguments="x", check="check({task})")
        nb.cells.insert(0, nbformat.v4.new_code_cell(RESULT, id="first"))
        source = notebook(root / "solutions", slug)
        source.parent.mkdir(parents=True)
        nbformat.write(nb, source)
    (root / "learners").mkdir()
    for name, text in LEARNERS.items():
        hands_in = '\nHANDS_IN = ("two",)\n' if name == "learner-05" else "\n"
        (root / "learners" / f"{name}.py").write_text(text + hands_in)
    return root


@pytest.fixture(scope="module")
def printed(root):
    return call(root, GRADE)


def line_of(printed: str, learner: str) -> str:
    return next(line for line in printed.splitlines() if line.startswith(learner))


def marks(printed: str, learner: str) -> list[str]:
    return [word for word in line_of(printed, learner).split() if "/" in word]


def test_every_member_has_a_row_with_the_marks_earned(printed):
    assert marks(printed, "learner-01") == ["2/4", "2/4"], line_of(printed, "learner-01")
    assert marks(printed, "learner-02") == ["0/4", "0/4"]
    assert marks(printed, "learner-03") == ["0/4", "0/4"]


def test_the_mistake_is_named_and_counted(printed):
    assert line_of(printed, "learner-03").count("DOUBLE-SQUARE") == 2
    lines = [line.split() for line in printed.splitlines()]
    assert ["one-double", "DOUBLE-SQUARE", "#", "1"] in lines
    assert ["one-double", "DOUBLE-LATE", "#", "1"] in lines
    assert "NOT-READ" not in printed


def test_a_damaged_file_has_a_reason_and_a_dead_kernel_costs_its_check(printed):
    assert "The file is cut off" in line_of(printed, "learner-04")
    assert marks(printed, "learner-05") == ["0/4"]  # the check that died costs its own points
    assert " - " in line_of(printed, "learner-05")


def test_feedback_names_the_mistake_and_asks_no_other_host(root, printed):
    page = root / "_build" / "class" / "feedback" / "learner-03" / "one" / "one.html"
    html = page.read_text(encoding="utf-8")
    assert "DOUBLE-SQUARE" in html
    finder = AttributeFinder("src")
    finder.feed(html)
    assert [source for source in finder.values if not source.startswith("data:")] == []
    assert "cdnjs" not in html
    assert "katex" in html
    assert str(page) in printed or "feedback of one learner" in printed


def test_marks_are_exported(root, printed):
    with (root / "_build" / "class" / "grades.csv").open() as file:
        rows = {(row["student_id"], row["assignment"]): row for row in csv.DictReader(file)}
    assert float(rows["learner-01", "one"]["score"]) == 2.0
    damaged = rows["learner-04", "two"]
    assert (damaged["score"], damaged["state"]) == ("", "ungraded")
    assert damaged["reason"] != ""
    assert rows["learner-05", "one"]["state"] == "not handed in"
    with (root / "_build" / "class" / "checks.csv").open() as file:
        codes = [row["misconception"] for row in csv.DictReader(file) if row["misconception"]]
    assert codes == ["DOUBLE-SQUARE+DOUBLE-LATE"] * 2


def graded_at(root) -> dict[str, int]:
    folder = root / "_build" / "class" / "autograded"
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*.ipynb")
    }


def test_a_second_run_grades_nothing_and_prints_the_same(root, printed):
    before = graded_at(root)
    assert call(root, GRADE) == printed
    assert graded_at(root) == before


def test_only_what_changed_is_graded_again(root, printed):
    before = graded_at(root)
    learner = root / "learners" / "learner-03.py"
    original = learner.read_text()
    learner.write_text(original.replace("x ** 2", "x + x"))
    assert marks(call(root, GRADE), "learner-03") == ["2/4", "2/4"]
    after = graded_at(root)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"learner-03/one/one.ipynb", "learner-03/two/two.ipynb"}
    learner.write_text(original)


def test_a_changed_assignment_starts_a_new_gradebook(root, printed):
    source = notebook(root / "solutions", "two")
    original = source.read_bytes()
    source.write_bytes(original.replace(b"In two sentences", b"In three sentences"))
    try:
        assert marks(call(root, GRADE), "learner-01") == ["2/4", "2/4"]
    finally:
        source.write_bytes(original)


def test_the_sources_are_left_alone(root, printed):
    assert {path.name for path in root.iterdir()} == {"solutions", "learners", "_build"}
    check = notebook(root / "solutions", "one").read_text()
    assert '"outputs": []' in check


def test_the_course_has_a_class_of_twelve_and_more():
    members = learners()
    handed_in = sum(len(member.hands_in) or 3 for member in members)
    assert len(members) >= 12
    assert handed_in >= 12
    assert [member.name for member in members if member.damaged] != []
    assert sum(member.starts_from == "blank" for member in members) >= 2
    assert json.dumps([member.about for member in members]).count('""') == 0
