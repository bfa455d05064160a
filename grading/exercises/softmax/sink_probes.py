"""The inputs of a softmax with a sink: heads with sinks of their own, and rows at their limits."""

from __future__ import annotations

from grading.exercise import Inputs, Probe
from grading.exercises.shared.drawing import normal
from grading.late import torch

__all__ = ["PROBES", "WIDE"]

SIZES = {"B": 2, "H": 3, "T": 5, "S": 7}


def _per_head(generator: torch.Generator) -> Inputs:
    return {"scores": normal(generator, 2, 3, 5, 7), "sink": normal(generator, 3)}


def _without_batch(generator: torch.Generator) -> Inputs:
    return {"scores": normal(generator, 4, 2, 6), "sink": normal(generator, 4)}


def _two_leading(generator: torch.Generator) -> Inputs:
    return {"scores": normal(generator, 2, 3, 4, 5, 6), "sink": normal(generator, 4)}


def _high_and_low_sink(generator: torch.Generator) -> Inputs:
    inputs = _per_head(generator)
    inputs["sink"][1], inputs["sink"][2] = 1000.0, -1000.0
    return inputs


def _high_scores(generator: torch.Generator) -> Inputs:
    inputs = _per_head(generator)
    return {"scores": inputs["scores"] + 1000.0, "sink": inputs["sink"] + 1000.0}


HIGH_AND_LOW = "a head's sink at 1000, another's at −1000"
WIDE = "scores from −1000 to 1000 in one row"


def _wide(generator: torch.Generator) -> Inputs:
    inputs = _per_head(generator)
    inputs["scores"][..., 1], inputs["scores"][..., 3] = -1000.0, 1000.0
    return inputs


def _low_scores(generator: torch.Generator) -> Inputs:
    inputs = _per_head(generator)
    return {"scores": inputs["scores"] - 1000.0, "sink": inputs["sink"] - 1000.0}


def _rows_apart(generator: torch.Generator) -> Inputs:
    inputs = _per_head(generator)
    inputs["scores"][..., 1, :] -= 1000.0
    inputs["scores"][..., 3, :] += 1000.0
    return inputs


def _number(generator: torch.Generator) -> Inputs:
    return {"scores": normal(generator, 3, 5, 7), "sink": 1.5}


def _whole_number(generator: torch.Generator) -> Inputs:
    return {"scores": normal(generator, 2, 3, 5, 7), "sink": 2}


def _two(generator: torch.Generator) -> Inputs:
    return {"scores": torch.zeros(1, 2, 2, dtype=torch.float64), "sink": 1.0}


PROBES = (
    Probe(name="one sink a head, with a batch", draw=_per_head, sizes=SIZES,
          gradient=True, single=True, half=True),
    Probe(name="one sink a head, without a batch", draw=_without_batch,
          sizes={"H": 4, "T": 2, "S": 6}),
    Probe(name="one sink a head, with two leading axes", draw=_two_leading,
          sizes={"A": 2, "B": 3, "H": 4, "T": 5, "S": 6}),
    Probe(name="one number as sink for all heads", draw=_number,
          sizes={"H": 3, "T": 5, "S": 7}),
    Probe(name="the whole number 2 as sink", draw=_whole_number, sizes=SIZES),
    Probe(name="scores and sink near 1000", draw=_high_scores, sizes=SIZES, control=True),
    Probe(name="scores and sink near −1000", draw=_low_scores, sizes=SIZES, control=True),
    Probe(name="rows near −1000, 0 and 1000", draw=_rows_apart, sizes=SIZES, control=True),
    Probe(name=WIDE, draw=_wide, sizes=SIZES, control=True),
    Probe(name=HIGH_AND_LOW, draw=_high_and_low_sink, sizes=SIZES, gradient=True,
          control=True),
    Probe(name="two queries, two keys, equal scores", draw=_two, edge=True),
)  # fmt: skip
