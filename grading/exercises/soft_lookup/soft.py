"""soft_lookup: a mixture of all values, the nearer the key the larger its share."""

from __future__ import annotations

import math
from typing import Any

from grading.exercise import Exercise, Inputs, Output, Probe
from grading.exercises.shared.recognising import fails_only_on
from grading.exercises.shared.stepwise import mistake
from grading.exercises.soft_lookup.probes import AXES, FAR, far_queries, table, with_temperature
from grading.exercises.soft_lookup.soft_steps import STEPS
from grading.late import Tensor, late, torch

__all__ = ["SOFT_LOOKUP"]

library = late("course_lib.lookup")


def _as_wide(generator: torch.Generator) -> Inputs:
    return table(5, 3, 2, 2)(generator) | {"temperature": 1.5}


def _by_loops(query: Tensor, keys: Tensor, values: Tensor, temperature: float) -> Tensor:
    rows: list[Any] = []
    for q in query:
        scores = torch.stack([-((q - key) ** 2).sum() / temperature for key in keys])
        powers = (scores - scores.max()).exp()
        rows.append(sum(p * v for p, v in zip(powers / powers.sum(), values, strict=True)))
    return torch.stack(rows)


def _by_products(query: Tensor, keys: Tensor, values: Tensor, temperature: float) -> Tensor:
    scores = (2 * query @ keys.mT - keys.square().sum(-1)) / temperature
    return scores.softmax(-1) @ values


def _by_attention(query: Tensor, keys: Tensor, values: Tensor, temperature: float) -> Any:
    bias = (-keys.square().sum(-1) / temperature).expand(len(query), -1)
    return torch.nn.functional.scaled_dot_product_attention(
        query * math.sqrt(2 / temperature), keys * math.sqrt(2 / temperature), values,
        attn_mask=bias, scale=1.0,
    )  # fmt: skip


SOFT_LOOKUP = Exercise(
    name="soft_lookup", slug="soft-lookup", task="soft", title="A mixture of all values",
    kind="implement", points=1.25, difficulty=2, importance=3, minutes=20,
    parameters=("query", "keys", "values", "temperature"),
    outputs=(Output(name="mixture", axes="T Dv"),), axes=AXES,
    reference=lambda *inputs: library.soft_lookup(*inputs), equation="eq-soft-lookup",
    part="course_lib.lookup.soft_lookup",
    next_rung="With the temperature near 0 it is your hard lookup, far above it the plain mean.",
    probes=(
        Probe(name="temperature 3", draw=with_temperature(table(7, 9, 5, 4), 3.0), gradient=True,
              single=True, sizes={"T": 7, "S": 9, "D": 5, "Dv": 4}),
        Probe(name="temperature 0.4", draw=with_temperature(table(4, 6, 3, 5), 0.4),
              sizes={"T": 4, "S": 6, "D": 3, "Dv": 5}),
        Probe(name="temperature 5, two keys, many queries",
              draw=with_temperature(table(11, 2, 3, 4), 5),
              sizes={"T": 11, "S": 2, "D": 3, "Dv": 4}),
        Probe(name="keys that lie close together",
              draw=with_temperature(table(8, 6, 3, 4, 0.5), 2.0), half=True,
              sizes={"T": 8, "S": 6, "D": 3, "Dv": 4}),
        Probe(name=FAR, draw=with_temperature(far_queries(4, 6, 3, 5), 1.5), control=True,
              gradient=True, sizes={"T": 4, "S": 6, "D": 3, "Dv": 5}),
        Probe(name="values as wide as keys", draw=_as_wide, edge=True),
        Probe(name="two queries, three keys, D = 1",
              draw=with_temperature(table(2, 3, 1, 2), 0.5), edge=True),
    ),
    misconceptions=(
        mistake(STEPS, "LOOK-DISTSIGN", (
            "The softmax is taken of the distances, so the farthest key gets the largest share. "
            "A score is high where a key fits: take minus the distance.")),
        mistake(STEPS, "LOOK-TEMPMUL", (
            "The scores are multiplied by the temperature. It divides: the hotter, the more equal "
            "the shares.")),
        mistake(STEPS, "LOOK-NOTEMP", "The temperature is not used."),
        mistake(STEPS, "LOOK-WIDTH", (
            "The distances are divided by the temperature's square, or by twice a power of it, as "
            "the width of a kernel enters. Here they are divided by the temperature itself.")),
        mistake(STEPS, "LOOK-ROOT", (
            "The distance is not squared. The score is minus its square, ‖q − k‖².")),
        mistake(STEPS, "LOOK-L1", (
            "The absolute differences are added up. Euclid's distance squared adds up their "
            "squares.")),
        mistake(STEPS, "LOOK-MEAN", (
            "The mean of the squared differences is taken, which divides by D. Their sum is asked "
            "for.")),
        mistake(STEPS, "LOOK-DOT", (
            "Products are compared instead of distances. A long key scores high there from far "
            "away.")),
        mistake(STEPS, "LOOK-AXIS", (
            "The softmax runs over the queries. Each query shares out its own 1 over the keys.")),
        mistake(STEPS, "LOOK-NONORM", (
            "The exponentials are not divided by their sum, so the shares of a query do not sum "
            "to 1.")),
        mistake(STEPS, "LOOK-UNDERFLOW", (
            "Far from every key all exponentials are 0, and 0/0 is NaN. Subtract the row's maximum "
            "from the scores first, or let torch.softmax do it."),
            recognise=fails_only_on(FAR)),
        mistake(STEPS, "LOOK-ZEROFAR", (
            "Far from every key the mixture becomes 0, as where a small number is added to the sum "
            "of the exponentials, or a NaN is replaced. The nearest keys decide there. Subtract "
            "the row's maximum first.")),
        mistake(STEPS, "LOOK-HARD", (
            "The nearest key gets everything. That is the hard lookup, the limit of a temperature "
            "near 0.")),
        mistake(STEPS, "LOOK-NOEXP", (
            "The scores are divided by their sum without the exponential, and so the farthest key "
            "gets the largest share.")),
        mistake(STEPS, "LOOK-KEYS", (
            "The keys are mixed. The shares belong to the values; a key only says how well it "
            "fits.")),
        mistake(STEPS, "LOOK-WEIGHTS", (
            "The shares themselves are returned. They still have to mix the values.")),
    ),
    steps=STEPS,
    alternatives=(_by_loops, _by_products, _by_attention),
)  # fmt: skip
