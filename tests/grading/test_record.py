"""A verdict is a record: it goes through JSON and comes back as it was."""

import dataclasses
import json
import math

import numpy as np
import pytest

from grading.observation.values import Array, EachRank, Named, Randomness, tensor
from grading.verdict.inputs import shown_input
from grading.verdict.record import MIME, Example, Picture, Record, Told
from grading.words.text import head

EXAMPLE = Example(
    probe="all sizes different",
    smallest=True,
    inputs={"x": [[1.0, -math.inf], [0.25, 3.0]], "axis": -1, "kind": "rnn", "mask": None,
            "weights": Told("numbers of shape (5, 7)")},
    output="weights", index=(1, 0), yours=(math.nan, 2), expected=(0.5, True),
)  # fmt: skip
RECORD = Record(
    exercise="softmax", passed=False, points=0.0, max_points=1.5,
    rule="the values are right", misconceptions=("SM-OVERFLOW", "SM-NOKEEP"),
    parts=("weights differs.", "Take the maximum out."),
    example=EXAMPLE, link="softmax#eq-softmax",
)  # fmt: skip


def through_json(record):
    """Write a record as strict JSON, as a notebook file holds it, and read it again."""
    return Record.from_json(json.loads(json.dumps(record.to_json(), allow_nan=False)))


def test_a_record_comes_back_from_json_as_it_was():
    again = through_json(RECORD)
    assert math.isnan(again.example.yours[0])
    example = dataclasses.replace(again.example, yours=EXAMPLE.yours)
    assert dataclasses.replace(again, example=example) == RECORD
    assert type(again.example.yours[1]) is int
    assert again.example.expected[1] is True
    assert again.example.index == (1, 0)


def test_a_passed_record_comes_back_with_its_picture():
    picture = Picture(title="Log-sum-exp", rows=((0.5, -1.0), (2.0, 3.5)))
    passed = Record(
        exercise="logsumexp", passed=True, points=1.0, max_points=1.0, parts=("Go on.",),
        picture=picture,
    )  # fmt: skip
    assert through_json(passed) == passed


@pytest.mark.parametrize(
    "broken",
    [
        {name: value for name, value in RECORD.to_json().items() if name != "parts"},
        RECORD.to_json() | {"colour": "red"},
        RECORD.to_json() | {"example": {"probe": "half of one"}},
        RECORD.to_json() | {"example": 3},
        ["softmax", 1.0],
    ],
)
def test_what_is_no_record_is_refused(broken):
    with pytest.raises(ValueError, match="this is no record of a check"):
        Record.from_json(broken)


def example_with(**fields):
    return {"example": RECORD.to_json()["example"] | fields}


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("exercise", {"exercise": 3}),
        ("passed", {"passed": "yes"}),
        *(("points", {"points": value}) for value in ("many", True, None, -1.0, {"number": "nan"})),
        *(("points", {"points": value}) for value in (math.nan, math.inf, -math.inf)),
        ("max_points", {"max_points": [1.0]}),
        ("max_points", {"max_points": math.inf}),
        ("rule", {"rule": 1}),
        ("misconceptions", {"misconceptions": [1]}),
        ("misconceptions", {"misconceptions": "abc"}),
        ("parts", {"parts": [2]}),
        ("link", {"link": None}),
        ("example", example_with(inputs=3)),
        ("example", example_with(inputs={"x": {"told": 3}})),
        ("example", example_with(inputs={"x": [[1.0], {"y": 2}]})),
        ("example", example_with(probe=1)),
        ("example", example_with(smallest=1)),
        ("example", example_with(other=1)),
        ("example", example_with(label=None)),
        ("example", example_with(output=None)),
        ("example", example_with(index=["0"])),
        ("example", example_with(yours="12")),
        ("example", example_with(expected=[{"a": 1}])),
        ("picture", {"picture": {"title": 1, "rows": [[1.0]]}}),
        ("picture", {"picture": {"title": "T", "rows": [["1"]]}}),
        ("picture", {"picture": {"title": "T", "rows": [[]]}}),
    ],
)
def test_a_field_of_another_kind_is_refused_by_its_name(name, fields):
    with pytest.raises(ValueError, match=f"this is no record of a check: {name} is "):
        Record.from_json(RECORD.to_json() | fields)


def test_the_records_mime_type_is_json_of_our_own():
    assert MIME.startswith("application/vnd.")
    assert MIME.endswith("+json")


@pytest.mark.parametrize(
    ("smallest", "other", "words"),
    [
        (True, False, "Smallest example"),
        (False, False, "An example"),
        (True, True, "Another example on which it is wrong"),
        (False, True, "Another example on which it is wrong"),
    ],
)
def test_an_example_is_called_what_it_is(smallest, other, words):
    example = dataclasses.replace(EXAMPLE, smallest=smallest, other=other)
    assert head(example) == (f"{words} (all sizes different):" if other else f"{words}:")
    labelled = dataclasses.replace(example, label="T = 1, S = 2")
    assert head(labelled) == f"{words} (T = 1, S = 2):"
    again = through_json(dataclasses.replace(RECORD, example=example)).example
    assert (again.smallest, again.other) == (smallest, other)


def test_a_record_without_the_newer_words_is_read():
    data = json.loads(json.dumps(RECORD.to_json()))
    del data["example"]["other"], data["example"]["label"]
    assert not Record.from_json(data).example.other


LONG_DICT = {f"{number}": number for number in range(37)}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (tensor(np.arange(36.0)), list(np.arange(36.0))),
        (tensor(np.arange(37.0)), Told("numbers of shape (37,)")),
        (Array("tensor", "float64", (), None, "a sparse"), Told("numbers of shape ()")),
        (Randomness(seed=1), Told("a torch.Generator")),
        (3, 3),
        (None, None),
        ("x" * 240, "x" * 240),
        ("x" * 241, Told("241 characters")),
        (b"ab", Told("b'ab'")),
        (b"x" * 1000, Told("1000 bytes")),
        ([1, 2], Told("[1, 2]")),
        ((1,), Told("(1,)")),
        ((1, (2.5, None)), Told("(1, (2.5, None))")),
        (list(range(36)), Told(str(list(range(36))))),
        (list(range(37)), Told("a list of 37 entries")),
        (["x" * 240], Told("a list of 1 entry")),
        ([[0] * 1000, b"y" * 1000], Told("[a list of 1000 entries, 1000 bytes]")),
        ({b"ab": 7, "n": [1]}, Told("{b'ab': 7, 'n': [1]}")),
        (LONG_DICT, Told("a dict of 37 entries")),
        ({"d": LONG_DICT}, Told("{'d': a dict of 37 entries}")),
        ([tensor([1.0, 2.0]), tensor(np.ones(37))], Told("[[1.0, 2.0], numbers of shape (37,)]")),
        (EachRank((tensor([1.0]), 3)), Told("on each rank: [[1.0], 3]")),
        (Named("linear", {"weight": tensor(np.ones(99))}), Told('"linear", made by its name')),
    ],
    ids=str,
)
def test_inputs_are_shown_as_short_as_a_person_reads(value, shown):
    assert shown_input(value) == shown
