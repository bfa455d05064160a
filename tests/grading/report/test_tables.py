"""The report counts each mistake and names only files that are there."""

from grading.classroom.grade.states import State
from grading.report import printed
from grading.report.marks import CheckRow, Mark, reason
from grading.report.tables import cell_text, counts, histogram, notice


def test_two_mistakes_of_one_answer_are_counted_one_by_one():
    rows = [
        CheckRow(learner="l1", slug="s", check="c", points=0, max_points=1, misconception=codes)
        for codes in ("A+B", "A", "", "A+B")
    ]
    lines = [line.split() for line in histogram(rows).splitlines()]
    assert lines == [["c", "A", "###", "3"], ["c", "B", "##", "2"]]


def test_marks_that_were_not_exported_are_not_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(printed, "read_course", lambda course: ([], []))
    printed.print_report(tmp_path)
    said = capsys.readouterr().out
    assert "checks.csv" in said
    assert "grades.csv" not in said
    (tmp_path / "grades.csv").write_text("")
    printed.print_report(tmp_path)
    assert "grades.csv" in capsys.readouterr().out


def mark(**facts) -> Mark:
    plain = {"points": 8.0, "max_points": 10.0, "to_read": 0, "state": "graded", "reason": ""}
    return Mark(learner="l1", slug="s", **(plain | facts))


def test_no_mark_is_no_number_and_an_earlier_one_has_a_sign():
    assert cell_text(None) == "-"
    assert cell_text(mark()) == "8/10"
    assert cell_text(mark(to_read=1)) == "8/10 r"
    assert cell_text(mark(state="refused", points=0.0)) == "0/10 x"
    assert cell_text(mark(state="ungraded", points=None)) == "not graded"
    assert cell_text(mark(state="ungraded")) == "8/10 e"
    assert cell_text(mark(state="not handed in", points=None)) == "-"


def test_the_states_are_counted_and_so_is_what_was_mended():
    marks = [mark(), mark(repairs=("A cell came back.",)), mark(state="ungraded", points=None)]
    assert counts(marks) == "graded 2, refused 0, ungraded 1, mended before grading 1"


def test_a_reason_stands_beside_the_table_and_that_one_waits_does_not():
    assert notice(mark(reason="an explanation waits to be read", to_read=1)) == ""
    assert notice(mark(state="ungraded", reason="not JSON")) == "s: not JSON"


def test_what_is_said_of_a_mark():
    ungraded = State(kind="ungraded", reason="not JSON", marked="2026-01-05 10:00:00 UTC")
    stands = "not JSON; The mark of the hand-in of 2026-01-05 10:00:00 UTC stands"
    assert reason(ungraded, given=True, to_read=0) == stands
    assert reason(ungraded, given=False, to_read=0) == "not JSON"
    refused = State(kind="refused", refused={"a": "no result", "b": "an error"})
    assert (
        reason(refused, given=True, to_read=2) == "a: no result; b: an error; 2 explanations wait"
    )
