"""What an example shows can be computed again, to the digits shown, over the whole catalogue."""

import ast
import dataclasses
import re
import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from observed import case, trials

from grading import check
from grading.asking import draw, function_of
from grading.catalogue.kill_table import wrong_answers
from grading.exercise import Exercise, Seen
from grading.exercises import all_exercises, find
from grading.observation.seen import Observation
from grading.observation.values import Named
from grading.verdict.case import REFERENCE
from grading.verdict.inputs import WRITTEN
from grading.words.result import CheckResult

pytestmark = pytest.mark.filterwarnings("ignore")
ROW = re.compile(r"^  (shape of )?([\w -]+?)(?:\[([\d, ]+)\])?, (yours|expected) *: +(.+)$", re.M)
SENTENCE = re.compile(r"([\w -]+)\[([\d, ]+)\] is (\S+) and has to be (\S+?)(?:;|\.(?:\s|$))")


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Search as long as it takes on a busy machine."""
    monkeypatch.setattr("grading.verdict.shrink.BUDGET", 5.0)


def is_written(exercise: Exercise) -> bool:
    """Whether all inputs are shown as numbers or as Python: a model is only called by its name."""
    inputs = draw(exercise, exercise.probes[0]).values()
    return all(one.name in WRITTEN for one in inputs if isinstance(one, Named))


def wrong_ones() -> Iterator[tuple[Exercise, Any]]:
    """Every variant of every mistake that shows in what is returned or raised."""
    for exercise in all_exercises():
        shown = {one.code for one in exercise.misconceptions if one.shows == "values"}
        is_shown = exercise.judge is None and is_written(exercise)
        for who in wrong_answers(exercise) if is_shown else ():
            if who[0] in shown and exercise.parameters:
                yield exercise, who


each = pytest.mark.parametrize(
    ("exercise", "who"), [pytest.param(e, w, id=f"{e.name}-{w[0]}-{w[1]}") for e, w in wrong_ones()]
)


@cache
def checked(name: str, who: Any) -> CheckResult:
    exercise = find(name)
    assert exercise is not None
    return check(function_of(exercise, who), exercise=name)


def read(text: str, like: Any) -> Any:
    """Return an input as it is shown, as the kind of value that it is."""
    if callable(like):
        assert text.startswith("lambda ")
        return eval(text, {"torch": torch})
    tree = ast.parse(text.replace("inf", "1e999").replace("nan", "(1e999 - 1e999)"), mode="eval")
    held = eval(compile(tree, "shown", "eval"), {"__builtins__": {}})
    if isinstance(like, torch.Tensor):
        return torch.tensor(held, dtype=like.dtype)
    return np.array(held, dtype=like.dtype) if isinstance(like, np.ndarray) else held


def shown_inputs(result: CheckResult) -> dict[str, Any]:
    """Read the inputs that an example shows; those that are told in words are taken as they are."""
    shown = dict(re.findall(r"^  (\w+) = (.+)$", result.example, re.M))
    shown = {name: text for name, text in shown.items() if not text.startswith("left out, so ")}
    assert list(shown) == list(result.inputs)
    return {
        name: like if "numbers of shape" in shown[name] else read(shown[name], like)
        for name, like in result.inputs.items()
    }


@each
def test_what_is_expected_is_a_number(exercise: Exercise, who: Any) -> None:
    result = checked(exercise.name, who)
    asked = [one[4] for one in ROW.findall(result.example) if one[3] == "expected"]
    asked += [one[3] for one in SENTENCE.findall(str(result))]
    assert not [text for text in asked if "nan" in text.lower()], str(result)


def output_of(exercise: Exercise, function: Any, inputs: dict[str, Any], name: str) -> Any:
    """Call a function on what is shown; return the named output."""
    made = function(*inputs.values())
    names = [output.name for output in exercise.outputs]
    if exercise.view is not None:  # what is compared, and so what is shown
        outputs = tuple(map(np.asarray, made if len(names) > 1 else (made,)))
        held = {
            key: np.asarray(one) if torch.is_tensor(one) else one for key, one in inputs.items()
        }
        made = exercise.view(Seen(inputs=held, outputs=outputs, returned=(), seen=Observation(),
                                  observe=lambda *asked: None))  # fmt: skip
        return np.asarray(made[names.index(name)])
    return np.asarray(made[names.index(name)] if len(names) > 1 else made)


def seen_of(exercise: Exercise, function: Any, inputs: dict[str, Any]) -> Seen:
    """Call a function on what is shown; return it as the exercise's words see it."""
    made = (function(*inputs.values()),)
    return Seen(inputs=inputs, outputs=made, returned=made, seen=Observation(), observe=nobody)


