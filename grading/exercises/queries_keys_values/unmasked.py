"""attention: the three steps without a mask, before the whole function."""

from __future__ import annotations

from grading.exercise import Exercise, Inputs, Probe
from grading.exercises.queries_keys_values.attention_probes import (
    BATCH,
    LEVEL,
    PLAIN,
    PROBES,
    WIDE,
)
from grading.exercises.queries_keys_values.scaled_dot_product import SDPA
from grading.exercises.shared.attention_variants import added_logarithm, by_exponentials, by_torch
from grading.exercises.shared.drawing import normal
from grading.late import late, torch

__all__ = ["ATTENTION"]

library = late("course_lib.attention.dot_product")

#: Without a mask these mistakes can be made, and are the same functions.
CODES = (
    "NOSCALE TIMESROOT DK DMODEL CONST8 VIEW AXES AXIS NOSOFTMAX ARGMAX ORDER SCALEAFTER WTV "
    "VNOTUSED CAUSAL DROPOUT OVERFLOW SHIFT"
)
APPLY = {f"SDPA-{code}" for code in CODES.split()}


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
    name="attention", slug="queries-keys-values", task="unmasked",
    title="Attention in three steps", kind="implement", points=0.5, difficulty=2,
    importance=3, minutes=15, parameters=("query", "key", "value"),
    outputs=SDPA.outputs,
    axes={"query": "... T D", "key": "... S D", "value": "... S Dv"},
    reference=lambda *inputs: library.scaled_dot_product_attention(*inputs), equation="eq-sdpa",
    next_rung="Add a mask, and it is the function that the rest of the course is built on.",
    probes=(
        *(_unmasked(probe, NAMES[probe.name]) for probe in PROBES if probe.name in NAMES),
        Probe(name="two queries, two keys, D = 1", draw=_two_by_one, edge=True),
    ),
    misconceptions=tuple(one for one in SDPA.misconceptions if one.code in APPLY),
    steps=SDPA.steps,
    alternatives=(added_logarithm, by_torch, by_exponentials),
)  # fmt: skip
