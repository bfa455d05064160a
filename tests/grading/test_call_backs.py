"""A witness in another process keeps in step, whatever its answers do with what they call back."""

import dataclasses
import io
import os
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grading.asking import Live
from grading.exercises import find
from grading.observation.remote import LostError, Remote
from grading.observation.seen import Observation, Request, UnanswerableError
from grading.observation.values import Named, Other, tensor
from grading.observation.wire import receive, send
from grading.verdict.judge import judge
from grading.witness.observe import Witness
from grading.witness.serve import serve

TESTS = Path(__file__).parent.parent


def pack_of(head: str) -> bytes:
    """A message of that head, with its sizes before it."""
    text = head.encode()
    return struct.pack("<QQ", 8 + len(text), len(text)) + text


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    path = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    started = subprocess.Popen(
        [sys.executable, str(TESTS / "callers_elsewhere.py")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    late = threading.Timer(120, started.kill)  # a witness out of step would wait for ever
    late.start()
    yield started
    late.cancel()
    started.kill()
    started.communicate()


def seen_of(
    process: subprocess.Popen[bytes], name: str, seconds: float = 5.0, margin: float = 60.0
) -> Observation:
    def call_back(function: str, arguments: tuple[Any, ...]) -> Any:
        if arguments[0] == "nonsense":
            raise TypeError("no nonsense")
        return 7

    remote = Remote(name, process, call_back, margin)
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


def lost(process: subprocess.Popen[bytes], name: str, margin: float = 60.0) -> LostError:
    with pytest.raises(LostError) as caught:
        seen_of(process, name, 0.1, margin)
    assert process.poll() is not None, "it is ended"
    return caught.value


def test_a_witness_that_never_answers_is_late_and_its_process_is_ended(
    process: subprocess.Popen[bytes],
) -> None:
    assert seen_of(process, "right").value == 7
    start = time.monotonic()
    error = lost(process, "deaf", margin=0.5)
    assert time.monotonic() - start < 20  # the margin of others is a minute
    assert (error.how, "is late" in str(error)) == ("late", True)
    assert lost(process, "right").how == "gone"


def test_a_witness_that_reads_nothing_is_late_too() -> None:
    code = "import time; time.sleep(60)"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    request = Request(inputs={"x": tensor(np.zeros(10**6))}, seconds=0.1)
    with pytest.raises(LostError) as caught:
        Remote("anything", process, margin=0.5).observe(request)
    assert caught.value.how == "late"
    assert process.poll() is not None
    process.communicate()


def test_what_is_no_message_ends_the_process(process: subprocess.Popen[bytes]) -> None:
    assert lost(process, "scribbles").how == "garbled"


@pytest.mark.parametrize(
    "sent",
    [b"\xff" * 64, b"\x02" + b"\x00" * 7 + b"{}", struct.pack("<Q", 3) + b"abc",
     pack_of("[" * 10**5), pack_of('{"sizes": [], "value": {"is": "tuple", "of": ["seen", 3]}}'),
     pack_of('{"sizes": [], "value": {"is": "tuple", "of": ["unknown", []]}}')],
)  # fmt: skip
def test_bytes_of_every_kind_are_garbled(sent: bytes) -> None:
    code = f"import sys, time; sys.stdout.buffer.write({sent!r}); sys.stdout.flush(); time.sleep(9)"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    remote = Remote("anything", process, margin=5.0)
    remote.has_begun = True  # it had answered before
    with pytest.raises(LostError) as caught:
        remote.observe(Request(seconds=0.1))
    assert caught.value.how == "garbled"
    assert process.poll() is not None
    process.communicate()


@pytest.mark.parametrize(
    ("name", "rule", "words"),
    [("deaf", "it comes to an end", "its process was ended"),
     ("scribbles", "what its process sends can be read", "sent what cannot be read"),
     ("leaves", "its process goes on", "ended before it returned")],
)  # fmt: skip
def test_a_verdict_says_how_the_process_was_lost(
    process: subprocess.Popen[bytes], name: str, rule: str, words: str
) -> None:
    known = find("attention_scores")
    assert known is not None
    probes = tuple(
        dataclasses.replace(probe, draw=lambda generator: {"f": 3}) for probe in known.probes
    )
    exercise = dataclasses.replace(known, probes=probes, parameters=("f",), time_limit=0.1)
    assert seen_of(process, "right").value == 7  # it has started
    record = judge(exercise, Live(exercise, Remote(name, process, None, 0.5))).record
    assert (record.passed, record.rule) == (False, rule)
    assert words in record.parts[0]


def test_an_unknown_name_is_our_error_and_the_process_goes_on(
    process: subprocess.Popen[bytes],
) -> None:
    with pytest.raises(UnanswerableError, match="the witness knows no 'nobody': KeyError"):
        seen_of(process, "nobody")
    assert seen_of(process, "right").value == 7


def test_where_nobody_can_be_called_back_it_is_our_fault(
    process: subprocess.Popen[bytes],
) -> None:
    request = Request(inputs={"f": Named("seven")})
    assert Remote("prints", process).observe(request).said == "here\n"  # it calls nothing
    with pytest.raises(UnanswerableError, match="'seven' is called back, and nobody is there"):
        Remote("right", process).observe(request)
    assert process.poll() is not None, "it would wait for ever"


def test_a_call_of_what_was_not_handed_over_is_garbled() -> None:
    sent = io.BytesIO()
    send(("call", ("seven", ())), sent)
    code = f"import sys; sys.stdout.buffer.write({sent.getvalue()!r}); sys.stdin.buffer.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with pytest.raises(LostError, match=r"nothing was handed over .* it calls 'seven'") as caught:
        Remote("anything", process).observe(Request())
    assert caught.value.how == "garbled"
    process.communicate()


# What is too large


def test_what_is_enormous_is_told_in_words_and_the_wire_holds(
    process: subprocess.Popen[bytes],
) -> None:
    array = seen_of(process, "a GiB").value
    assert (array.kind, array.odd, array.numbers) == ("array", "an enormous", None)
    many = seen_of(process, "many of one").value
    assert sum(one.numbers is not None for one in many) == 9
    assert many[-1].odd == "an enormous"
    assert seen_of(process, "a long text").value == Other("an enormous str")
    assert seen_of(process, "right").value == 7


def served(monkeypatch: pytest.MonkeyPatch, seen: Observation) -> Observation:
    monkeypatch.setattr(Witness, "observe", lambda self, request: seen)
    requests, replies = io.BytesIO(), io.BytesIO()
    send(("begin", "it"), requests)
    send(("observe", Request()), requests)
    requests.seek(0)
    serve(lambda name: None, requests, replies)
    replies.seek(0)
    kind, told = receive(replies)
    assert kind == "seen"
    return told


def test_an_observation_that_cannot_be_sent_is_said_to_be_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert served(monkeypatch, Observation(value=object())).unseen == "ValueError"
    assert served(monkeypatch, Observation(value=3)).value == 3
    monkeypatch.setattr("grading.witness.serve.MOST", 2000)
    assert served(monkeypatch, Observation(value="x" * 2000)).unseen == "ValueError"
