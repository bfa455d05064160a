"""The same inputs in float32 and bfloat16: how far right answers may be off, and how they fail."""

from typing import Any

import numpy as np
import pytest
import torch

from grading import check
from grading.asking import Live
from grading.catalogue.kill_table import right_answers
from grading.exercise import HALF
from grading.exercises import all_exercises
from grading.observation.values import Array, tensor
from grading.verdict.case import ANSWER, REFERENCE, Case, varied


def test_half_precision_tolerates_twice_what_right_answers_are_off() -> None:
    worst = 0.0
    for exercise in all_exercises():
        for probe in (probe for probe in exercise.probes if probe.half):
            for who in right_answers(exercise):
                case = Case(exercise, Live(exercise, who))
                inputs = case.asked.inputs(probe, "bfloat16")
                mine, right = (
                    case.trial(ANSWER, probe, inputs),
                    case.trial(REFERENCE, probe, inputs),
                )
                assert mine.view is not None, (exercise.name, who)
                assert right.view is not None
                for a, b in zip(mine.view, right.view, strict=True):
                    worst = max(worst, float((np.abs(a - b) / (1 + np.abs(b))).max()))
    assert 0.02 < worst < 0.025
    assert HALF.rtol == HALF.atol == pytest.approx(2 * worst, rel=0.1)


def test_inputs_in_bfloat16_hold_numbers_of_bfloat16() -> None:
    drawn = {"x": tensor([1 / 3, -1e30, -np.inf, 0.0]), "n": 3}
    held = varied(drawn, "bfloat16")["x"]
    assert isinstance(held, Array)
    assert (held.dtype, held.shape) == ("bfloat16", (4,))
    numbers = torch.from_numpy(held.numbers)
    assert torch.equal(numbers.to(torch.bfloat16).float(), numbers)
    assert torch.allclose(numbers[:1], torch.tensor([1 / 3]), rtol=2**-7)
    assert varied(drawn, "bfloat16")["n"] == 3


def scores(change: Any) -> Any:
    """Right scores, changed where the inputs are in bfloat16."""

    def attention_scores(query: Any, key: Any) -> Any:
        found = query @ key.mT
        return change(found) if query.dtype == torch.bfloat16 else found

    return attention_scores


def fails(found: Any) -> Any:
    raise RuntimeError("expected m1 and m2 to have the same dtype")


def unknown(found: Any) -> Any:
    raise NotImplementedError("\"renorm\" not implemented for 'BFloat16'")


@pytest.mark.parametrize(
    ("change", "rule", "words"),
    [
        (fails, "it works in bfloat16", "but with bfloat16 inputs it fails: expected m1 and m2"),
        (lambda z: z + 1, "it works in bfloat16", "bfloat16 inputs its values are not right (a ba"),
        (lambda z: z.float(), "results have the dtype of the inputs",
         "scores has to be bfloat16, like the inputs; yours is float32."),
    ],
)  # fmt: skip
def test_what_fails_in_bfloat16_is_said(change: Any, rule: str, words: str) -> None:
    result = check(scores(change))
    assert (result.passed, result.rule) == (False, rule)
    assert words in result.message


def test_what_pytorch_lacks_in_bfloat16_is_no_fault_of_an_answer() -> None:
    assert check(scores(unknown)).passed
