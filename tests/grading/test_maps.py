"""Where a picture says more, a refusal shows the learner's matrix beside the expected one."""

import json
import math
import re
from typing import Any

import numpy as np
import pytest
import torch

from grading import check
from grading.asking import function_of
from grading.exercises import find
from grading.verdict.record import Comparison, Record
from grading.words.maps import maps

pytestmark = pytest.mark.filterwarnings("ignore")


def checked(name: str, code: str) -> Any:
    exercise = find(name)
    assert exercise is not None
    return check(function_of(exercise, (code, 0)), exercise=name)


def drawn(html: str) -> list[list[list[tuple[str, str]]]]:
    """Read every grid: the number behind each cell, and the sign in it."""
    tables = re.findall(r'<table role="img".*?</table>', html, re.S)
    lines = [re.findall(r"<tr.*?</tr>", table, re.S) for table in tables]
    cell = re.compile(r'title="([^"]*)">([^<]*)</td>')
    return [[cell.findall(line) for line in table] for table in lines]


def test_the_grids_hold_what_the_function_and_the_reference_return() -> None:
    result = checked("scaled_dot_product_attention", "SDPA-NOSCALE")
    one = result.record.comparison
    assert one.title == "weights[0, 0]"
    assert one.axes == ("T", "S")
    yours, expected = np.array(one.yours), np.array(one.expected)
    assert yours.shape == expected.shape == (7, 9)
    np.testing.assert_allclose(yours.sum(-1), 1)
    np.testing.assert_allclose(expected.sum(-1), 1)
    assert yours.max() > expected.max()  # undivided scores give sharper weights
    mine, right = drawn(result.html)
    assert [[float(number) for number, _ in line] for line in mine] == [
        [float(f"{number:.4g}") for number in line] for line in one.yours
    ]
    assert {sign for line in mine for _, sign in line} == {"•"}
    assert {sign for line in right for _, sign in line} == {""}


def test_only_what_is_wrong_is_marked() -> None:
    def one_row_wrong(query: Any, key: Any) -> Any:
        scores = query @ key.mT
        return torch.cat([scores[..., :2, :], 2 * scores[..., 2:3, :], scores[..., 3:, :]], -2)

    result = check(one_row_wrong, exercise="attention_scores")
    mine, _ = drawn(result.html)
    assert [{sign for _, sign in line} for line in mine[:4]] == [{""}, {""}, {"•"}, {""}]
    described = re.findall(r'aria-label="([^"]*)"', result.html)
    assert "scores[0, 0], yours: 7 rows and 9 columns, from -" in described[0]
    assert described[0].endswith("; 9 of 63 numbers are wrong.")
    assert "wrong" not in described[1]


def test_a_transposed_matrix_is_seen_in_its_shape() -> None:
    one = checked("attention_scores", "SC-KQ").record.comparison
    assert (len(one.yours), len(one.yours[0])) == (9, 7)
    assert (len(one.expected), len(one.expected[0])) == (7, 9)


def test_what_has_no_queries_and_keys_has_no_grid() -> None:
    vectors = [("project_qkv", "QKV-SHARED"), ("weight_entropy", "ENT-LOG2")]
    for name, code in [*vectors, ("softmax_scale", "SCL-NOROOT")]:
        result = checked(name, code)
        assert result.record.comparison is None
        assert 'role="img"' not in result.html


@pytest.fixture
def odd() -> Comparison:
    return Comparison(
        title="mask <b>", axes=("T", "E"), cut=True,
        yours=((math.nan, 1.0), (-math.inf, -1.0)), expected=((0.0, 1.0), (0.0, -1.0)),
    )  # fmt: skip


def test_odd_numbers_and_signs_are_shown_and_described(odd: Comparison) -> None:
    html = maps(odd)
    assert "mask &lt;b&gt;" in html
    assert "<b>" not in html
    mine, _ = drawn(html)
    assert [[sign for _, sign in line] for line in mine] == [["?", ""], ["∞", ""]]
    assert "a row for each query, a column for each E." in html
    assert "orange is below 0" in html
    assert "Only the first rows and columns are shown." in html
    assert "2 of 4 numbers are wrong" in html
    assert "from -1 to 1" in html


def test_grids_travel_in_the_record(odd: Comparison) -> None:
    record = Record(exercise="x", passed=False, points=0.0, max_points=1.0, comparison=odd)
    again = Record.from_json(json.loads(json.dumps(record.to_json(), allow_nan=False))).comparison
    assert again is not None
    assert repr(again) == repr(odd)


@pytest.mark.parametrize(
    "fields",
    [{"title": 3}, {"cut": "no"}, {"axes": [1]}, {"yours": []}, {"expected": [["1"]]}],
    ids=str,
)
def test_grids_of_another_kind_are_refused(odd: Comparison, fields: dict[str, Any]) -> None:
    record = Record(exercise="x", passed=False, points=0.0, max_points=1.0, comparison=odd)
    data = record.to_json()
    data["comparison"] = data["comparison"] | fields
    with pytest.raises(ValueError, match="this is no record of a check: comparison is "):
        Record.from_json(data)


def test_an_older_record_without_grids_is_read() -> None:
    data = Record(exercise="x", passed=True, points=1.0, max_points=1.0).to_json()
    del data["comparison"]
    assert Record.from_json(data).comparison is None
