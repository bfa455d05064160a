"""Two short tasks from the chapters before: the division by √D, and one query's attention."""

from __future__ import annotations

import math
from typing import Any

from grading.exercise import Exercise, Misconception, Output, Probe
from grading.exercises.shared.drawing import normal
from grading.late import Tensor, torch

__all__ = ["ATTEND_ONE", "SCALED_SCORES"]


def _scores(head_dim: int, *shape: int) -> Any:
    return lambda generator: {"scores": normal(generator, *shape), "head_dim": head_dim}


SCALED_SCORES = Exercise(
    name="scale_scores", slug="softmax", task="warm-up-scale", title="Warm-up: the root",
    kind="warm-up", points=0.25, difficulty=1, importance=2, minutes=5,
    parameters=("scores", "head_dim"), outputs=(Output(name="scores", axes="... T S"),),
    axes={"scores": "... T S"},
    reference=lambda scores, head_dim: scores / math.sqrt(head_dim),
    equation="queries-keys-values#eq-sdpa",
    next_rung="Scores of variance D now have variance 1.",
    probes=(
        Probe(name="a batch, head_dim 36", draw=_scores(36, 3, 5, 7), gradient=True, single=True,
              half=True, sizes={"B": 3, "T": 5, "S": 7, "D": 36}),
        Probe(name="a batch with heads, head_dim 9", draw=_scores(9, 2, 3, 4, 5),
              sizes={"B": 2, "H": 3, "T": 4, "S": 5, "D": 9}),
        Probe(name="one sequence, head_dim 64", draw=_scores(64, 6, 2),
              sizes={"T": 6, "S": 2, "D": 64}),
        Probe(name="two scores, head_dim 4", draw=_scores(4, 1, 2), edge=True),
    ),
    misconceptions=(
        Misconception(code="WARM-DK", wrong=lambda scores, head_dim: scores / head_dim, sentence=(
            "The scores are divided by D, not by its root.")),
        Misconception(code="WARM-MULTIPLIED", wrong=lambda scores, head_dim: scores
                      * math.sqrt(head_dim), sentence=(
            "The scores are multiplied by the root. They have to become smaller.")),
        Misconception(code="WARM-KEYS", wrong=lambda scores, head_dim: scores
                      / math.sqrt(scores.shape[-1]), sentence=(
            "The root is taken of the number of keys. A score adds up D products.")),
        Misconception(code="WARM-CONST8", wrong=lambda scores, head_dim: scores / 8, sentence=(
            "The scores are divided by 8. That is √D for D = 64 only.")),
    ),
    alternatives=(
        lambda scores, head_dim: scores * head_dim**-0.5,
        lambda scores, head_dim: torch.stack([row / head_dim**0.5 for row in scores]),
    ),
)  # fmt: skip


def _one_query(S: int, D: int, Dv: int) -> Any:
    shapes = {"query": (D,), "key": (S, D), "value": (S, Dv)}
    return lambda generator: {name: normal(generator, *shape) for name, shape in shapes.items()}


def _one(scale: Any = math.sqrt, weigh: Any = lambda z: z.softmax(-1)) -> Any:
    def attend(query: Tensor, key: Tensor, value: Tensor) -> Any:
        return weigh(key @ query / scale(len(query))) @ value

    return attend


def _of_size(size: Any) -> Any:
    def attend(query: Tensor, key: Tensor, value: Tensor) -> Any:
        return (key @ query / math.sqrt(size(key, value))).softmax(-1) @ value

    return attend


def _by_sum(query: Tensor, key: Tensor, value: Tensor) -> Any:
    exps = [((query * k).sum() / len(query) ** 0.5).exp() for k in key]
    return sum(e * v for e, v in zip(exps, value, strict=True)) / sum(exps)


ATTEND_ONE = Exercise(
    name="attend_one", slug="softmax", task="warm-up-attend", title="Warm-up: one query",
    kind="warm-up", points=0.25, difficulty=1, importance=2, minutes=5,
    parameters=("query", "key", "value"), outputs=(Output(name="output", axes="Dv"),),
    axes={"query": "D", "key": "S D", "value": "S Dv"},
    reference=_one(), equation="queries-keys-values#eq-sdpa",
    next_rung="The whole formula, for one query. This chapter opens its middle.",
    probes=(
        Probe(name="five keys, D = 9", draw=_one_query(5, 9, 4), gradient=True, single=True,
              half=True, sizes={"D": 9, "S": 5, "Dv": 4}),
        Probe(name="eight keys, D = 3", draw=_one_query(8, 3, 6),
              sizes={"D": 3, "S": 8, "Dv": 6}),
        Probe(name="two keys, D = 1", draw=_one_query(2, 1, 1), edge=True),
    ),
    misconceptions=(
        Misconception(code="ONE-NOSCALE", wrong=_one(scale=lambda d: 1.0), sentence=(
            "The scores are not divided by √D.")),
        Misconception(code="ONE-DK", wrong=_one(scale=lambda d: d), sentence=(
            "The scores are divided by D, not by its root.")),
        Misconception(code="ONE-SIZE", wrong=_of_size(lambda key, value: key.shape[0]), also=(
            _of_size(lambda key, value: value.shape[1]),
            _of_size(lambda key, value: key.shape[0] * key.shape[1])), sentence=(
            "The root is taken of another size. It is the size D of one query, the number of "
            "products that a score adds up.")),
        Misconception(code="ONE-NOSOFTMAX", wrong=_one(weigh=lambda z: z), sentence=(
            "The scores themselves are used as weights. They may be negative and do not sum "
            "to 1.")),
        Misconception(code="ONE-ARGMAX", wrong=_one(
            weigh=lambda z: torch.nn.functional.one_hot(z.argmax(), len(z)).to(z.dtype)),
            sentence=(
            "The best key gets all the weight. That is a lookup, the limit of a very low "
            "temperature, and it has no gradient.")),
    ),
    alternatives=(_by_sum, lambda query, key, value: torch.einsum(
        "s,sv->v", (torch.einsum("d,sd->s", query, key) * len(query) ** -0.5).softmax(0), value)),
)  # fmt: skip
