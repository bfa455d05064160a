"""A witness in another process keeps in step, whatever its answers do with what they call back."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grading.asking import Live
from grading.exercises import find
from grading.observation.remote import LostError, Remote
from grading.observation.seen import Observation, Request
from grading.observation.values import Named, Other
from grading.verdict.judge import judge

TESTS = Path(__file__).parent.parent


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    path = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    started = subprocess.Popen(
        [sys.executable, str(TESTS / "callers_elsewhere.py")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    late = threading.Timer(30, started.kill)  # a witness out of step would wait for ever
    late.start()
    yield started
    late.cancel()
    started.kill()
    started.communicate()


def seen_of(process: subprocess.Popen[bytes], name: str, seconds: float = 5.0) -> Observation:
    def call_back(function: str, arguments: tuple[Any, ...]) -> Any:
        if arguments[0] == "nonsense":
            raise TypeError("no nonsense")
        return 7

    remote = Remote(name, process, call_back)
    return remote.observe(Request(inputs={"f": Named("seven")}, seconds=seconds, aloud=True))


def test_a_timeout_inside_a_call_leaves_the_pipe_in_step(process: subprocess.Popen[bytes]) -> None:
    for number in range(20):
        assert seen_of(process, "loops", 0.02 + 0.001 * number).timed_out
        assert seen_of(process, "right").value == 7


def test_an_error_of_what_is_called_is_raised_in_the_answer(
    process: subprocess.Popen[bytes],
) -> None:
    assert seen_of(process, "catches").value == "no nonsense"
    error = seen_of(process, "raises").error
    assert error is not None
    assert error.kinds == ("TypeError", "Exception", "BaseException")
    assert error.text == "no nonsense"


def test_a_thread_that_is_left_behind_asks_nobody(process: subprocess.Popen[bytes]) -> None:
    for _ in range(5):
        assert seen_of(process, "keeps").value == 1
        assert seen_of(process, "right").value == 7


def test_a_number_too_large_is_told_in_words(process: subprocess.Popen[bytes]) -> None:
    assert seen_of(process, "huge").value == Other("an int of more than 64 bits")
    assert seen_of(process, "right").value == 7


def test_what_is_printed_there_is_told_here(process: subprocess.Popen[bytes]) -> None:
    assert seen_of(process, "prints").said == "here\n"


def test_an_answer_that_ends_its_process_is_told_so(process: subprocess.Popen[bytes]) -> None:
    for _ in range(2):  # the second one finds a process that is gone
        with pytest.raises(LostError, match="ended"):
            seen_of(process, "leaves")
        process.wait(timeout=30)


def test_a_dead_witness_is_judged_by_a_rule_of_its_own(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(timeout=30)
    exercise = find("attention_scores")
    assert exercise is not None
    record = judge(exercise, Live(exercise, Remote("right", process))).record
    assert (record.passed, record.rule) == (False, "its process goes on")
    assert "The process in which your function ran ended" in record.parts[0]
