# ruff: noqa: SIM105, B012 - what catches everything is the subject of these tests
"""Nothing hangs: an answer that catches whatever is raised to stop it is made to stop."""

import contextlib
import dataclasses
import itertools
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from grading import check
from grading.exercises import find
from grading.observation.remote import Remote
from grading.observation.seen import Observation, Request
from grading.observation.values import tensor
from grading.witness.insisting import POLITE, STUBBORN
from grading.witness.observe import Witness
from grading.witness.own_work import borrowed

LIMIT = 0.2
#: What is not stopped at all goes on for ever; on a busy machine all that is polite takes longer.
BOUND = 3 * (LIMIT + POLITE + STUBBORN)
LARGE = torch.ones(300, 300)


def work() -> None:
    for _ in range(100):
        pass


def swallows() -> Any:
    while True:
        try:
            work()
        except BaseException:
            pass


def in_its_own_frame() -> Any:
    while True:
        try:
            while True:
                pass
        except BaseException:
            continue


def in_a_finally() -> Any:
    while True:
        try:
            work()
        finally:
            continue


def in_three_handlers() -> Any:
    while True:
        try:
            try:
                work()
            except BaseException:
                try:
                    work()
                except BaseException:
                    work()
        except BaseException:
            with contextlib.suppress(BaseException):
                work()


def raises_another() -> Any:
    while True:
        try:
            work()
        except BaseException as error:
            with contextlib.suppress(ValueError):
                raise ValueError from error


def in_a_generator() -> Any:
    def numbers() -> Any:
        while True:
            try:
                yield 1
            except BaseException:
                pass

    for _ in numbers():
        pass


def in_a_recursion() -> Any:
    while True:
        try:
            in_a_recursion()
        except BaseException:
            pass


def in_a_recursion_without_a_loop() -> Any:
    try:
        in_a_recursion_without_a_loop()
    except BaseException:
        in_a_recursion_without_a_loop()


def under_a_loop_in_c() -> Any:
    def nothing(_: int) -> bool:
        with contextlib.suppress(BaseException):
            work()
        return False

    return any(map(nothing, itertools.repeat(1)))


def over_products() -> Any:
    while True:
        try:
            LARGE @ LARGE
        except BaseException:
            pass


def asleep() -> Any:
    while True:
        try:
            time.sleep(0.05)
        except BaseException:
            pass


def in_a_search() -> Any:
    while True:
        try:
            re.match(r"(a+)+$", "a" * 20 + "b")
        except BaseException:
            pass


class Stays:
    """Does not let itself be let go."""

    def __del__(self) -> None:
        swallows()


def in_an_end() -> Any:
    Stays()
    return 1


def in_end_after_end() -> Any:
    while True:
        with contextlib.suppress(BaseException):
            Stays()


def and_returns() -> Any:
    while True:
        try:
            work()
        except BaseException:
            return 1


#: Each never ends by itself.
DEAF: list[Callable[[], Any]] = [
    swallows, in_its_own_frame, in_a_finally, in_three_handlers, raises_another, in_a_generator,
    in_a_recursion, in_a_recursion_without_a_loop, under_a_loop_in_c, over_products, asleep,
    in_a_search, in_an_end, in_end_after_end,
]  # fmt: skip


@pytest.fixture
def quiet_ends() -> Any:
    """Say nothing of what an object raised at its end: that is what these answers are for."""
    hook, sys.unraisablehook = sys.unraisablehook, lambda unraisable: None
    yield
    sys.unraisablehook = hook


def observed(answer: Callable[[], Any]) -> Observation:
    return Witness(lambda x: answer()).observe(Request(inputs={"x": tensor([1.0])}, seconds=LIMIT))


def assert_it_goes_on() -> None:
    """Nothing waits to be raised: under a profiler Python 3.11 would look for it for ever."""
    assert observed(lambda: 7).value == 7
    assert borrowed(work, ("torch.softmax",)) == ()


def as_it_was() -> list[Any]:
    settings = [sys.getrecursionlimit(), torch.is_grad_enabled()]
    return [*settings, sys.unraisablehook, signal.getsignal(signal.SIGALRM), sys.stdout]


