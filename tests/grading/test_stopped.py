"""Who was stopped decides whose fault it is: an answer's own, or ours and no verdict at all."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch

from grading import check, recordings
from grading.apart import Apart
from grading.asking import Live, function_of
from grading.exercise import Exercise, Law, Misconception, Seen
from grading.exercises import find
from grading.observation.remote import LostError
from grading.observation.seen import Observation, Request, UnanswerableError
from grading.observation.values import tensor
from grading.verdict.case import REFERENCE
from grading.verdict.judge import judge
from grading.verdict.record import Record
from grading.witness.observe import Witness

LIMIT = 0.3


def for_ever(*arguments: Any) -> Any:
    while True:
        pass


def scores(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    return query @ key.mT


def wrong(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    return query @ key.mT + 1


def changed(**more: Any) -> Exercise:
    known = find("attention_scores")
    assert known is not None
    check(scores, known.name)  # the first calls of all take longer
    return dataclasses.replace(known, time_limit=LIMIT, **more)


def verdict(exercise: Exercise, answer: Any) -> Record:
    return judge(exercise, Live(exercise, Witness(answer))).record


# Ours


def test_a_reference_that_is_stopped_is_our_fault_and_no_verdict(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exercise = changed(reference=for_ever)
    monkeypatch.setattr("grading.checking.find", lambda name: exercise)
    result = check(scores, "attention_scores")
    assert (result.points, result.max_points) == (0, 0)
    words = "that is our fault: 'the reference' of attention_scores was stopped"
    assert words in result.message
    assert "Not checked" in result.html


def test_what_was_stopped_is_asked_again_and_not_kept() -> None:
    exercise = changed(reference=for_ever)
    for _ in range(2):
        with pytest.raises(UnanswerableError, match="'the reference' of attention_scores was st"):
            verdict(exercise, scores)
    assert not [key for key in recordings.of(exercise).known if key[0] == REFERENCE]


def test_a_mistake_that_is_stopped_or_cannot_be_looked_at_is_our_fault() -> None:
    for function, words in ((for_ever, "was stopped"), (unseen, "raised ZeroDivisionError")):
        slow = Misconception(code="SC-SLOW", sentence="Never seen.", wrong=function)
        exercise = changed(misconceptions=(slow,))
        assert verdict(exercise, scores).passed
        with pytest.raises(UnanswerableError, match=rf"\('SC-SLOW', 0\) of attention_sc.* {words}"):
            verdict(exercise, wrong)


def unseen(query: torch.Tensor, key: torch.Tensor) -> Any:
    return type("Odd", (list,), {"__len__": lambda self: 1 // 0})()


def test_a_process_of_ours_that_is_lost_is_our_fault() -> None:
    class Gone:
        def observe(self, request: Request) -> Observation:
            raise LostError("gone", "the process ended")

    exercise = changed(reference=lambda query, key: query @ key.mT)
    live = Live(exercise, Witness(scores))
    asked = Apart(exercise, Witness(scores), live.recording, lambda who: Gone())
    for probe in exercise.probes:
        live.inputs(probe)
    with pytest.raises(UnanswerableError, match="'the reference' of attention_scores: the process"):
        judge(exercise, asked)


def test_a_function_that_is_stopped_is_told_to_the_judge_that_asked_it() -> None:
    def broken(one: Seen) -> str:
        seen = one.observe("slow", {"x": tensor([1.0])})
        assert seen is not None
        return f"Stopped: {seen.timed_out}"

    law = Law(rule="it is told", broken=broken)
    exercise = changed(laws=(law,), functions={"slow": for_ever})
    assert verdict(exercise, scores).parts[0].startswith("Stopped: True")
    assert function_of(exercise, "slow") is for_ever


# The answer's


def slow_on(marked: float) -> Callable[[Any, Any], torch.Tensor]:
    def answer(query: torch.Tensor, key: torch.Tensor) -> Any:
        return for_ever() if float(query.sum()) == marked else query @ key.mT

    return answer


def asks_again(one: Seen) -> Any:
    """Ask the answer on other inputs; read its value as though it had always one."""
    other = {name: tensor(value * 0) for name, value in one.inputs.items()}
    seen = one.observe("the answer", other)
    assert seen is not None
    return (seen.value.numbers,)


@pytest.mark.parametrize("place", ["law", "view", "judge"])
def test_an_answer_that_is_stopped_when_it_is_asked_again_is_told_so(place: str) -> None:
    ask = lambda one: asks_again(one) and None  # noqa: E731
    exercise = {
        "law": lambda: changed(laws=(Law(rule="it asks", broken=ask),)),
        "view": lambda: changed(view=asks_again),
        "judge": lambda: changed(judge=ask),
    }[place]()
    assert verdict(exercise, scores).passed
    record = verdict(exercise, slow_on(0.0))
    assert (record.passed, record.rule) == (False, "it comes to an end")
    assert record.parts[0] == (
        "Called once more, with other inputs, the function did not return within 0.3 seconds. "
        "Look for a loop that never ends."
    )
