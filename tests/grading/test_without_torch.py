"""The verdict sees observations alone: it judges where there is no PyTorch at all."""

import dataclasses
import json
import math
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from blanks import BLANK, blank

from grading import recordings
from grading.apart import Apart
from grading.asking import RIGHT, Live, function_of
from grading.catalogue.kill_table import right_answers, wrong_answers
from grading.exercise import Exercise
from grading.exercises import all_exercises, find
from grading.observation.seen import UnanswerableError
from grading.observation.wire import pack
from grading.recordings import Recording
from grading.verdict.case import REFERENCE
from grading.verdict.judge import judge
from grading.witness.observe import Witness
from grading.words.text import example

TESTS = Path(__file__).parent.parent
pytestmark = pytest.mark.filterwarnings("ignore")


def answers(exercise: Exercise) -> list[tuple[str, int]]:
    return [*wrong_answers(exercise), *right_answers(exercise), BLANK]


@cache
def recorded_of(name: str) -> Recording:
    """What every answer of an exercise does, its blank too."""
    exercise = find(name)
    assert exercise is not None
    for who in answers(exercise)[:-1]:
        judge(exercise, Live(exercise, who), with_example=False)
    # The blank is no function of the catalogue: here it is, as its last right answer.
    last = (RIGHT, len(exercise.alternatives))
    more = dataclasses.replace(
        exercise, alternatives=(*exercise.alternatives, blank(exercise)), misconceptions=()
    )
    judge(more, Live(more, last), with_example=False)
    blanks = recordings.of(more).known.items()
    known = {(BLANK, *key[1:]): seen for key, seen in blanks if key[0] == last}
    mine = recordings.of(exercise)
    return Recording(mine.inputs, mine.known | known)


def recorded(exercise: Exercise) -> Recording:
    return recorded_of(exercise.name)


@pytest.fixture(scope="module")
def judged_there() -> dict[str, Any]:
    """The verdicts on every answer of the catalogue, from a process without PyTorch."""
    everything = {}
    for exercise in all_exercises():
        known = recorded(exercise)
        everything[exercise.name] = (known.inputs, known.known, answers(exercise))
    done = subprocess.run(
        [sys.executable, str(TESTS / "judged_without_torch.py")],
        input=pack(everything), capture_output=True, timeout=300,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    verdicts: dict[str, Any] = json.loads(done.stdout)
    return verdicts


def alike(one: Any, other: Any) -> bool:
    """Whether two records say the same; a sum's last digit depends on where in memory it began."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-12, abs_tol=1e-15)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(map(alike, one.values(), other.values()))
    return type(one) is type(other) and bool(one == other)


@pytest.mark.parametrize("exercise", all_exercises(), ids=lambda exercise: exercise.name)
def test_recordings_and_live_answers_are_judged_alike_with_and_without_torch(
    exercise: Exercise, judged_there: dict[str, Any]
) -> None:
    for who in answers(exercise):
        there, live = judged_there[repr((exercise.name, who))]
        record = judge(exercise, Apart(exercise, who, recorded(exercise))).record
        here = json.loads(json.dumps(record.to_json()))
        assert there == here, who
        assert alike(live, here), (who, live, here)
        assert there["passed"] == (who[0] == "right"), who
        named = [] if there["passed"] or who == BLANK else [who[0]]
        assert there["misconceptions"] == named, who
        assert (there["rule"] == "it is filled in") == (who == BLANK), who


def test_where_only_recordings_answer_the_example_is_the_most_ordinary_probe() -> None:
    exercise = find("attention_scores")
    assert exercise is not None
    record = judge(exercise, Apart(exercise, ("SC-SCALED", 0), recorded(exercise))).record
    assert record.misconceptions == ("SC-SCALED",)
    assert record.example is not None
    assert record.example.probe == "a batch with heads"
    assert not record.example.smallest
    sizes = "T = 7, D = 10, S = 9, in front of them axes of 5 and 6"
    assert example(record).startswith(f"An example ({sizes}):")


def beside(exercise: Exercise, who: Any) -> Witness:
    return Witness(function_of(exercise, who))


def test_whoever_runs_the_catalogue_answers_for_what_is_not_recorded() -> None:
    exercise = find("attention_scores")
    assert exercise is not None
    answer = beside(exercise, ("SC-SCALED", 0))
    asked = Apart(exercise, answer, recorded(exercise), lambda who: beside(exercise, who))
    record = judge(exercise, asked).record
    assert record.example is not None
    assert record.example.smallest
    assert example(record).startswith("Smallest example")


def test_a_diagnosis_with_inputs_of_its_own_is_judged_where_somebody_runs_the_functions() -> None:
    exercise = find("diagnose_softmax")
    assert exercise is not None
    whole = recorded(exercise)
    few = {key: seen for key, seen in whole.known.items() if key[0] not in exercise.functions}
    recording, right = Recording(whole.inputs, few), ("right", 0)
    asked = Apart(exercise, beside(exercise, right), recording)
    with pytest.raises(UnanswerableError, match="'the broken function' of diagnose_softmax has to"):
        judge(exercise, asked)
    others = lambda who: beside(exercise, who)  # noqa: E731
    asked = Apart(exercise, beside(exercise, right), recording, others)
    assert judge(exercise, asked).record.passed


def test_what_a_recording_lacks_is_an_error_of_ours_and_no_verdict() -> None:
    exercise = find("attention_scores")
    assert exercise is not None
    whole = recorded(exercise)
    answer = beside(exercise, ("right", 0))
    assert judge(exercise, Apart(exercise, answer, whole)).record.passed
    with pytest.raises(UnanswerableError, match="the inputs 'a batch with heads' of attention_sco"):
        judge(exercise, Apart(exercise, answer, Recording()))
    for lacks in ("value", "gradients"):
        few = {
            key: seen
            for key, seen in whole.known.items()
            if key[0] != REFERENCE or key[3] != (lacks,)
        }
        with pytest.raises(UnanswerableError, match="'the reference' of attention_scores does on"):
            judge(exercise, Apart(exercise, answer, Recording(whole.inputs, few)))
    early = {key: seen for key, seen in whole.inputs.items() if key[1] == "as drawn"}
    again = Recording(early, whole.known)
    assert judge(exercise, Apart(exercise, answer, again)).record.passed  # float32 is made of them
