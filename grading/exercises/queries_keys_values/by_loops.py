"""attention_by_loops: three Python loops, one row after the other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from grading.exercise import Exercise, Inputs, Misconception, Output, Probe
from grading.exercises.shared.drawing import normal
from grading.exercises.shared.recognising import fails_only_on
from grading.exercises.shared.stepwise import mistake
from grading.late import late, torch
from grading.steps import Instead, Pipeline, Step

__all__ = ["ATTENTION_BY_LOOPS"]

naive = late("course_lib.naive.attention.dot_product")


def _arrays(generator: torch.Generator, T: int, S: int, D: int, Dv: int) -> Inputs:
    shapes = {"query": (T, D), "key": (S, D), "value": (S, Dv)}
    return {name: normal(generator, *shape).numpy() for name, shape in shapes.items()}


def _ordinary(generator: torch.Generator) -> Inputs:
    return _arrays(generator, 5, 7, 3, 4)


def _few_keys(generator: torch.Generator) -> Inputs:
    return _arrays(generator, 6, 2, 5, 3)


def _very_low(generator: torch.Generator) -> Inputs:
    """All scores of a row lie near -1000: a maximum that starts at 0 makes every weight 0/0."""
    inputs = _arrays(generator, 5, 7, 3, 4)
    inputs["query"][:, 0], inputs["key"][:, 0] = -1700.0, 1 + np.linspace(0, 1e-3, 7)
    return inputs


def _very_high(generator: torch.Generator) -> Inputs:
    inputs = _very_low(generator)
    inputs["query"][:, 0] = 1700.0
    return inputs


def _wide(generator: torch.Generator) -> Inputs:
    """Each row holds scores from -1000 to 1000; the largest stands inside, first, and last."""
    inputs = _arrays(generator, 5, 7, 3, 4)
    inputs["query"][:3, 0] = 1700.0
    inputs["key"][:, 0] = [0.2, -1.0, -0.4, 1.0, 0.5, -0.7, 0.0]
    inputs["query"][3:] = [[0.0, 1700.0, 0.0], [0.0, 0.0, 1700.0]]
    inputs["key"][:, 1] = [1.0, 0.1, -1.0, 0.0, -0.3, 0.2, -0.6]
    inputs["key"][:, 2] = [-0.6, 0.1, -1.0, 0.2, -0.3, 0.0, 1.0]
    return inputs


WIDE = "scores from −1000 to 1000 in one row"


def _two_by_one(generator: torch.Generator) -> Inputs:
    return _arrays(generator, 2, 2, 1, 1)


def _reference(query: Any, key: Any, value: Any) -> Any:
    return naive.scaled_dot_product_attention(query, key, value)[0]


def _compose(do: Any) -> Any:
    """Put the steps of three loops in a row."""

    def attend(query: Any, key: Any, value: Any) -> Any:
        output, total = np.zeros((len(query), value.shape[1])), 0.0
        for t in range(len(query)):
            pairs = [do.pair(query, key, t, s) for s in range(len(key))]
            scores = [sum(a[d] * b[d] for d in range(len(a))) * do.scale(query) for a, b in pairs]
            top = do.top(scores)
            exps = [math.exp(score - top) for score in scores]
            total = do.total(total, sum(exps))
            for s in range(len(key)):
                output[t] = do.collect(output[t], do.divide(exps[s], total) * value[s])
        return do.finish(output, total)

    return attend


def _latest(before: float, now: float) -> float:
    return now


def _guarded(power: float, total: float) -> float:
    return power / total if total else math.nan


def _unguarded(power: float, total: float) -> float:
    return power / total


def _at_the_end(way: Any) -> Instead:
    """Divide once, behind the loops."""
    return Instead(
        way, divide=lambda power, total: power, finish=lambda output, total: output / total
    )


#: By row, instead of the maximum.
SHIFTED = (
    min, lambda z: sum(z) / len(z), lambda z: z[0], lambda z: z[-1],
    lambda z: sorted(z)[len(z) // 2],
)  # fmt: skip


def _from_zero(scores: Any) -> Any:
    return max(0.0, max(scores))


def _summed(before: float, now: float) -> float:
    return before + now


STEPS = Pipeline(
    compose=_compose,
    steps=(
        Step(name="pair", right=lambda query, key, t, s: (query[t], key[s]), wrong={
            "LOOP-JI": (lambda query, key, t, s: (key[t], query[s]),)}),
        Step(name="scale", right=lambda query: 1 / math.sqrt(query.shape[1]), wrong={
            "LOOP-NOSCALE": (lambda query: 1.0,),
            "LOOP-TIMESROOT": (lambda query: math.sqrt(query.shape[1]),),
            "LOOP-DK": (lambda query: 1 / query.shape[1],)}),
        Step(name="top", right=max, wrong={
            "LOOP-INITZERO": (_from_zero, Instead(_from_zero, divide=_unguarded)),
            "LOOP-SHIFT": SHIFTED,
            "LOOP-NOMAX": (Instead(lambda scores: 0.0, divide=_unguarded),)}),
        Step(name="total", right=_latest, wrong={
            "LOOP-SUMW": (_summed, _at_the_end(_summed), _at_the_end(_latest))}),
        Step(name="divide", right=_guarded),
        Step(name="collect", right=_summed, wrong={"LOOP-LAST": (_latest,)}),
        Step(name="finish", right=lambda output, total: output),
    ),
)  # fmt: skip


def _broadcast(query: Any, key: Any, value: Any) -> Any:
    scores = (query[:, None] * key[None]).sum(-1) / math.sqrt(query.shape[1])
    exps = np.exp(scores - scores.max(-1, keepdims=True))
    weights = exps / exps.sum(-1, keepdims=True)
    return (weights[:, :, None] * value[None]).sum(1)


def _largest(inputs: Inputs) -> int:
    (T, D), (S, Dv) = inputs["query"].shape, inputs["value"].shape
    return int(max(T, S) * max(D, Dv))


def _one_normaliser(query: Any, key: Any, value: Any) -> Any:
    scores = query @ key.T / math.sqrt(query.shape[1])
    exps = np.exp(scores - scores.max())
    return exps / exps.sum() @ value


def _no_maximum_numpy(query: Any, key: Any, value: Any) -> Any:
    with np.errstate(all="ignore"):
        exps = np.exp(query @ key.T / math.sqrt(query.shape[1]))
        return exps / exps.sum(-1, keepdims=True) @ value


def _running(query: Any, key: Any, value: Any) -> Any:
    """One pass a row, with a running maximum: right as well."""
    rows = []
    for q in query:
        top, total, mixed = -math.inf, 0.0, np.zeros(value.shape[1])
        for k, v in zip(key, value, strict=True):
            score = sum(float(a) * float(b) for a, b in zip(q, k, strict=True)) / len(q) ** 0.5
            new = max(top, score)
            keep, add = math.exp(top - new), math.exp(score - new)
            top, total, mixed = new, total * keep + add, mixed * keep + add * v
        rows.append(mixed / total)
    return np.array(rows)


ATTENTION_BY_LOOPS = Exercise(
    name="attention_by_loops", slug="queries-keys-values", task="loops",
    title="Attention by loops", kind="implement", points=0.75, difficulty=2, importance=2,
    minutes=20, parameters=("query", "key", "value"),
    outputs=(Output(name="output", axes="T Dv", kind="array"),),
    axes={"query": "T D", "key": "S D", "value": "S Dv"}, reference=_reference,
    equation="eq-weighted-sum", loops=True, largest=_largest,
    forbidden=("@", "numpy.matmul", "numpy.dot", "numpy.einsum", "numpy.inner", "numpy.vdot",
               "numpy.tensordot", "numpy.linalg.multi_dot", "numpy.vecdot"),
    next_rung="These loops never hold the T × S weights. Blockwise attention is built on that.",
    probes=(
        Probe(name="more keys than queries", draw=_ordinary,
              sizes={"T": 5, "S": 7, "D": 3, "Dv": 4}),
        Probe(name="more queries than keys", draw=_few_keys,
              sizes={"T": 6, "S": 2, "D": 5, "Dv": 3}),
        Probe(name="all scores near −1000", draw=_very_low, control=True,
              sizes={"T": 5, "S": 7, "D": 3, "Dv": 4}),
        Probe(name="all scores near 1000", draw=_very_high, control=True,
              sizes={"T": 5, "S": 7, "D": 3, "Dv": 4}),
        Probe(name=WIDE, draw=_wide, control=True, sizes={"T": 5, "S": 7, "D": 3, "Dv": 4}),
        Probe(name="two queries, two keys, D = 1", draw=_two_by_one, edge=True),
    ),
    misconceptions=(
        mistake(STEPS, "LOOP-SUMW", (
            "One sum normalises several rows. Each query has a sum of its own: start it again "
            "inside the loop over queries, and divide there."), _one_normaliser),
        mistake(STEPS, "LOOP-INITZERO", (
            "What you subtract is never below 0. Where all scores lie near −1000 every exponential "
            "underflows, and the row is 0/0. A running maximum starts at −∞ or at the first score, "
            "and it compares the scores, not their sizes.")),
        mistake(STEPS, "LOOP-JI", (
            "The indices of query and key are exchanged: the score of query t and key s is "
            "query[t] · key[s].")),
        mistake(STEPS, "LOOP-LAST", (
            "What each key adds to the output takes the place of what was there before, so only "
            "the last key is left. Add them up.")),
        mistake(STEPS, "LOOP-NOSCALE", "The scores are not divided by √D."),
        mistake(STEPS, "LOOP-TIMESROOT", (
            "The scores are multiplied by √D, where they have to be divided. D^(−½) is 1/√D "
            "already: it is a factor, and dividing by it multiplies by the root.")),
        mistake(STEPS, "LOOP-DK", (
            "The scores are divided by D. Their spread is √D: the root is missing.")),
        mistake(STEPS, "LOOP-SHIFT", (
            "What you subtract is not the row's maximum. Only the maximum bounds the exponentials: "
            "with less, e⁷¹⁰ and all above are infinite, with more, all may become 0."),
            recognise=fails_only_on(WIDE)),
        Misconception(code="LOOP-BROADCAST", wrong=_broadcast, shows="cost", sentence=(
            "Every query meets every key in one array: NumPy's broadcasting does what the loops "
            "are for. Keep to single numbers or rows.")),
        mistake(STEPS, "LOOP-NOMAX", (
            "The exponentials are taken without the row's maximum. Near 1000 they overflow, near "
            "−1000 they all become 0. Subtract each row's own first."), _no_maximum_numpy),
    ),
    steps=STEPS,
    alternatives=(STEPS.answer(), _running),
)  # fmt: skip
