"""embed: a table turns ids into vectors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from grading.exercise import Exercise, Inputs, Misconception, Output, Probe
from grading.exercises.shared.drawing import normal
from grading.late import Tensor, late, torch
from grading.observation.values import Array

__all__ = ["EMBED", "FILLED", "ZEROS", "from_elsewhere", "small"]

library = late("course_lib.layers.embedding")


def _ids(V: int, C: int, *shape: int) -> Any:
    """Draw ids of which the last token's and token 0 are among them, and a table."""

    def draw(generator: torch.Generator) -> Inputs:
        ids = torch.randint(0, V, shape, generator=generator)
        ids.view(-1)[0], ids.view(-1)[-1] = V - 1, 0
        return {"ids": ids, "table": normal(generator, V, C)}

    return draw


def small(draw: Any, *, zeros: bool = False) -> Any:
    """Draw the same small inputs each time, with a table or with one of zeros."""

    def drawn(generator: torch.Generator) -> Inputs:
        inputs: Inputs = draw(torch.Generator().manual_seed(5))
        table = inputs["table"]
        return inputs | {"table": torch.zeros_like(table) if zeros else table}

    return drawn


def _within(inputs: Inputs) -> Inputs:
    """Let ids be those of a table that was cut down."""
    ids, table = inputs["ids"], inputs["table"]
    assert isinstance(ids, Array)
    assert ids.numbers is not None
    return inputs | {"ids": ids.holding(np.minimum(ids.numbers, table.shape[0] - 1))}


def _one_hot(ids: Tensor, V: int, table: Tensor) -> Tensor:
    return torch.nn.functional.one_hot(ids, V).to(table.dtype)


def _by_product(ids: Tensor, table: Tensor) -> Tensor:
    return _one_hot(ids, table.shape[0], table) @ table


def _row_by_row(ids: Tensor, table: Tensor) -> Tensor:
    rows = [table[int(one)] for one in ids.reshape(-1)]
    return torch.stack(rows).reshape(*ids.shape, table.shape[1])


def _selected(ids: Tensor, table: Tensor) -> Tensor:
    rows = torch.index_select(table, 0, ids.flatten())
    return rows.reshape(*ids.shape, table.shape[1])


def _gathered(ids: Tensor, table: Tensor) -> Tensor:
    index = ids.reshape(-1, 1).expand(-1, table.shape[1])
    return table.gather(0, index).reshape(*ids.shape, -1)


def _padded(ids: Tensor, table: Tensor) -> Tensor:
    return table[ids] * (ids != 0)[..., None]


def _own_table(ids: Tensor, table: Tensor) -> Tensor:
    fresh = normal(torch.Generator().manual_seed(0), *table.shape).to(table.dtype)
    return fresh[ids]


#: The same inputs with a table, and with one of zeros, from which only 0 can come.
FILLED, ZEROS = "a small table", "the same with a table of zeros"


def from_elsewhere(seen: Mapping[str, Any], truth: Mapping[str, Any]) -> bool:
    """Recognise what is the same whatever the table holds, or right but for what is added."""
    if not all(
        isinstance(view, list) and view[0].shape == truth[name][0].shape
        for name, view in seen.items()
    ):
        return False
    filled, zeros, right = seen[FILLED][0], seen[ZEROS][0], truth[FILLED][0]
    if not np.isfinite(zeros).all() or np.allclose(zeros, 0):
        return False
    return bool(np.allclose(filled, zeros) or np.allclose(filled - zeros, right))


