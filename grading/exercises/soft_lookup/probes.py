"""Queries, keys and values that the lookups of this chapter share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grading.exercise import Inputs
from grading.exercises.shared.drawing import normal
from grading.late import torch

__all__ = ["AXES", "FAR", "far_queries", "near", "table", "with_temperature"]

AXES = {"query": "T D", "keys": "S D", "values": "S Dv"}
#: The probe on which exponentials without a maximum leave 0/0.
FAR = "queries far from every key"


def table(
    T: int, S: int, D: int, Dv: int, size: float = 1.0
) -> Callable[[torch.Generator], Inputs]:
    """Return a way to draw queries, keys and values."""

    def draw(generator: torch.Generator) -> Inputs:
        query, keys = size * normal(generator, T, D), size * normal(generator, S, D)
        return {"query": query, "keys": keys, "values": normal(generator, S, Dv)}

    return draw


def near(T: int, S: int, D: int, Dv: int) -> Any:
    """Return a way to draw queries of which each lies close to one key, in whatever precision."""

    def draw(generator: torch.Generator) -> Inputs:
        keys = 3.0 * torch.arange(S * D, dtype=torch.float64).reshape(S, D).sin().round(decimals=1)
        keys[:, 0] = 4.0 * (torch.arange(S) * (S - 1) % S) - 2.0 * S
        meant = torch.randint(S, (T,), generator=generator)
        query = keys[meant] + 0.2 * normal(generator, T, D)
        return {"query": query, "keys": keys, "values": normal(generator, S, Dv)}

    return draw


def far_queries(T: int, S: int, D: int, Dv: int) -> Any:
    """Return a way to draw queries of which two lie far away, on opposite sides."""

    def draw(generator: torch.Generator) -> Inputs:
        inputs = table(T, S, D, Dv)(generator)
        inputs["query"][0] += 300.0
        inputs["query"][2] -= 200.0
        return inputs

    return draw


def with_temperature(draw: Any, temperature: float) -> Any:
    """Return a way to draw the same with a temperature."""
    return lambda generator: draw(generator) | {"temperature": temperature}
