"""The inputs of scaled dot-product attention: masks of every shape, and rows at their limits."""

from __future__ import annotations

from typing import Any

from grading.exercise import Inputs, LeftOut, Probe, Tolerance
from grading.exercises.shared.drawing import normal
from grading.late import torch

__all__ = [
    "BATCH", "BROADCAST", "CONTROL", "HEADLESS", "LEVEL", "MASKED", "ONE_ROW", "PADDING", "PLAIN",
    "PROBES", "RANDOM", "SMALL", "UNREAD", "WIDE",
]  # fmt: skip

PLAIN, RANDOM = "a batch with heads, may_attend left out", "a mask of shape (T, S) at random"
BATCH = "a batch, may_attend=None"
HEADLESS, PER_EXAMPLE = (
    "a mask for each example, (B, T, S)",
    "a mask for each example, (B, 1, T, S)",
)
PADDING, ONE_ROW = "a padding mask of shape (B, 1, 1, S)", "one mask row for all, (1, S)"
UNREAD = "a mask of shape (T, 1): some queries read nothing"
CONTROL = "a query that may read nothing, and large scores"
LEVEL, WIDE = "scores near 1000, no mask", "scores from −10,000 to 10,000 in one row"
SMALL = ("two queries, two keys, D = 1", "one query, one key")
MASKED = (RANDOM, HEADLESS, PER_EXAMPLE, PADDING, ONE_ROW, UNREAD, CONTROL, *SMALL)
#: Masks that have not the shape of the scores' last two axes.
BROADCAST = (PER_EXAMPLE, PADDING, ONE_ROW, UNREAD)


#: D is no square: half of 1/√4 would be 1/4, and a mistake in one be called that in the other.
SIZES = {"B": 5, "H": 6, "T": 7, "S": 9, "D": 10, "Dv": 8}
HEADLESS_SIZES = {"B": 3, "T": 8, "S": 4, "D": 5, "Dv": 2}
LOOSE = Tolerance(rtol=1e-6, atol=1e-8)
HOT = 1e5  # the query's product with a key that it may not read: any leak takes over the row


def _attention_inputs(generator: torch.Generator) -> Inputs:
    query, key = normal(generator, 5, 6, 7, 10), normal(generator, 5, 6, 9, 10)
    value = normal(generator, 5, 6, 9, 8)
    return {"query": query, "key": key, "value": value, "may_attend": LeftOut()}


def _one_leading_axis(generator: torch.Generator) -> Inputs:
    query, key = normal(generator, 3, 8, 5), normal(generator, 3, 4, 5)
    return {"query": query, "key": key, "value": normal(generator, 3, 4, 2), "may_attend": None}


def _mask_for_each_example(generator: torch.Generator) -> Inputs:
    inputs = _one_leading_axis(generator)
    may_attend = torch.rand(3, 8, 4, generator=generator) > 0.4
    may_attend[..., 1] = True
    return inputs | {"may_attend": may_attend}


def _unread(generator: torch.Generator) -> Inputs:
    inputs = _attention_inputs(generator)
    may_attend = torch.ones(7, 1, dtype=torch.bool)
    may_attend[2], may_attend[5] = False, False
    return inputs | {"may_attend": may_attend}


def _masked_inputs(generator: torch.Generator) -> Inputs:
    inputs = _attention_inputs(generator)
    may_attend = torch.rand(7, 9, generator=generator) > 0.4
    may_attend[:, 0] = True
    return inputs | {"may_attend": may_attend}


def _control_rows(generator: torch.Generator) -> Inputs:
    """Row 0 must not read a key that would win by far; row 1 may read only keys that score very
    low; row 2 has nothing to read; the others are ordinary."""
    query, key = normal(generator, 5, 3), normal(generator, 7, 3)
    may_attend = torch.rand(5, 7, generator=generator) > 0.4
    may_attend[:, 1] = True
    query[0], key[6] = torch.tensor([HOT, 0, 0]), torch.tensor([2.0, 0, 0])
    key[:6, 0] = torch.linspace(0, 5e-5, 6, dtype=torch.float64)
    query[1], key[:, 1] = torch.tensor([0, -HOT, 0]), 2 + torch.linspace(0, 6e-5, 7)
    key[5, 1] = 0.0
    may_attend[0, 6], may_attend[1, 5], may_attend[2] = False, False, False
    value = normal(generator, 7, 4)
    return {"query": query, "key": key, "value": value, "may_attend": may_attend}


