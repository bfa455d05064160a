"""additive_scores: a small network compares a query with a key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from grading.exercise import Exercise, Inputs, Output, Probe
from grading.exercises.shared.drawing import normal
from grading.exercises.shared.stepwise import mistake
from grading.late import Tensor, late, torch
from grading.observation.seen import Error
from grading.steps import Instead, Pipeline, Step

__all__ = ["ADDITIVE_SCORES"]

attention = late("course_lib.attention.additive")
Way = Callable[..., Any]
#: Probes on which a sum of one query with one key cannot be added, or can by chance.
ALONE, ONE = "one sequence", "one query, one key"


def _compose(do: Any) -> Way:
    def scores(query: Tensor, key: Tensor, w_q: Tensor, w_k: Tensor, v: Tensor) -> Any:
        hidden = do.squash(do.join(query @ w_q, key @ w_k))
        return do.finish(do.weigh(hidden, v))

    return scores


def _all_pairs(asked: Tensor, offered: Tensor) -> Tensor:
    return asked.unsqueeze(-2) + offered.unsqueeze(-3)


def _products(asked: Tensor, offered: Tensor) -> Tensor:
    return asked.unsqueeze(-2) * offered.unsqueeze(-3)


def _each_squashed(asked: Tensor, offered: Tensor) -> Tensor:
    return asked.tanh().unsqueeze(-2) + offered.tanh().unsqueeze(-3)


def _in_step(asked: Tensor, offered: Tensor) -> Tensor:
    return asked + offered


def _same(x: Tensor, *others: Any) -> Tensor:
    return x


STEPS = Pipeline(
    compose=_compose,
    steps=(
        Step(name="join", right=_all_pairs, wrong={
            "ADD-BCAST": (_in_step,),
            "ADD-CAT": (Instead(_each_squashed, squash=_same),),
            "ADD-PRODUCT": (_products,)}),
        Step(name="squash", right=lambda hidden: hidden.tanh(), wrong={
            "ADD-NOTANH": (_same,),
            "ADD-OTHER": (lambda hidden: hidden.relu(), lambda hidden: hidden.sigmoid())}),
        Step(name="weigh", right=lambda hidden, v: hidden @ v, wrong={
            "ADD-NOV": (lambda hidden, v: hidden.sum(-1), lambda hidden, v: hidden.mean(-1))}),
        Step(name="finish", right=_same, wrong={
            "ADD-TANHOUT": (lambda scores: scores.tanh(),),
            "ADD-SOFTMAX": (lambda scores: scores.softmax(-1), lambda scores: scores.softmax(-2)),
            "ADD-KQ": (lambda scores: scores.mT,)}),
    ),
)  # fmt: skip


def _drawn(T: int, S: int, C: int, N: int, D: int, *leading: int) -> Any:
    def draw(generator: torch.Generator) -> Inputs:
        return {
            "query": normal(generator, *leading, T, C), "key": normal(generator, *leading, S, N),
            "w_q": normal(generator, C, D) / 2, "w_k": normal(generator, N, D) / 2,
            "v": normal(generator, D),
        }  # fmt: skip

    return draw


def _cannot_add(seen: Mapping[str, Any], truth: Mapping[str, Any]) -> bool:
    """Recognise a sum of two projections whose rows do not meet each other: it raises."""
    told = [view for name, view in seen.items() if name != ONE]
    return all(isinstance(one, Error) and "must match the size" in one.text for one in told)


def _by_loops(query: Tensor, key: Tensor, w_q: Tensor, w_k: Tensor, v: Tensor) -> Tensor:
    columns = []
    for s in range(key.shape[-2]):
        hidden = torch.tanh(query @ w_q + key[..., s : s + 1, :] @ w_k)
        columns.append((hidden * v).sum(-1))
    return torch.stack(columns, dim=-1)


def _by_one_matrix(query: Tensor, key: Tensor, w_q: Tensor, w_k: Tensor, v: Tensor) -> Tensor:
    """Put query and key side by side, and the matrices one above the other."""
    shape = (*query.shape[:-1], key.shape[-2])
    left = query.unsqueeze(-2).expand(*shape, -1)
    right = key.unsqueeze(-3).expand(*shape, -1)
    hidden = torch.cat([left, right], dim=-1) @ torch.cat([w_q, w_k])
    return torch.einsum("...d,d->...", hidden.tanh(), v)


ADDITIVE_SCORES = Exercise(
    name="additive_scores", slug="soft-lookup", task="additive",
    title="A network that compares", kind="implement", points=1.0, difficulty=2, importance=3,
    minutes=20, parameters=("query", "key", "w_q", "w_k", "v"),
    outputs=(Output(name="scores", axes="... T S"),),
    axes={"query": "... T C", "key": "... S N", "w_q": "C D", "w_k": "N D", "v": "D"},
    reference=lambda *inputs: attention.additive_scores(*inputs), equation="eq-additive",
    part="course_lib.attention.additive.additive_scores",
    next_rung="The next chapter replaces the network by a product: no tanh, no v, much faster.",
    probes=(
        Probe(name="a batch", draw=_drawn(7, 9, 5, 4, 6, 3), gradient=True, single=True, half=True,
              sizes={"B": 3, "T": 7, "S": 9, "C": 5, "N": 4, "D": 6}),
        Probe(name=ALONE, draw=_drawn(4, 6, 3, 5, 8), sizes={"T": 4, "S": 6, "C": 3, "N": 5,
                                                             "D": 8}),
        Probe(name="a batch of batches", draw=_drawn(8, 3, 4, 6, 5, 2, 7),
              sizes={"B": 2, "H": 7, "T": 8, "S": 3, "C": 4, "N": 6, "D": 5}),
        Probe(name=ONE, draw=_drawn(1, 1, 2, 3, 4), edge=True),
    ),
    misconceptions=(
        mistake(STEPS, "ADD-BCAST", (
            "Query t is added to key t alone, which fails as soon as there are more keys than "
            "queries, or fewer. Every query has to meet every key: give the queries an axis of "
            "size 1 for the keys, and the keys one for the queries."), recognise=_cannot_add),
        mistake(STEPS, "ADD-CAT", (
            "Each of the two projections goes through a tanh of its own. The tanh belongs to their "
            "sum: without it nothing depends on the pair, and every query reads alike.")),
        mistake(STEPS, "ADD-PRODUCT", (
            "The projections are multiplied. Additive attention adds them.")),
        mistake(STEPS, "ADD-NOTANH", (
            "The tanh is missing. A score is then a number of the query plus a number of the key, "
            "and the softmax cancels the query's.")),
        mistake(STEPS, "ADD-OTHER", (
            "The sum goes through another function than tanh.")),
        mistake(STEPS, "ADD-NOV", (
            "The D hidden numbers are added up or averaged. Each has a weight of its own, v.")),
        mistake(STEPS, "ADD-TANHOUT", (
            "The finished score goes through a tanh too, so that no two scores differ by more "
            "than 2.")),
        mistake(STEPS, "ADD-SOFTMAX", (
            "A softmax has turned the scores into weights. This function gives the scores before "
            "it.")),
        mistake(STEPS, "ADD-KQ", (
            "Rows and columns are exchanged: row t has to hold the scores of query t, one column "
            "for each key.")),
    ),
    steps=STEPS,
    alternatives=(_by_loops, _by_one_matrix),
)  # fmt: skip
