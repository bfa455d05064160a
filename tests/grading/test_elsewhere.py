"""An answer in another process gets the verdict that it gets here: no judge touches a function."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from blanks import blank

from grading.asking import Live, called_back, function_of
from grading.catalogue.kill_table import right_answers, wrong_answers
from grading.exercise import Exercise
from grading.exercises import all_exercises, find
from grading.observation.remote import Remote
from grading.verdict.case import REFERENCE
from grading.verdict.judge import judge
from grading.verdict.record import Record
from grading.witness.observe import Witness

TESTS = Path(__file__).parent.parent
by_name = pytest.mark.parametrize("exercise", all_exercises(), ids=lambda exercise: exercise.name)
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds every answer of the catalogue."""
    path = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    process = subprocess.Popen(
        [sys.executable, str(TESTS / "answers_elsewhere.py")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    yield process
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    assert process.wait(timeout=60) == 0
    process.stdout.close()


def shows_example(who: Any) -> bool:
    """Whether the smallest example is compared too: for one variant of each mistake."""
    return isinstance(who, str) or who[1] == 0


def verdict_there(exercise: Exercise, who: Any, process: subprocess.Popen[bytes]) -> Record:
    call_back = lambda name, arguments: called_back(exercise, name, arguments)  # noqa: E731
    remote = Remote((exercise.name, who), process, call_back)
    return judge(exercise, Live(exercise, remote), with_example=shows_example(who)).record


def verdict_here(exercise: Exercise, who: Any) -> Record:
    function = blank(exercise) if who == "blank" else function_of(exercise, who)
    witness = Witness(function, lambda name, given: called_back(exercise, name, given))
    return judge(exercise, Live(exercise, witness), with_example=shows_example(who)).record


@by_name
def test_right_wrong_and_blank_answers_get_the_same_verdict_from_another_process(
    exercise: Exercise, elsewhere: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grading.verdict.shrink.BUDGET", 5.0)  # a pipe costs time
    answers = [*wrong_answers(exercise), *right_answers(exercise), REFERENCE, "blank"]
    for who in answers:
        here, there = verdict_here(exercise, who), verdict_there(exercise, who, elsewhere)
        # As JSON: there a NaN is equal to itself.
        assert json.dumps(there.to_json()) == json.dumps(here.to_json()), who
        if who not in (REFERENCE, "blank"):
            assert there.passed == (who in list(right_answers(exercise))), who
            assert there.passed or there.misconceptions == (who[0],), who


def test_a_right_answer_behind_raw_buffers_is_accepted(
    elsewhere: subprocess.Popen[bytes],
) -> None:
    exercise = find("attention_scores")
    assert exercise is not None
    record = verdict_there(exercise, ("right", 0), elsewhere)
    assert (record.passed, record.points, record.rule) == (True, 1.0, None)
