"""saturation: how much weight the best of some random keys gets, within its standard error."""

from __future__ import annotations

import math
from typing import Any

from grading.exercise import Exercise, Inputs, Misconception, Output, Probe, Seen, Tolerance
from grading.exercises.shared.measuring import far, undrawn
from grading.late import late, torch

__all__ = ["LARGEST", "SATURATION"]

library = late("course_lib.scaling")

# Mean and spread of the largest weight, over 100,000 trials; the tests measure them again.
LARGEST = {
    (64, 64, 1.0): (0.792, 0.204),
    (16, 32, 0.125): (0.0793, 0.0222),
    (9, 16, 1.0): (0.586, 0.233),
    (1, 16, 2.0): (0.3495, 0.2466),
    (2, 12, 2.0): (0.5322, 0.2501),
}
#: So many trials, but few for the last key.
TRIALS, FEW = 1000, 30


def _saturation_probe(D: int, S: int, scale: float) -> Probe:
    trials = FEW if (D, S, scale) == list(LARGEST)[-1] else TRIALS

    def draw(generator: torch.Generator) -> Inputs:
        return {"D": D, "S": S, "scale": scale, "trials": trials, "generator": generator}

    name = f"D = {D}, S = {S}, scale = {scale:g}, {trials} trials"
    return Probe(name=name, draw=draw, sizes={"D": D, "S": S, "trials": trials}, edge=D == S)


def _saturation_noise(inputs: Inputs) -> float:
    spread = LARGEST[inputs["D"], inputs["S"], inputs["scale"]][1]
    return spread / math.sqrt(inputs["trials"])


def _judge_saturation(one: Seen) -> str | None:
    key = (one.inputs["D"], one.inputs["S"], one.inputs["scale"])
    if not far(one.outputs[0], LARGEST[key][0], _saturation_noise(one.inputs) + 2e-4):
        return None
    return (
        f"With D = {key[0]}, S = {key[1]} and scale = {key[2]:g} you measure "
        f"{float(one.outputs[0]):.3f}. The mean largest weight is another number there."
    )


def _largest(
    change: Any = lambda scores, scale: scale * scores,
    pick: Any = lambda weights: weights.amax(-1).mean(),
    axis: int = -1,
) -> Any:
    def measure(D: int, S: int, scale: float, trials: int, generator: torch.Generator) -> float:
        query = torch.randn(trials, 1, D, generator=generator)
        key = torch.randn(trials, S, D, generator=generator)
        weights = change((query * key).sum(-1), scale).softmax(axis)
        return float(pick(weights))

    return measure


def _max_score(D: int, S: int, scale: float, trials: int, generator: torch.Generator) -> float:
    query = torch.randn(trials, 1, D, generator=generator)
    key = torch.randn(trials, S, D, generator=generator)
    return float((scale * (query * key).sum(-1)).amax(-1).mean())


def _largest_of_own_seed(
    D: int, S: int, scale: float, trials: int, generator: torch.Generator
) -> Any:
    return _largest()(D, S, scale, trials, torch.Generator().manual_seed(0))


def _always_as_many_trials(
    D: int, S: int, scale: float, trials: int, generator: torch.Generator
) -> Any:
    return _largest()(D, S, scale, TRIALS, generator)


def _largest_global(D: int, S: int, scale: float, trials: int, generator: torch.Generator) -> float:
    query, key = torch.randn(trials, 1, D), torch.randn(trials, S, D)
    return float((scale * (query * key).sum(-1)).softmax(-1).amax(-1).mean())


def _row_by_row(D: int, S: int, scale: float, trials: int, generator: torch.Generator) -> Any:
    total = 0.0
    for _ in range(trials):
        query = torch.randn(D, generator=generator)
        scores = scale * torch.randn(S, D, generator=generator) @ query
        total += torch.softmax(scores, 0).max().item()
    return torch.tensor(total / trials)


def _by_ratio(D: int, S: int, scale: float, trials: int, generator: torch.Generator) -> float:
    drawn = torch.randn(trials, S + 1, D, generator=generator, dtype=torch.float64)
    scores = scale * (drawn[:, 1:] @ drawn[:, 0, :, None])[..., 0]
    return float((1 / (scores - scores.amax(-1, keepdim=True)).exp().sum(-1)).mean())


SATURATION = Exercise(
    name="saturation", slug="scaling", task="saturation", title="How saturated is the softmax?",
    kind="measure", points=1.5, difficulty=2, importance=3, minutes=20,
    parameters=("D", "S", "scale", "trials", "generator"),
    outputs=(Output(name="largest weight", kind="number"),), 
    reference=lambda *inputs: library.saturation(*inputs),
    equation="eq-saturation", judge=_judge_saturation, noise=_saturation_noise,
    part="course_lib.scaling.saturation",
    alike=Tolerance(rtol=0.1, atol=0.002),
    next_rung="Now try D = 256 with scale 1, and with 1/16.",
    probes=tuple(_saturation_probe(*key) for key in LARGEST),
    misconceptions=(
        Misconception(code="SAT-NOSCALE", wrong=_largest(lambda z, c: z), sentence=(
            "The scale is not used.")),
        Misconception(code="SAT-DIVIDED", wrong=_largest(lambda z, c: z / c), sentence=(
            "The scores are divided by the scale. It is a factor: scores are multiplied by it.")),
        Misconception(code="SAT-MEAN", wrong=_largest(pick=lambda w: w.mean()), sentence=(
            "This is the mean of all weights, which is 1/S whatever the scores are. Take the "
            "largest of each row first.")),
        Misconception(code="SAT-MEANMAX", wrong=_largest(pick=lambda w: w.mean(0).max()), sentence=(
            "The mean over the trials comes before the maximum. Different keys win in different "
            "trials: take the largest weight of each trial first.")),
        Misconception(code="SAT-MAXMAX", wrong=_largest(pick=lambda w: w.max()), sentence=(
            "This is the largest weight of all trials. Take the largest of each, then the mean.")),
        Misconception(code="SAT-AXIS", wrong=_largest(axis=0), sentence=(
            "The softmax runs over the trials. Each trial has its own S keys to share out among.")),
        Misconception(code="SAT-SCORE", wrong=_max_score, sentence=(
            "This is the largest score, before the softmax.")),
        *undrawn("SAT", (lambda D, S, scale, trials, generator: LARGEST[D, S, scale][0],
                         _largest_of_own_seed), (_largest_global,), (_always_as_many_trials,)),
    ),
    alternatives=(_row_by_row, _by_ratio),
)  # fmt: skip