def nobody(who: str, inputs: Any, *see: str) -> None:
    """Stand in for whom words do not ask."""


def raised_by(function: Any, inputs: dict[str, Any]) -> str:
    """Call a function that fails; return the error's name."""
    try:
        function(*inputs.values())
    except Exception as error:
        return type(error).__name__
    raise AssertionError("it runs on these inputs")


def same_text(row: Any, texts: list[str]) -> bool:
    """Whether numbers are written like this, to some number of digits."""
    written = [[in_so_many(value, digits) for value in row] for digits in (4, 6, 9, 17)]
    return texts in written


def in_so_many(value: Any, digits: int) -> str:
    """A number in so many digits; a whole one that has more is written out."""
    if not isinstance(value, float):
        return str(value)
    is_long = value.is_integer() and 10**digits <= abs(value) < 2**53
    return str(round(value)) if is_long else f"{value + 0:.{digits}g}"


@each
def test_what_is_shown_can_be_computed_again(exercise: Exercise, who: Any) -> None:
    result = checked(exercise.name, who)
    assert result.record.example is not None
    inputs = shown_inputs(result)
    for name, value in result.inputs.items():  # nothing of the inputs is hidden behind digits
        # A function is the one that is shown if it does the same.
        both = [one(inputs["x"]) if callable(one) else one for one in (inputs[name], value)]
        np.testing.assert_array_equal(*map(np.asarray, both))
    functions = {"yours": function_of(exercise, who), "expected": function_of(exercise, REFERENCE)}
    rows = ROW.findall(result.example)
    if result.rule == "it runs without an error":
        assert rows == []
        assert raised_by(functions["yours"], inputs) in result.message
        return
    if exercise.told is not None:
        assert rows == []
        seen = [seen_of(exercise, function, inputs) for function in functions.values()]
        told = exercise.told(*seen)
        assert result.rule != "the values are right" or (told and told in result.message)
        return
    assert [row[3] for row in rows] == ["yours", "expected"]
    for is_shape, name, index, whose, text in rows:
        value = output_of(exercise, functions[whose], inputs, name)
        place = tuple(int(number) for number in index.split(",")) if index else ()
        row = (value.shape or ["()"]) if is_shape else np.atleast_1d(value[place]).tolist()
        assert same_text(row, text.split()), str(result)


@each
def test_the_sentence_says_the_same_numbers(exercise: Exercise, who: Any) -> None:
    result = checked(exercise.name, who)
    found = SENTENCE.search(result.message.split("\n")[0])
    if result.rule != "the values are right":
        return
    if found is None:  # one number, without any axis
        assert result.record.example is not None
        assert result.record.example.index == ()
        return
    name, index, yours, wanted = found[1].split(":")[-1].strip(), *found.groups()[1:]
    assert f"{name}[" in result.message
    inputs, place = shown_inputs(result), tuple(int(number) for number in index.split(","))
    for function, text in (
        (function_of(exercise, who), yours),
        (function_of(exercise, REFERENCE), wanted),
    ):
        value = output_of(exercise, function, inputs, name)[place].item()
        assert same_text([value], [text.replace("NaN", "nan")]), str(result)
    assert result.record.example is not None
    assert result.record.example.output == name
    assert place[:-1] == result.record.example.index


@each
def test_the_label_is_true_of_the_inputs_below_it(exercise: Exercise, who: Any) -> None:
    result = checked(exercise.name, who)
    heading = result.example.splitlines()[0]
    assert re.match(r"(Smallest|An) example( \(.+\))?:$", heading)
    assert not [probe.name for probe in exercise.probes if f"({probe.name})" in heading]
    for name, axes in exercise.axes.items():
        shape = getattr(result.inputs.get(name), "shape", ())
        letters = [letter for letter in axes.split() if letter != "..."]
        for letter, size in zip(reversed(letters), reversed(shape), strict=False):
            told = re.search(rf"\b{letter} = (\d+)", heading)
            assert told is not None, heading
            assert size in (int(told[1]), 1), heading
    mask = result.inputs.get("may_attend")
    words = ("is True everywhere", "a row of may_attend is False everywhere", "is False in")
    if mask is None:
        assert "may_attend" not in heading
    else:
        kind = 0 if mask.all() else 1 if not mask.any(-1).all() else 2
        assert [words.index(one) for one in words if one in heading] == [kind]
    assert "__" not in heading