EMBED = Exercise(
    name="embed", slug="tokens-and-embeddings", task="embed", title="Ids become vectors",
    kind="implement", points=0.5, difficulty=1, importance=3, minutes=10,
    parameters=("ids", "table"), outputs=(Output(name="vectors", axes="... T C"),),
    axes={"ids": "... T", "table": "V C"}, fitted=_within,
    reference=lambda ids, table: library.embed(ids, table), equation="eq-embed",
    part="course_lib.layers.embedding.embed",
    next_rung="Write it as one product with a matrix of zeros and ones, and count what it costs.",
    probes=(
        Probe(name="a sequence of four", draw=_ids(7, 3, 4), sizes={"T": 4, "V": 7, "C": 3},
              gradient=True, single=True, half=True),
        Probe(name="a batch of two", draw=_ids(5, 6, 2, 3),
              sizes={"B": 2, "T": 3, "V": 5, "C": 6}, gradient=True),
        Probe(name="two leading axes", draw=_ids(8, 4, 3, 2, 5),
              sizes={"B": 3, "H": 2, "T": 5, "V": 8, "C": 4}),
        Probe(name="more positions than tokens", draw=_ids(3, 2, 7),
              sizes={"T": 7, "V": 3, "C": 2}),
        Probe(name="a table as wide as it is long", draw=_ids(4, 4, 3), edge=True),
        Probe(name="one token", draw=_ids(6, 2, 1), edge=True),
        Probe(name=FILLED, draw=small(_ids(5, 2, 3)), edge=True),
        Probe(name=ZEROS, draw=small(_ids(5, 2, 3), zeros=True), edge=True),
    ),
    misconceptions=(
        Misconception(code="EMB-ONEHOTT", wrong=lambda ids, table: table.T[ids], also=(
            lambda ids, table: table[:, ids],
            lambda ids, table: table.reshape(table.shape[1], -1).T[ids],
            lambda ids, table: _one_hot(ids, table.shape[0], table) @ table.T,
            lambda ids, table: _one_hot(ids, table.shape[0], table).mT @ table), sentence=(
            "The table lies the wrong way round, or the zeros and ones do. A token's vector is "
            "one of the V rows of the table, and no column of it.")),
        Misconception(code="EMB-SCALE", wrong=lambda ids, table: table[ids]
                      * math.sqrt(table.shape[1]), also=(
            lambda ids, table: table[ids] / math.sqrt(table.shape[1]),), sentence=(
            "The rows are multiplied or divided by the root of C. Vaswani et al. multiply by it; "
            "the contract asks for the rows as they stand in the table.")),
        Misconception(code="EMB-POSITIONS", wrong=lambda ids, table: table[
            torch.arange(ids.shape[-1]) % table.shape[0]].expand(*ids.shape, -1), sentence=(
            "The ids are not looked at: each position gets the row of its own number.")),
        Misconception(code="EMB-FROMONE", wrong=lambda ids, table: table[ids - 1], sentence=(
            "The ids are counted from 1, so each token gets the row before its own. Id 0 is row "
            "0.")),
        Misconception(code="EMB-PADZERO", wrong=_padded, also=(
            lambda ids, table: torch.nn.functional.embedding(
                ids, torch.cat([torch.zeros_like(table[:1]), table[1:]])),), sentence=(
            "Token 0 gets zeros, as though it were padding. It is a token like the others, with a "
            "row of its own.")),
        Misconception(code="EMB-NORMED", wrong=lambda ids, table: torch.nn.functional.normalize(
            table[ids], dim=-1), sentence=(
            "The vectors are brought to length 1. They are handed on as they stand in the "
            "table.")),
        Misconception(code="EMB-SUMMED", wrong=lambda ids, table: table[ids].sum(-2), also=(
            lambda ids, table: table[ids].mean(-2),), sentence=(
            "The vectors of all positions are added up or averaged. Each position keeps a vector "
            "of its own: a sum forgets the order.")),
        Misconception(code="EMB-FLAT", wrong=lambda ids, table: table[ids.flatten()], sentence=(
            "The leading axes are flattened: all positions of a batch come back in one row. The "
            "shape of the ids stays, with C behind it.")),
        Misconception(code="EMB-UNTIED", wrong=_own_table, recognise=from_elsewhere, sentence=(
            "With a table of zeros the result is not zero: its numbers, or some of them, come from "
            "elsewhere, such as a new layer with a table of its own. Take the rows of the table "
            "that is handed over.")),
    ),
    alternatives=(_by_product, _row_by_row, _selected, _gathered),
)  # fmt: skip
