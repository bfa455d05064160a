"""What the catalogue on multi-head attention takes as given: measured, counted and tried again."""

import math

import pytest
import torch

from course_lib.counts.gpt3 import count_gpt3
from grading.asking import Live
from grading.catalogue.kill_table import wrong_answers
from grading.exercises.multi_head_attention import CROSS_ATTENTION, MULTI_HEAD_ATTENTION
from grading.exercises.multi_head_attention import testing as of_split
from grading.exercises.multi_head_attention.measures import LENGTHS
from grading.exercises.multi_head_attention.questions import SHARE
from grading.verdict.case import ANSWER, Case

#: What the sentence of a way to test too little says that passes.
PASSES = {
    "TEST-PLACES": {"SPLIT-VIEW"},
    "TEST-ONESHAPE": set[str](),
    "TEST-ONETOKEN": {"SPLIT-VIEW"},
    "TEST-NOTHING": set[str](),
    "TEST-ALL": set[str](),
    "TEST-EXACT": set[str](),
}


@pytest.mark.parametrize(("H", "C"), LENGTHS)
def test_the_quotients_of_lengths_are_those_of_the_table(H: int, C: int) -> None:
    generator = torch.Generator().manual_seed(H)
    drawn = torch.randn(40_000, H, C, generator=generator, dtype=torch.float64)
    quotient = drawn.sum(1).norm(dim=-1) / drawn.norm(dim=-1).sum(1)
    mean, spread = LENGTHS[H, C]
    assert abs(quotient.mean().item() - mean) < 5 * spread / math.sqrt(40_000) + 1e-4
    assert abs(quotient.std().item() - spread) < 0.02 * spread


def test_the_share_of_twelve_layers_is_counted() -> None:
    assert round(count_gpt3(12) / count_gpt3(96), 3) == SHARE


def test_the_pairs_of_mistakes_stay_few() -> None:
    """A product is a function more that the first check of a process runs."""
    stepped = (MULTI_HEAD_ATTENTION.steps, CROSS_ATTENTION.steps)
    assert 0 < sum(len(steps.products) for steps in stepped if steps is not None) < 150


def test_a_sentence_is_true_of_every_test_that_carries_it() -> None:
    exercise, candidates = of_split.TEST_SPLIT_HEADS, of_split._CANDIDATES
    codes = [one.code for one in candidates.wrong]
    for code, number in wrong_answers(exercise):
        view = Case(exercise, Live(exercise, (code, number))).trial(ANSWER, exercise.probes[0]).view
        assert view is not None
        refused = dict(zip(codes, view[0][len(candidates.right) :].tolist(), strict=True))
        passed = {name for name, is_refused in refused.items() if not is_refused}
        assert PASSES[code] <= passed, (code, number)
        if code == "TEST-ONESHAPE":
            assert passed & {"SPLIT-AXES", "SPLIT-BH"}