@each
def test_ordinary_inputs_come_first(exercise: Exercise, who: Any) -> None:
    example = checked(exercise.name, who).record.example
    assert example is not None
    special = {probe.name: probe.edge or probe.control for probe in exercise.probes}
    if not special[example.probe]:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seen, right = trials(case(exercise, function_of(exercise, who)))
    for mine, truth in zip(seen, right, strict=True):
        if not special[mine.probe.name]:
            assert mine.agrees(truth, exercise.tolerance), f"{mine.probe.name} is wrong as well"


@each
def test_an_example_is_short(exercise: Exercise, who: Any) -> None:
    result = checked(exercise.name, who)
    entries = sum(value.numel() if isinstance(value, torch.Tensor) else np.size(value)
                  for value in result.inputs.values())  # fmt: skip
    speaks_of_sizes = "The sizes were" in result.message or "shape" in (result.rule or "")
    # Where sizes are spoken of all of them differ: 2 · 3 · (4 · 6 + 5 · 6 + 5 · 7), and no fewer.
    # A function of more than six arguments has some numbers more. Nine of the matrices of two
    # by two that a translator takes as one argument are 36 numbers, and cannot be fewer.
    more = 3 * max(0, len(exercise.parameters) - 6) + 36 * (exercise.name == "encoder_decoder")
    assert entries <= (534 if speaks_of_sizes else 36) + more, result.example
    assert speaks_of_sizes or "numbers of shape" not in result.example


def test_a_scale_mistake_is_not_shown_at_scores_near_a_thousand() -> None:
    for name in ("attention", "scaled_dot_product_attention"):
        for code in ("SDPA-NOSCALE", "SDPA-DK", "SDPA-DMODEL", "SDPA-CONST8", "SDPA-SCALEAFTER"):
            result = checked(name, (code, 0))
            values = [v for v in result.inputs.values() if isinstance(v, torch.Tensor)]
            assert max(float(value.abs().max()) for value in values) < 10, result.example
            assert result.record.example is not None
            assert result.record.example.output == "weights"


def test_the_inputs_are_ones_to_go_on_with() -> None:
    def softmax(x: torch.Tensor, axis: int = -1) -> torch.Tensor:
        return x.exp() / x.exp().sum()

    result = check(softmax)
    assert list(result.inputs) == ["x", "axis"]
    again = softmax(**result.inputs)
    assert again.dtype == torch.float64
    example = result.record.example
    assert example is not None
    assert tuple(again[example.index].tolist()) == example.yours
    result.inputs["x"].zero_()  # nobody is harmed: they are new ones each time
    assert result.inputs["x"].abs().max() > 0
    assert softmax(*result.inputs.values()).shape == again.shape


def test_loops_get_arrays_and_a_passed_answer_nothing() -> None:
    exercise = find("attention_by_loops")
    assert exercise is not None
    result = checked("attention_by_loops", ("LOOP-NOSCALE", 0))
    assert [type(value) for value in result.inputs.values()] == [np.ndarray] * 3
    assert check(exercise.reference, exercise="attention_by_loops").inputs == {}
    assert check(None).inputs == {}
    assert check(lambda S, sink, n, generator: 0.0, exercise="sink_share").inputs == {}


def test_what_raises_is_shown_with_its_axis() -> None:
    def softmax(x: torch.Tensor, axis: int = -1) -> torch.Tensor:
        if axis != -1:
            raise ValueError("only the last axis")
        return torch.exp(x - x.amax(-1, keepdim=True)) / torch.exp(
            x - x.amax(-1, keepdim=True)
        ).sum(-1, keepdim=True)

    result = check(softmax)
    assert result.rule == "it runs without an error"
    assert re.search(r"axis = (0|1)\n?", result.example)
    with pytest.raises(ValueError, match="only the last axis"):
        softmax(**result.inputs)


def test_a_call_that_does_not_end_shows_its_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    known = find("attention_scores")
    assert known is not None
    task = dataclasses.replace(known, time_limit=0.3)
    monkeypatch.setattr("grading.checking.find", lambda name: task)

    def hangs(query: Any, key: Any) -> Any:
        while True:
            pass

    result = check(hangs, exercise="attention_scores")
    assert result.rule == "it comes to an end"
    assert result.example.startswith("An example (")
    assert result.inputs["query"].shape == (5, 6, 7, 10)
