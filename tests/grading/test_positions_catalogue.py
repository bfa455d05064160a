"""What the catalogue on positions takes as given: measured, counted and tried again."""

import math

import pytest
import torch

from course_lib.positions.rope import rope
from grading.asking import Live
from grading.catalogue.kill_table import wrong_answers
from grading.exercises.positions import EXERCISES
from grading.exercises.positions import testing as of_rope
from grading.exercises.positions.measures import DISTANCES, mean_and_spread
from grading.exercises.positions.questions import NEWEST, SLOWEST
from grading.verdict.case import ANSWER, Case

#: What the sentence of a way to test too little says that passes.
PASSES = {
    "TEST-LENGTHS": {"ROPE-INTERLEAVE", "ROPE-SIGN", "ROPE-FREQ"},
    "TEST-COUNTED": {"ROPE-IGNOREPOS"},
    "TEST-ONEBASE": {"ROPE-BASE"},
    "TEST-ONEPAIR": {"ROPE-INTERLEAVE", "ROPE-UNMIXED", "ROPE-TABLES"},
    "TEST-WIDE": {"ROPE-HALFDTYPE"},
    "TEST-NOTHING": set[str](),
    "TEST-ALL": set[str](),
    "TEST-EXACT": set[str](),
}


@pytest.mark.parametrize(("D", "distance"), DISTANCES)
def test_the_similarities_are_those_of_the_formula(D: int, distance: int) -> None:
    generator = torch.Generator().manual_seed(D)
    x = torch.randn(40_000, D, generator=generator, dtype=torch.float64)
    turned = rope(x[:, None], torch.tensor([distance]), 10000.0)[:, 0]
    quotient = (turned * x).sum(-1) / x.square().sum(-1)
    mean, spread = mean_and_spread(D, distance)
    assert abs(quotient.mean().item() - mean) < 5 * spread / math.sqrt(40_000) + 1e-9
    assert abs(quotient.std().item() - spread) < 0.02 * spread


def test_predictions_are_computed_again() -> None:
    assert round(2 * math.pi * 10_000 ** (62 / 64)) == SLOWEST
    weights = (-0.5 * torch.arange(8.0)).softmax(0)
    assert round(weights[0].item(), 3) == NEWEST
    assert round(weights[-1].item(), 3) == 0.012


def test_half_precision_is_as_coarse_as_the_sentence_says() -> None:
    about = torch.tensor(5000.0)
    for dtype, gap in ((torch.float16, 4), (torch.bfloat16, 32)):
        narrow = about.to(dtype)
        assert (torch.nextafter(narrow, torch.tensor(9000.0).to(dtype)) - narrow).item() == gap


def test_the_pairs_of_mistakes_stay_few() -> None:
    """A product is a function more that the first check of a process runs."""
    stepped = [one.steps for one in EXERCISES if one.steps is not None]
    assert 0 < sum(len(steps.products) for steps in stepped) < 150


def test_a_sentence_is_true_of_every_test_that_carries_it() -> None:
    exercise, candidates = of_rope.TEST_ROPE, of_rope._CANDIDATES
    codes = [one.code for one in candidates.wrong]
    for code, number in wrong_answers(exercise):
        view = Case(exercise, Live(exercise, (code, number))).trial(ANSWER, exercise.probes[0]).view
        assert view is not None
        refused = dict(zip(codes, view[0][len(candidates.right) :].tolist(), strict=True))
        passed = {name for name, is_refused in refused.items() if not is_refused}
        assert PASSES[code] <= passed, (code, number)