@pytest.mark.usefixtures("quiet_ends")
@pytest.mark.parametrize("in_thread", [False, True], ids=["alarm", "thread"])
@pytest.mark.parametrize("answer", [*DEAF, and_returns], ids=lambda one: one.__name__)
def test_who_catches_everything_is_stopped(
    answer: Callable[[], Any], in_thread: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if in_thread:
        monkeypatch.delattr("signal.setitimer")
    before, start = as_it_was(), time.monotonic()
    seen = observed(answer)
    assert time.monotonic() - start < BOUND
    assert (seen.timed_out, seen.value, seen.error) == (True, None, None)
    assert as_it_was() == before
    assert_it_goes_on()


def without_the_alarm() -> Any:
    signal.setitimer(signal.ITIMER_REAL, 0)
    return swallows()


@pytest.mark.parametrize("answer", [in_a_recursion, without_the_alarm])
def test_whom_no_alarm_reaches_is_stopped_and_said_to_be_deaf(answer: Callable[[], Any]) -> None:
    start = time.monotonic()
    seen = observed(answer)
    assert time.monotonic() - start < BOUND
    assert (seen.timed_out, seen.deaf) == (True, True)


def test_a_call_into_c_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("signal.setitimer")
    start = time.monotonic()
    assert observed(lambda: time.sleep(4 * BOUND)).timed_out
    assert time.monotonic() - start < BOUND
    assert_it_goes_on()


@pytest.mark.parametrize("in_thread", [False, True], ids=["alarm", "thread"])
def test_a_check_in_a_check_is_stopped(in_thread: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if in_thread:
        monkeypatch.delattr("signal.setitimer")

    def asks_for_ever() -> Any:
        while True:
            with contextlib.suppress(BaseException):
                Witness(lambda x: swallows()).observe(Request(inputs={"x": 1}, seconds=LIMIT / 2))

    before, start = as_it_was(), time.monotonic()
    assert observed(asks_for_ever).timed_out
    assert time.monotonic() - start < 2 * BOUND
    assert as_it_was() == before
    assert_it_goes_on()


def test_what_an_answer_leaves_in_its_arguments_is_let_go(quiet_ends: None) -> None:
    def puts(x: Any) -> Any:
        x.append(Stays())
        return swallows()

    start = time.monotonic()
    assert Witness(puts).observe(Request(inputs={"x": []}, seconds=LIMIT)).timed_out
    assert time.monotonic() - start < 2 * BOUND


SERVED = """
import sys
sys.path.insert(0, sys.argv[1])
from test_deaf import in_a_recursion, swallows
from grading.witness.serve import over_pipes
over_pipes(lambda name: (lambda x: globals()[name]()) if name in globals() else (lambda x: x))
"""


def test_behind_a_pipe_it_is_stopped_too_and_its_process_goes_on() -> None:
    command = [sys.executable, "-c", SERVED, str(Path(__file__).parent)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **pipes) as process:  # type: ignore[call-overload]
        request = Request(inputs={"x": 1}, seconds=LIMIT)
        for name in ("swallows", "in_a_recursion"):
            assert Remote(name, process).observe(request).timed_out
        assert Remote("another", process).observe(request).value == 1
        process.kill()


# What a check says of it, and what a notebook's kernel does then


def test_a_check_says_what_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    known = find("attention_scores")
    check(lambda query, key: query @ key.mT, "attention_scores")  # the first calls take longer
    task = dataclasses.replace(known, time_limit=LIMIT)  # type: ignore[type-var]
    monkeypatch.setattr("grading.checking.find", lambda name: task)
    result = check(lambda query, key: in_a_recursion(), "attention_scores")
    assert (result.points, result.rule) == (0, "it comes to an end")
    assert "Look for a loop that never ends. It caught what was raised to stop it" in result.message
    assert check(lambda query, key: query @ key.mT, "attention_scores").passed


CELLS = [
    "import dataclasses, grading.checking\nfrom grading import check\n"
    "from grading.exercises import find\n"
    "check(lambda query, key: query @ key.mT, 'attention_scores')\n"
    "task = dataclasses.replace(find('attention_scores'), time_limit=0.2)\n"
    "grading.checking.find = lambda name: task",
    "def attention_scores(query, key):\n    while True:\n        try:\n"
    "            for _ in range(100):\n                pass\n"
    "        except BaseException:\n            pass",
    "check(attention_scores)",
    "def attention_scores(query, key):\n    return query @ key.mT",
    "check(attention_scores)",
]


def test_a_kernel_goes_on_as_it_was() -> None:
    nb = new_notebook(cells=[new_code_cell(source) for source in CELLS])
    NotebookClient(nb, timeout=60, kernel_name="python3").execute()
    shown = [nb.cells[at].outputs[-1].data for at in (2, 4)]
    assert [one["text/plain"] for one in shown] == ["0.0", "1.0"]
    assert "Look for a loop that never ends" in shown[0]["text/html"]
