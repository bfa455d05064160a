"""attention: the three steps without a mask."""

from __future__ import annotations

from grading.exercise import Exercise, Inputs, Output, Probe
from grading.exercises.shared.attention_mistakes import STEPS
from grading.exercises.shared.attention_probes import (
    BATCH,
    LEVEL,
    PLAIN,
    PROBES,
    WIDE,
)
from grading.exercises.shared.attention_unmasked import UNMASKED
from grading.exercises.shared.attention_variants import added_logarithm, by_exponentials, by_torch
from grading.exercises.shared.drawing import normal
from grading.late import late, torch

__all__ = ["ATTENTION"]

library = late("course_lib.attention.dot_product")

#: What the probes without a mask are called where there never is one.
NAMES = {
    PLAIN: "a batch with heads", BATCH: "a batch", LEVEL: "scores near 1000", WIDE: WIDE,
}  # fmt: skip


def _unmasked(probe: Probe, name: str) -> Probe:
    def draw(generator: torch.Generator) -> Inputs:
        inputs = probe.draw(generator)
        return {name: inputs[name] for name in ("query", "key", "value")}

    return Probe(
        name=name, draw=draw, sizes=probe.sizes, control=probe.control,
        gradient=probe.gradient, single=probe.single, half=probe.half, tolerance=probe.tolerance,
    )  # fmt: skip


def _two_by_one(generator: torch.Generator) -> Inputs:
    return {name: normal(generator, 2, 1) for name in ("query", "key", "value")}


ATTENTION = Exercise(
    name="attention", slug="queries-keys-values", task="attention",
    title="Attention in three steps", kind="implement", points=1.5, difficulty=2,
    importance=3, minutes=20, parameters=("query", "key", "value"),
    outputs=(Output(name="output", axes="... T Dv", made_from="weights"),
             Output(name="weights", axes="... T S")),
    axes={"query": "... T D", "key": "... S D", "value": "... S Dv"},
    reference=lambda *inputs: library.scaled_dot_product_attention(*inputs), equation="eq-sdpa",
    next_rung="Add a mask, and it is the function that the rest of the course is built on.",
    probes=(
        *(_unmasked(probe, NAMES[probe.name]) for probe in PROBES if probe.name in NAMES),
        Probe(name="two queries, two keys, D = 1", draw=_two_by_one, edge=True),
    ),
    misconceptions=UNMASKED,
    steps=STEPS,
    alternatives=(added_logarithm, by_torch, by_exponentials),
)  # fmt: skip
