"""The report reads records and nothing that is meant for people."""

from nbformat.v4 import new_code_cell, new_output

from grading.nbgrader_steps.shown_records import record_of
from grading.report.records import misconception
from grading.verdict.record import MIME, Record

REFUSED = Record(
    exercise="softmax",
    passed=False,
    points=0.0,
    max_points=1.5,
    rule="the values are right",
    misconceptions=("SM-OVERFLOW", "SM-AXIS"),
)


def cell(data: dict, kind: str = "execute_result"):
    number = {"execution_count": 1} if kind == "execute_result" else {}
    return new_code_cell("check(softmax)", outputs=[new_output(kind, data, **number)])


def test_the_record_of_a_result_is_read_and_its_codes_are_joined():
    shown = cell({"text/plain": "0.0", MIME: REFUSED.to_json()})
    assert record_of(shown) == REFUSED
    assert misconception(shown) == "SM-OVERFLOW+SM-AXIS"


def test_html_says_nothing_to_the_report():
    html = '<div data-misconception="SM-AXIS">no</div>'
    assert misconception(cell({"text/plain": "0.0", "text/html": html})) == ""


def test_what_a_learner_displays_beside_the_result_is_no_record():
    assert record_of(cell({MIME: REFUSED.to_json()}, "display_data")) is None


def test_something_else_under_the_records_name_is_said_and_stops_nothing():
    typed = REFUSED.to_json() | {"misconceptions": [1]}
    for forged in ({"misconceptions": ["X"]}, "text", ["X"], 1, None, typed):
        assert misconception(cell({"text/plain": "0.0", MIME: forged})) == "(no readable record)"


def test_a_passed_check_and_a_cell_without_outputs_name_no_mistake():
    passed = Record(exercise="softmax", passed=True, points=1.5, max_points=1.5)
    assert misconception(cell({MIME: passed.to_json()})) == ""
    assert misconception(new_code_cell("1 + 1")) == ""