def _masked_by(*shape: int) -> Any:
    """Return a way to draw inputs with a mask of that shape, which has to broadcast."""

    def draw(generator: torch.Generator) -> Inputs:
        inputs = _attention_inputs(generator)
        may_attend = torch.rand(*shape, generator=generator) > 0.4
        may_attend[..., 0], may_attend[..., 1] = True, False
        return inputs | {"may_attend": may_attend}

    return draw


def _level_rows(generator: torch.Generator) -> Inputs:
    """All scores of row 0 lie near 1000 and all of row 1 near -1000; the others are ordinary."""
    inputs = _control_rows(generator) | {"may_attend": None}
    inputs["query"], inputs["key"] = normal(generator, 5, 3), normal(generator, 7, 3)
    inputs["key"][:, 0] = 1 + torch.linspace(0, 1e-3, 7, dtype=torch.float64)
    inputs["query"][0, 0], inputs["query"][1, 0] = 1700.0, -1700.0
    return inputs


def _wide_rows(generator: torch.Generator) -> Inputs:
    """Row 0 holds scores from -10,000 to 10,000; no extreme one stands first or last.

    Divided by D or by 8 they still reach further than an exponential: what is subtracted shows.
    """
    inputs = _level_rows(generator)
    inputs["query"][:2] *= 10.0
    inputs["key"][:, 0] = torch.tensor([0.2, -1.0, -0.4, 1.0, 0.5, -0.7, 0.0])
    return inputs


def _two_by_one(generator: torch.Generator) -> Inputs:
    query, key = normal(generator, 2, 1), normal(generator, 2, 1)
    may_attend = torch.tensor([[True, False], [True, True]])
    return {"query": query, "key": key, "value": normal(generator, 2, 1), "may_attend": may_attend}


def _one_by_one(generator: torch.Generator) -> Inputs:
    shapes = {"query": (1, 1, 2), "key": (1, 1, 2), "value": (1, 1, 2)}
    return {name: normal(generator, *shape) for name, shape in shapes.items()} | {
        "may_attend": torch.ones(1, 1, dtype=torch.bool)
    }


PROBES = (
    Probe(name=PLAIN, draw=_attention_inputs, gradient=True, single=True, half=True, sizes=SIZES),
    Probe(name=BATCH, draw=_one_leading_axis, sizes=HEADLESS_SIZES),
    Probe(name=RANDOM, draw=_masked_inputs, gradient=True, sizes=SIZES, single=True, half=True),
    Probe(name=HEADLESS, draw=_mask_for_each_example, sizes=HEADLESS_SIZES),
    Probe(name=PER_EXAMPLE, draw=_masked_by(5, 1, 7, 9), sizes=SIZES),
    Probe(name=PADDING, draw=_masked_by(5, 1, 1, 9), sizes=SIZES),
    Probe(name=ONE_ROW, draw=_masked_by(1, 9), sizes=SIZES),
    Probe(name=UNREAD, draw=_unread, gradient=True, sizes=SIZES, control=True),
    Probe(name=CONTROL, draw=_control_rows, control=True,
          sizes={"T": 5, "S": 7, "D": 3, "Dv": 4}, tolerance=LOOSE),
    Probe(name=LEVEL, draw=_level_rows, sizes={"T": 5, "S": 7, "D": 3, "Dv": 4},
          control=True, tolerance=LOOSE),
    Probe(name=WIDE, draw=_wide_rows, sizes={"T": 5, "S": 7, "D": 3, "Dv": 4},
          control=True, tolerance=LOOSE),
    Probe(name=SMALL[0], draw=_two_by_one, edge=True),
    Probe(name=SMALL[1], draw=_one_by_one, edge=True),
)  # fmt: skip
