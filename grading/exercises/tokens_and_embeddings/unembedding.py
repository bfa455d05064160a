"""unembed: the same table turns vectors into scores over the ids."""

from __future__ import annotations

import math
from typing import Any

from grading.exercise import Exercise, Misconception, Output, Probe
from grading.exercises.shared.drawing import normal
from grading.exercises.tokens_and_embeddings.tables import FILLED, ZEROS, from_elsewhere, small
from grading.late import Tensor, late, torch

__all__ = ["UNEMBED"]

library = late("course_lib.layers.embedding")


def _hidden(V: int, C: int, *shape: int) -> Any:
    return lambda generator: {
        "h": normal(generator, *shape, C), "table": normal(generator, V, C),
    }  # fmt: skip


def _own_matrix(h: Tensor, table: Tensor) -> Tensor:
    weight = normal(torch.Generator().manual_seed(0), *table.shape).to(h.dtype)
    return h @ weight.T


def _with_a_bias(h: Tensor, table: Tensor) -> Tensor:
    return h @ table.T + torch.arange(1, 1 + table.shape[0], dtype=h.dtype)


def _distances(h: Tensor, table: Tensor) -> Tensor:
    return -((h[..., None, :] - table) ** 2).sum(-1)


def _cosines(h: Tensor, table: Tensor) -> Tensor:
    unit = torch.nn.functional.normalize
    return unit(h, dim=-1) @ unit(table, dim=-1).T


def _token_by_token(h: Tensor, table: Tensor) -> Tensor:
    return torch.stack([(h * row).sum(-1) for row in table], -1)


UNEMBED = Exercise(
    name="unembed", slug="tokens-and-embeddings", task="unembed",
    title="Vectors become scores over the tokens", kind="implement", points=0.5, difficulty=1,
    importance=3, minutes=10, parameters=("h", "table"),
    outputs=(Output(name="logits", axes="... T V"),),
    axes={"h": "... T C", "table": "V C"},
    reference=lambda h, table: library.unembed(h, table), equation="eq-unembed",
    part="course_lib.layers.embedding.unembed",
    next_rung="Embed the ids of a sentence, unembed the vectors. Does each token score highest?",
    probes=(
        Probe(name="a sequence of four", draw=_hidden(7, 3, 4), sizes={"T": 4, "V": 7, "C": 3},
              gradient=True, single=True, half=True),
        Probe(name="a batch of two", draw=_hidden(5, 6, 2, 3),
              sizes={"B": 2, "T": 3, "V": 5, "C": 6}, gradient=True),
        Probe(name="two leading axes", draw=_hidden(8, 4, 3, 2, 5),
              sizes={"B": 3, "H": 2, "T": 5, "V": 8, "C": 4}),
        Probe(name="a table as wide as it is long", draw=_hidden(4, 4, 3), edge=True),
        Probe(name="one position", draw=_hidden(6, 2, 1), edge=True),
        Probe(name=FILLED, draw=small(_hidden(5, 2, 3)), edge=True),
        Probe(name=ZEROS, draw=small(_hidden(5, 2, 3), zeros=True), edge=True),
    ),
    misconceptions=(
        Misconception(code="EMB-ONEHOTT", wrong=lambda h, table: h @ table, sentence=(
            "The table is multiplied as it stands. Each logit compares a vector with one row, so "
            "the table has to be turned: C numbers go in, V come out.")),
        Misconception(code="EMB-SCALE", wrong=lambda h, table: h @ table.T
                      / math.sqrt(h.shape[-1]), also=(
            lambda h, table: h @ table.T * math.sqrt(h.shape[-1]),), sentence=(
            "The logits are divided or multiplied by the root of C. That belongs to the scores of "
            "attention, or to embeddings as Vaswani et al. scale them; here nothing is scaled.")),
        Misconception(code="EMB-UNTIED", wrong=_own_matrix, also=(_with_a_bias,),
                      recognise=from_elsewhere, sentence=(
            "With a table of zeros the logits are not zero: they hold more than products with the "
            "table, such as those with a matrix of their own, or a bias. Tied, they are products "
            "with the table and nothing else.")),
        Misconception(code="EMB-SOFTMAX", wrong=lambda h, table: torch.softmax(h @ table.T, -1),
                      sentence=(
            "These are probabilities. Logits are asked for, the scores before the softmax.")),
        Misconception(code="EMB-LOGSOFTMAX", wrong=lambda h, table: torch.log_softmax(
            h @ table.T, -1), sentence=(
            "These are logarithms of probabilities. Logits are asked for, before any softmax.")),
        Misconception(code="EMB-COSINE", wrong=_cosines, also=(
            lambda h, table: h @ torch.nn.functional.normalize(table, dim=-1).T,
            lambda h, table: torch.nn.functional.normalize(h, dim=-1) @ table.T), sentence=(
            "Vectors are brought to length 1 before they are compared. The lengths count: a logit "
            "is the plain product.")),
        Misconception(code="EMB-DISTANCE", wrong=_distances, also=(
            lambda h, table: -torch.cdist(h, table.expand(*h.shape[:-2], *table.shape)),
            lambda h, table: -_distances(h, table)), sentence=(
            "Distances to the rows are computed. A logit is the product of a vector and a row.")),
        Misconception(code="EMB-INVERSE", wrong=lambda h, table: h @ torch.linalg.pinv(
            table.double()).to(h.dtype), sentence=(
            "The table is inverted, as though the embedding were to be undone. The logits compare "
            "the vector with each row: the table is turned and not inverted.")),
        Misconception(code="EMB-LASTONLY", wrong=lambda h, table: h[..., -1:, :] @ table.T, also=(
            lambda h, table: h[..., -1, :] @ table.T,), sentence=(
            "Only the last position gets logits. Every one of the T positions foretells a "
            "token.")),
    ),
    alternatives=(
        _token_by_token,
        lambda h, table: torch.einsum("...tc,vc->...tv", h, table),
        lambda h, table: torch.nn.functional.linear(h, table),
        lambda h, table: (table @ h.mT).mT,
    ),
)  # fmt: skip
