"""The verdict sees observations alone: it judges recordings where there is no PyTorch at all."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from grading import recordings
from grading.asking import Live
from grading.catalogue.kill_table import right_answers, wrong_answers
from grading.exercise import Exercise
from grading.exercises import all_exercises, find
from grading.observation.wire import pack
from grading.recordings import Recorded
from grading.verdict.judge import judge

TESTS = Path(__file__).parent.parent
pytestmark = pytest.mark.filterwarnings("ignore")


def answers(exercise: Exercise) -> list[tuple[str, int]]:
    return [*wrong_answers(exercise), *right_answers(exercise)]


@pytest.fixture(scope="module")
def judged_there() -> dict[str, Any]:
    """The verdicts on every answer of the catalogue, from a process without PyTorch."""
    recorded = {}
    for exercise in all_exercises():
        for who in answers(exercise):
            judge(exercise, Live(exercise, who), with_example=False)
        known = recordings.of(exercise)
        recorded[exercise.name] = (known.inputs, known.known, answers(exercise))
    done = subprocess.run(
        [sys.executable, str(TESTS / "judged_without_torch.py")],
        input=pack(recorded), capture_output=True, timeout=300,
        env=os.environ | {"PYTHONPATH": str(TESTS.parent)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    verdicts: dict[str, Any] = json.loads(done.stdout)
    return verdicts


@pytest.mark.parametrize("exercise", all_exercises(), ids=lambda exercise: exercise.name)
def test_recordings_are_judged_alike_with_and_without_torch(
    exercise: Exercise, judged_there: dict[str, Any]
) -> None:
    for who in answers(exercise):
        there = judged_there[repr((exercise.name, who))]
        here = judge(exercise, Recorded(recordings.of(exercise), who)).record
        assert json.dumps(there) == json.dumps(here.to_json()), who
        assert there["passed"] == (who[0] == "right"), who
        assert there["misconceptions"] == ([] if there["passed"] else [who[0]]), who


def test_where_only_recordings_answer_the_example_is_the_most_ordinary_probe() -> None:
    exercise = find("attention_scores")
    assert exercise is not None
    judge(exercise, Live(exercise, ("SC-SCALED", 0)), with_example=False)
    record = judge(exercise, Recorded(recordings.of(exercise), ("SC-SCALED", 0))).record
    assert record.misconceptions == ("SC-SCALED",)
    assert record.example is not None
    assert record.example.probe == "all sizes different"
    assert record.example.smallest
