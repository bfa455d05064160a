"""A check is answered within half a second; measured on every answer that the tests know."""

import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grading import check, recordings
from grading.asking import RIGHT, function_of
from grading.catalogue.kill_table import right_answers, wrong_answers
from grading.exercises import all_exercises


def seconds(answer: Callable[..., Any], name: str) -> float:
    start = time.process_time()  # not what a busy machine adds
    check(answer, exercise=name)
    return time.process_time() - start


def test_the_median_check_takes_less_than_half_a_second() -> None:
    taken: dict[str, float] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for exercise in all_exercises():
            check(
                function_of(exercise, (RIGHT, 0)), exercise=exercise.name
            )  # imports and first calls
            for who in wrong_answers(exercise):
                wrong = function_of(exercise, who)
                taken[f"{exercise.name} {who}"] = seconds(wrong, exercise.name)
            for who in right_answers(exercise):
                taken[f"{exercise.name} {who}"] = seconds(function_of(exercise, who), exercise.name)
    slowest = max(taken, key=taken.__getitem__)
    median = statistics.median(taken.values())
    print(f"{len(taken)} checks: median {median:.3f} s, worst {taken[slowest]:.3f} s ({slowest})")
    assert len(taken) > 200
    assert median < 0.5
    assert taken[slowest] < 3


def test_the_first_refusal_in_a_notebook_waits_for_no_whole_catalogue(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(recordings, "FOLDER", tmp_path)
    taken: dict[str, float] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for exercise in all_exercises():
            if exercise.kind == "measure":
                continue  # its mistakes draw thousands of numbers each
            check(
                function_of(exercise, (RIGHT, 0)), exercise=exercise.name
            )  # imports and first calls
            recordings.forget()
            taken[exercise.name] = seconds(
                lambda *inputs: inputs[0] if inputs else 7, exercise.name
            )
    slowest = max(taken, key=taken.__getitem__)
    print(f"first refusals: worst {taken[slowest]:.3f} s ({slowest})")
    assert taken[slowest] < 3
