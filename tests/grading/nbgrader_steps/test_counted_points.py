"""An exercise's points changed since a release: a check counts in the points of the class."""

import pytest
from nbformat.notebooknode import from_dict
from nbformat.v4 import new_code_cell, new_output

from grading import check
from grading.exercises import find
from grading.nbgrader_steps.fail_closed import FailClosed
from grading.verdict.record import MIME, Record
from grading.words import result


def shown(points: float, of: float, text: str | None = None) -> dict:
    """Return what a check shows that gave some of its points."""
    record = Record(exercise="double", passed=points == of, points=points, max_points=of)
    data = {"text/plain": repr(points) if text is None else text, "text/html": "<p>Passed</p>"}
    return data | {MIME: record.to_json()}


def counted(data: dict, maximum: float, *more: dict) -> tuple[float, str]:
    """Return what a cell of some points earns by this result, and what it says besides."""
    cell = new_code_cell("check(double)", metadata={"nbgrader": {"grade_id": "tiny-double"}})
    cell.metadata["nbgrader"]["points"] = maximum
    for one in (data, *more):
        cell.outputs.append(new_output("execute_result", from_dict(one), execution_count=1))
    FailClosed().judge(cell, executed=True)
    results = [output for output in cell.outputs if output.output_type == "execute_result"]
    texts = [output.data.get("text/html", "") for output in cell.outputs]
    assert len(results) == 1
    return float(results[0].data["text/plain"]), " ".join(texts)


@pytest.mark.parametrize(
    ("points", "of", "maximum", "earned"),
    [
        (2.0, 2.0, 1.5, 1.5),  # the exercise gives more by now than the class's cell
        (1.5, 1.5, 2.0, 2.0),  # and less
        (0.5, 2.0, 1.5, 0.375),
        (0.0, 2.0, 1.5, 0.0),
        (0.8, 0.8, 0.7, 0.7),  # no rounding takes a part of the whole
        (1.5, 1.5, 1.5, 1.5),
        (0.0, 0.0, 1.5, 0.0),  # no exercise of that name is known
        (2.0, 2.0, 0.0, 0.0),  # a cell that the instructor took out of the mark
    ],
)
def test_a_check_earns_the_same_part_of_the_cells_points(points, of, maximum, earned):
    got, said = counted(shown(points, of), maximum)
    assert got == earned
    assert ("In your class it counts" in said) is (of not in (0.0, maximum))


def test_the_learner_reads_how_it_was_counted():
    _, said = counted(shown(2.0, 2.0), 1.5)
    assert "gave 2 of 2 points. In your class it counts 1.5, so it earned 1.5." in said
    assert "Passed" in said


# Without a record that says the same as the text, the text alone counts, as it does everywhere.
FORGED = {
    "without a record": ({"text/plain": "2.0"}, 1.5, 0.0),
    "text and record differ": (shown(2.0, 2.0, text="1.0"), 1.5, 1.0),
    "more than all of its points": (shown(4.0, 2.0), 1.5, 0.0),
    "more than all, and fewer than the cell's": (shown(1.2, 1.0), 1.5, 1.2),
    "no number": (shown(2.0, 2.0, text="'2.0'"), 1.5, 0.0),
    "negative": (shown(-2.0, 2.0), 1.5, 0.0),
    "not finite": (shown(2.0, float("inf")), 1.5, 0.0),
    "a record that is none": ({"text/plain": "2.0", MIME: {"points": 2.0}}, 1.5, 0.0),
    "a record that is a text": ({"text/plain": "2.0", MIME: "2.0"}, 1.5, 0.0),
}


@pytest.mark.parametrize("case", FORGED)
def test_a_record_that_does_not_fit_proves_nothing(case):
    data, maximum, earned = FORGED[case]
    assert counted(data, maximum)[0] == earned


@pytest.mark.parametrize("points", [1e-300, 0.1, 1.0, 1e300])
@pytest.mark.parametrize("of", [1e-300, 0.1, 1.0, 1e300])
def test_no_record_earns_more_than_the_cell_has(points, of):
    assert 0.0 <= counted(shown(points, of), 1.5)[0] <= 1.5


def test_two_results_are_two_whatever_their_records_say():
    got, said = counted(shown(2.0, 2.0), 1.5, shown(2.0, 2.0))
    assert got == 0.0
    assert "In your class it counts" not in said


def test_what_a_real_check_shows_is_counted(monkeypatch):
    monkeypatch.setattr(result, "_in_kernel", lambda: True)
    exercise = find("scale_scores")
    for answer, part in ((lambda scores, head_dim: scores / head_dim**0.5, 1.0), (len, 0.0)):
        data = check(answer, exercise="scale_scores")._repr_mimebundle_()
        assert counted(data, 7 * exercise.points)[0] == 7 * exercise.points * part
