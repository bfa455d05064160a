"""The report counts each mistake and names only files that are there."""

from grading.report import printed
from grading.report.marks import CheckRow
from grading.report.tables import histogram


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
