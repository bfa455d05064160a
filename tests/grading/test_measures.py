"""Who measures draws: a formula, a table, a seed of one's own and the global generator fail."""

import itertools
import math
import re
from typing import Any

import pytest
import torch

from course_lib.scaling import saturation
from course_lib.softmax import softmax_with_sink
from grading import check
from grading.asking import Live, draw
from grading.catalogue.kill_table import right_answers
from grading.exercise import Exercise
from grading.exercises import all_exercises
from grading.exercises.scaling.saturation import LARGEST
from grading.exercises.softmax.measures import SHARES
from grading.verdict.case import ANSWER, REFERENCE, Case
from grading.verdict.late_rules import draws
from grading.witness.conversion import given

MEASURES = [exercise for exercise in all_exercises() if exercise.kind == "measure"]
by_name = pytest.mark.parametrize("exercise", MEASURES, ids=lambda exercise: exercise.name)


def test_every_chapter_has_a_measure() -> None:
    slugs = {exercise.slug for exercise in all_exercises()}
    # Tokens are counted, and nothing of them is drawn.
    assert {exercise.slug for exercise in MEASURES} == slugs - {"tokens-and-embeddings"}


def undrawn(exercise: Exercise, **change: Any) -> Any:
    """Return an answer which measures rightly, with the generator replaced."""

    def answer(*arguments: Any) -> Any:
        named = dict(zip(exercise.parameters, arguments, strict=True))
        replace = change["replace"]
        return exercise.alternatives[0](**named | {"generator": replace(named["generator"])})

    return answer


@by_name
def test_the_number_has_to_come_from_the_generator(exercise: Exercise) -> None:
    own = undrawn(exercise, replace=lambda generator: torch.Generator().manual_seed(5))
    fixed = check(own, exercise=exercise.name)
    assert fixed.rule == "every draw comes from the generator"
    assert fixed.misconception is not None
    assert fixed.misconception.endswith("-NODRAW")
    assert "same for every seed" in fixed.message

    unused = undrawn(exercise, replace=lambda generator: torch.default_generator)
    elsewhere = check(unused, exercise=exercise.name)
    assert elsewhere.rule == "every draw comes from the generator"
    assert elsewhere.misconception is not None
    assert elsewhere.misconception.endswith("-GLOBAL")
    assert "the generator is not used" in elsewhere.message


@by_name
def test_who_ignores_how_much_to_draw_is_seen_by_the_spread(exercise: Exercise) -> None:
    how_many = "trials" if "trials" in exercise.parameters else "n"

    def ignoring(*arguments: Any) -> Any:
        named = dict(zip(exercise.parameters, arguments, strict=True))
        asked = named[how_many]
        return exercise.alternatives[0](**named | {how_many: 9 * asked if asked < 1000 else asked})

    result = check(ignoring, exercise=exercise.name)
    assert result.rule == "it draws what it is told to", str(result)
    assert re.search(r"150 seeds lie 0\.\d+ times as far apart", result.message)
    assert result.misconception is not None
    assert result.misconception.endswith("-CLOSE")


@by_name
def test_who_draws_less_than_it_is_told_to_is_called_by_no_name(exercise: Exercise) -> None:
    """One in five draws where few are asked for: too far apart, and no mistake of the catalogue."""
    how_many = "trials" if "trials" in exercise.parameters else "n"

    def sparing(*arguments: Any) -> Any:
        named = dict(zip(exercise.parameters, arguments, strict=True))
        few = named[how_many] // 5 if named[how_many] < 1000 else named[how_many]
        return exercise.alternatives[0](**named | {how_many: few})

    result = check(sparing, exercise=exercise.name)
    assert not result.passed
    assert result.misconception is None, str(result)


def test_the_noise_of_a_right_measure_is_the_known_one() -> None:
    for exercise in MEASURES:
        found = [
            draws(Case(exercise, Live(exercise, who)), ANSWER).apart
            for who in (REFERENCE, *right_answers(exercise))
        ]
        assert all(0.8 < apart < 1.25 for apart in found), (exercise.name, found)


@by_name
def test_a_drawn_generator_and_a_constant_are_no_measure(exercise: Exercise) -> None:
    truth: dict[str, float] = {}
    for probe in exercise.probes:
        inputs = [given(value) for value in draw(exercise, probe).values()]
        key = repr([value for value in inputs if not isinstance(value, torch.Generator)])
        truth[key] = float(exercise.alternatives[0](*inputs))

    def table(*arguments: Any) -> float:
        named = dict(zip(exercise.parameters, arguments, strict=True))
        torch.randn(3, generator=named["generator"])
        return truth[repr([v for v in arguments if not isinstance(v, torch.Generator)])]

    result = check(table, exercise=exercise.name)
    assert not result.passed
    assert result.misconception is not None
    assert result.misconception.endswith("-NODRAW")


def test_the_refusal_tells_no_formula() -> None:
    result = check(lambda D, n, generator, scale: scale * D, exercise="score_variance")
    assert not result.passed
    assert "scale² · D" not in str(result)
    assert " 16 " not in result.message.split("you measure")[1]
    assert "1 " not in result.message.split("it is")[1][:4]


def test_the_tables_of_expected_numbers_are_measured_again() -> None:
    for (D, S, scale), (mean, spread) in LARGEST.items():
        trials = 20_000
        generator = torch.Generator().manual_seed(3)
        measured = saturation(D, S, scale, trials, generator)
        assert abs(measured - mean) < 4 * spread / math.sqrt(trials) + 6e-4
    for (S, sink), (mean, spread) in SHARES.items():
        generator = torch.Generator().manual_seed(3)
        scores = torch.randn(100_000, 1, 1, S, generator=generator, dtype=torch.float64)
        shares = 1 - softmax_with_sink(scores, sink).sum(-1)
        assert abs(float(shares.mean()) - mean) < 4 * spread / math.sqrt(100_000) + 6e-5
        assert abs(float(shares.std()) / spread - 1) < 0.02


def test_a_seed_without_a_number_is_no_fault_of_the_check() -> None:
    calls = itertools.count()

    def at_times(S: int, n: int, generator: torch.Generator) -> float:
        number = float(torch.randn(n, S, generator=generator).mean(-1).std())
        return number if next(calls) < 40 else math.nan

    result = check(at_times, exercise="spread_of_average")
    assert result.rule == "it draws what it is told to", str(result)
