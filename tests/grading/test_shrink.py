"""The smallest example is small, true, and enough to see the mistake."""

import re
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from observed import case, trials

from grading import check
from grading.exercise import Exercise
from grading.exercises import all_exercises, find
from grading.verdict.rules import first_finding
from grading.verdict.shrink import Example, smallest_example

#: Exercises whose inputs may be cut down and that have one truth.
CUT = [e for e in all_exercises() if e.axes and e.judge is None]


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Search as long as it takes on a busy machine."""
    monkeypatch.setattr("grading.verdict.shrink.BUDGET", 3.0)


def example(exercise: Exercise, wrong: Any) -> Example | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        under_check = case(exercise, wrong)
        seen, right = trials(under_check)
        finding = first_finding(under_check, seen, right)
        assert finding is not None
        return smallest_example(under_check, finding, seen, right)


def test_the_example_holds_round_numbers_where_they_are_enough() -> None:
    exercise = find("attention_scores")
    assert exercise is not None
    one = example(exercise, lambda query, key: 2 * query @ key.mT)
    assert one is not None
    assert {name: tuple(value.shape) for name, value in one.inputs.items()} == {
        "query": (1, 1),
        "key": (1, 1),
    }
    assert all(value.numbers == value.numbers.round(0) for value in one.inputs.values())


def test_heads_that_cannot_be_dropped_are_cut() -> None:
    def over_heads(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
        scores = query @ key.mT / query.shape[-1] ** 0.5
        if may_attend is not None:
            scores = scores.masked_fill(~may_attend, -1e300)
        weights = scores.softmax(1 if scores.ndim == 4 else -1)
        if may_attend is not None:
            weights = weights * may_attend
        return weights @ value, weights

    result = check(over_heads, exercise="scaled_dot_product_attention")
    assert "numbers of shape" not in result.example
    exercise = find("scaled_dot_product_attention")
    assert exercise is not None
    one = example(exercise, over_heads)
    assert one is not None
    assert tuple(one.inputs["query"].shape) == (1, 1, 1, 1)


def test_a_batch_axis_that_is_mixed_is_cut_to_two() -> None:
    def mixed(query: Any, key: Any) -> Any:
        return query @ (key.flip(0) if key.ndim == 4 else key).mT

    exercise = find("attention_scores")
    assert exercise is not None
    one = example(exercise, mixed)
    assert one is not None
    assert tuple(one.inputs["query"].shape) == (2, 1, 1, 1)


def test_no_zero_is_shown_as_negative() -> None:
    result = check(lambda query, key: -(query @ key.mT) * 0.0, exercise="attention_scores")
    assert "-0 " not in f"{result.example} ".replace("\n", " ")
    assert re.search(r"yours *: +0\b", result.example)


def test_both_rows_can_be_told_apart_in_what_is_printed() -> None:
    result = check(lambda query, key: query @ key.mT + 1e-5, exercise="attention_scores")
    rows = re.findall(r"(yours|expected) *: +(.+)", result.example)
    assert [name for name, _ in rows] == ["yours", "expected"]
    assert rows[0][1] != rows[1][1]


def test_an_answer_that_writes_into_its_inputs_spoils_no_example() -> None:
    def writes(query: Any, key: Any, value: Any) -> Any:
        query *= 2
        return np.zeros((len(query), value.shape[1]))

    result = check(writes, exercise="attention_by_loops")
    assert "query" in result.example
    assert "expected" in result.example


def test_inputs_that_the_reference_refuses_are_no_example() -> None:
    exercise = find("attention_scores")
    assert exercise is not None

    def picky(query: Any, key: Any) -> Any:
        if 1 in query.shape:
            raise ValueError("two of everything, please")
        return query @ key.mT

    one = example(replace(exercise, reference=picky), lambda query, key: 2 * query @ key.mT)
    assert one is not None
    assert tuple(one.inputs["query"].shape) == (2, 2)
    assert one.right.outputs is not None
