"""attention_scores: every query against every key."""

from __future__ import annotations

import math
from typing import Any

from grading.exercise import Exercise, Misconception, Output, Probe
from grading.exercises.shared.attention_steps import TURNS, turned, viewed
from grading.exercises.shared.drawing import normal
from grading.late import Tensor, late, torch

__all__ = ["ATTENTION_SCORES"]

attention = late("course_lib.attention.dot_product")


def _query_key(T: int, S: int, D: int, *leading: int) -> Any:
    return lambda generator: {
        "query": normal(generator, *leading, T, D), "key": normal(generator, *leading, S, D),
    }  # fmt: skip


def _cosine(query: Tensor, key: Tensor) -> Any:
    lengths = query.norm(dim=-1)[..., :, None] * key.norm(dim=-1)[..., None, :]
    return query @ key.mT / lengths


def _mixed_batch(query: Tensor, key: Tensor) -> Tensor:
    return query @ key.flip(0).mT if query.ndim > 2 else query @ key.mT


def _summed_batch(query: Tensor, key: Tensor) -> Tensor:
    return torch.einsum("...td,...sd->ts", query, key).expand(*query.shape[:-2], -1, -1)


ATTENTION_SCORES = Exercise(
    name="attention_scores", slug="queries-keys-values", task="scores",
    title="Every query against every key",
    kind="implement", points=1.0, difficulty=1, importance=3, minutes=10,
    parameters=("query", "key"), outputs=(Output(name="scores", axes="... T S"),),
    axes={"query": "... T D", "key": "... S D"}, 
    reference=lambda query, key: attention.attention_scores(query, key),
    equation="eq-scores",
    part="course_lib.attention.dot_product.attention_scores",
    next_rung="Row t holds the scores of query t. The softmax will run along that row.",
    probes=(
        Probe(name="a batch with heads", draw=_query_key(7, 9, 10, 5, 6), gradient=True,
              single=True, half=True, sizes={"B": 5, "H": 6, "T": 7, "S": 9, "D": 10}),
        Probe(name="a batch", draw=_query_key(3, 8, 5, 4), sizes={"B": 4, "T": 3, "S": 8, "D": 5}),
        Probe(name="one sequence", draw=_query_key(8, 3, 6), sizes={"T": 8, "S": 3, "D": 6}),
        Probe(name="a batch, as many queries as keys", draw=_query_key(7, 7, 4, 5), edge=True),
        Probe(name="two queries, two keys", draw=_query_key(2, 2, 3), edge=True),
    ),
    misconceptions=(
        Misconception(code="SC-KQ", wrong=lambda query, key: key @ query.mT, sentence=(
            "Rows and columns are exchanged: row t has to hold the scores of query t, one "
            "column for each key.")),
        Misconception(code="SC-ELEM", wrong=lambda query, key: query * key, also=(
            lambda query, key: (query * key).sum(-1), lambda query, key: (query * key).sum(-2)),
            sentence=(
            "Query t is multiplied with key t only. Every query has to meet every key, so the "
            "result has an axis for queries and one for keys.")),
        Misconception(code="SC-TALL", wrong=lambda query, key: query @ key.T, sentence=(
            "key.T turns around all axes, batch and heads included. Only the last two may change "
            "places.")),
        Misconception(code="SC-VIEW", wrong=turned(viewed), sentence=(
            "The key has the shape of its transpose, but its numbers stand in their old order: "
            "view and reshape cut a row into new rows. Exchange its last two axes.")),
        Misconception(code="SC-AXES", wrong=turned(TURNS[0]), also=tuple(
            turned(turn) for turn in TURNS[1:]), sentence=(
            "Other axes of the key than its last two change places, at least for some number of "
            "axes. transpose(2, 3) counts from the front; −2 and −1 are always the last two.")),
        Misconception(code="SC-COS", wrong=_cosine, sentence=(
            "The scores are divided by the vectors' lengths. That is the cosine; here a long "
            "key may score more than a short one.")),
        Misconception(code="SC-BATCHMIX", wrong=_mixed_batch, also=(_summed_batch,),
                      sentence=(
            "Queries of one example meet keys of another. Each example, and each head, keeps to "
            "itself.")),
        Misconception(code="SC-SOFTMAX", wrong=lambda query, key: (query @ key.mT).softmax(-1),
                      also=(
            lambda query, key: (query @ key.mT / math.sqrt(query.shape[-1])).softmax(-1),
            lambda query, key: (query @ key.mT).softmax(-2)), sentence=(
            "A softmax has turned the scores into weights. This function gives the scores before "
            "it, which may be negative and sum to anything.")),
        Misconception(code="SC-SCALED", wrong=lambda query, key: query @ key.mT
                      / math.sqrt(query.shape[-1]), sentence=(
            "The scores are already divided by √D. This function gives them unscaled; the next "
            "one divides.")),
    ),
    alternatives=(
        lambda query, key: torch.einsum("...td,...sd->...ts", query, key),
        lambda query, key: (query.unsqueeze(-2) * key.unsqueeze(-3)).sum(-1),
        lambda query, key: torch.matmul(query, key.transpose(-2, -1)),
    ),
)  # fmt: skip
