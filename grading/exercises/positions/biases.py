"""alibi_bias: what ALiBi takes from each head's scores, and by how much for each position."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from grading.exercise import Exercise, Output, Probe, Seen, Tolerance
from grading.exercises.positions.rotation_steps import seldom
from grading.exercises.shared.stepwise import mistake
from grading.late import Tensor, late, torch
from grading.steps import Instead, Pipeline, Step

__all__ = ["ALIBI_BIAS", "behind"]

library = late("course_lib.positions.alibi")
Way = Callable[..., Any]


def behind(one: Seen, T: int, S: int) -> tuple[Any, ...]:
    """Return what was returned, with zeros for the keys ahead of a query, which are hidden."""
    output = np.asarray(one.outputs[0])
    if output.ndim < 2 or output.shape[-2:] != (T, S):
        return (output,)
    ahead = np.arange(S) > np.arange(S - T, S)[:, None]
    return (np.where(ahead, 0.0, output),)


def _biases(do: Any) -> Way:
    def alibi_bias(H: int, T: int, S: int) -> Any:
        slopes = torch.tensor(do.slopes(H), dtype=torch.float64)
        return do.sign(slopes[:, None, None] * do.distances(T, S))

    return alibi_bias


def _powers(H: int) -> list[float]:
    """Return the slopes for a power of two."""
    return [2.0 ** (-8 * (h + 1) / H) for h in range(H)]


def _below(H: int) -> int:
    power: int = 2 ** int(math.log2(H))
    return power


def _slopes(H: int) -> list[float]:
    power = _below(H)
    return _powers(power) + _powers(2 * power)[0::2][: H - power]


def _other_half(H: int) -> list[float]:
    power = _below(H)
    return _powers(power) + _powers(2 * power)[1::2][: H - power]


def _distances(T: int, S: int) -> Tensor:
    return torch.arange(S - T, S)[:, None] - torch.arange(S)


def _top_left(T: int, S: int) -> Tensor:
    return torch.arange(T)[:, None] - torch.arange(S)


STEPS = Pipeline(
    compose=_biases,
    steps=(
        Step(name="slopes", right=_slopes, wrong={
            "ALIBI-SLOPES": (lambda H: [(H - h) / H for h in range(H)],),
            "ALIBI-H0": (lambda H: [2.0 ** (-8 * h / H) for h in range(H)],),
            "ALIBI-POWER": (_powers,),
        }),
        Step(name="distances", right=_distances, wrong={
            "ALIBI-ALIGN": (lambda T, S: _top_left(T, S).abs(),),
            # With the other sign it would be the next one, which has a sentence of its own.
            "ALIBI-REVERSED": (Instead(lambda T, S: torch.arange(S).expand(T, S),
                                       sign=lambda bias: -bias),),
            "ALIBI-KEYONLY": (Instead(lambda T, S: -torch.arange(S).expand(T, S),
                                      sign=lambda bias: -bias),),
            "ALIBI-OFF1": (lambda T, S: _distances(T, S) + 1,),
        }),
        Step(name="sign", right=lambda bias: -bias, wrong={"ALIBI-SIGN": (lambda bias: bias,)}),
    ),
)  # fmt: skip

#: More ways of the same mistakes, and mistakes that are seldom made beside another: no products.
MORE: dict[str, tuple[Way, ...]] = {
    "ALIBI-SLOPES": (
        STEPS.answer({"slopes": lambda H: [(h + 1) / H for h in range(H)]}),
        STEPS.answer({"slopes": lambda H: [1 / (h + 1) for h in range(H)]}),
    ),
    "ALIBI-EIGHT": (STEPS.answer({"slopes": lambda H: [2.0 ** -(h + 1) for h in range(H)]}),),
    "ALIBI-ONE": (STEPS.answer({"slopes": lambda H: [2.0 ** (-8 / H)] * H}),),
    "ALIBI-LASTROW": (
        STEPS.answer({"distances": lambda T, S: torch.arange(S - 1, -1, -1).expand(T, S)}),
    ),
    "ALIBI-SORTED": (
        STEPS.answer({"slopes": lambda H: sorted(_slopes(H), reverse=True)}),
    ),
    "ALIBI-SECOND": (STEPS.answer({"slopes": _other_half}),),
    "ALIBI-BACKWARDS": (STEPS.answer({"slopes": lambda H: _slopes(H)[::-1]}),),
}  # fmt: skip


def _sizes(H: int, T: int, S: int) -> Any:
    return lambda generator: {"H": H, "T": T, "S": S}


def _by_recursion(H: int, T: int, S: int) -> Any:
    """The authors' own recursion for the slopes, and a causal bias with −∞ ahead."""

    def slopes(n: int) -> list[float]:
        if math.log2(n).is_integer():
            start = 2 ** (-(2 ** -(math.log2(n) - 3)))
            return [start * start**i for i in range(n)]
        power = 2 ** math.floor(math.log2(n))
        return slopes(power) + slopes(2 * power)[0::2][: n - power]

    steps = torch.arange(S) - torch.arange(S - T, S)[:, None]
    bias = torch.tensor(slopes(H))[:, None, None] * steps
    return bias.masked_fill(steps > 0, -torch.inf)


def _from_the_power_above(H: int, T: int, S: int) -> Any:
    """Take every second slope of the power of two above, then the others: MPT's way."""
    above = 2 ** math.ceil(math.log2(H))
    slopes = torch.exp2(-torch.arange(1, above + 1) * 8 / above)
    slopes = slopes if above == H else torch.cat([slopes[1::2], slopes[0::2]])[:H]
    return -slopes.view(H, 1, 1) * (torch.arange(S)[:, None] - torch.arange(S)).abs()[-T:]


def _row_by_row(H: int, T: int, S: int) -> Any:
    rows = [[[-m * (S - T + t - s) for s in range(S)] for t in range(T)] for m in _slopes(H)]
    return torch.tensor(rows, dtype=torch.float64)


ALIBI_BIAS = Exercise(
    name="alibi_bias", slug="positions", task="alibi", title="A penalty for distance",
    kind="implement", points=0.5, difficulty=2, importance=2, minutes=20,
    parameters=("H", "T", "S"), outputs=(Output(name="bias", axes="H T S"),),
    reference=lambda H, T, S: library.alibi_bias(H, T, S, dtype=torch.float64),
    view=lambda one: behind(one, one.inputs["T"], one.inputs["S"]),
    equation="eq-alibi", tolerance=Tolerance(rtol=1e-5, atol=1e-6),
    next_rung="Nothing here is learnt: position 10,000 has a bias as position 10 has.",
    # 12 heads first: with a power of two, twice the slopes are those of heads counted from 0.
    probes=(
        Probe(name="12 heads, 4 queries at the end of 6 keys", draw=_sizes(12, 4, 6),
              sizes={"H": 12, "T": 4, "S": 6}),
        Probe(name="8 heads, 5 queries at the end of 7 keys", draw=_sizes(8, 5, 7),
              sizes={"H": 8, "T": 5, "S": 7}),
        Probe(name="4 heads, 3 queries at the end of 9 keys", draw=_sizes(4, 3, 9),
              sizes={"H": 4, "T": 3, "S": 9}),
        Probe(name="6 heads, 2 queries at the end of 5 keys", draw=_sizes(6, 2, 5),
              sizes={"H": 6, "T": 2, "S": 5}),
        Probe(name="16 heads, one query at the end of 8 keys", draw=_sizes(16, 1, 8),
              sizes={"H": 16, "T": 1, "S": 8}),
        Probe(name="2 heads, as many queries as keys", draw=_sizes(2, 6, 6), edge=True),
        Probe(name="one head", draw=_sizes(1, 2, 3), edge=True),
    ),
    misconceptions=(
        mistake(STEPS, "ALIBI-SLOPES", (
            "The slopes are no powers with one ratio from head to head, but multiples or parts of "
            "H. They form a geometric sequence: head h has 2 to the power −8 (h + 1) / H."),
            *MORE["ALIBI-SLOPES"]),
        mistake(STEPS, "ALIBI-H0", (
            "The first slope is 1. The sequence starts at 2 to the power −8 / H: heads are counted "
            "from 0, and the exponent from 1.")),
        mistake(STEPS, "ALIBI-POWER", (
            "One formula is used for every H. Where H is no power of two the first heads have the "
            "slopes of the power of two below it, and the others every second one of its double.")),
        seldom(MORE, "ALIBI-EIGHT", (
            "Head h has 2 to the power −(h + 1), as it is with eight heads. With H heads the "
            "exponent is 8 (h + 1) / H.")),
        seldom(MORE, "ALIBI-ONE", (
            "All heads have one slope. Each has its own, so that some look near and some far.")),
        seldom(MORE, "ALIBI-SORTED", (
            "The slopes of all heads are in order of size. Where H is no power of two the further "
            "ones come behind the others, in the order of their own.")),
        seldom(MORE, "ALIBI-SECOND", (
            "Where H is no power of two the further heads get slopes that are there already: every "
            "second one of the double is to be taken from its first on.")),
        seldom(MORE, "ALIBI-BACKWARDS", (
            "The slopes stand in reversed order. Head 0 has the steepest one of a power of two.")),
        mistake(STEPS, "ALIBI-ALIGN", (
            "The first query is taken to stand at the first key. The last query stands at the last "
            "key: query t has position S − T + t. With a cache the newest token would else be "
            "treated as the oldest.")),
        mistake(STEPS, "ALIBI-REVERSED", (
            "The penalty grows from the oldest key to the newest, so the newest is punished most. "
            "It grows the further a key lies behind the query; the query's own position has 0.")),
        mistake(STEPS, "ALIBI-KEYONLY", (
            "The bias is the slope times the number of the key. BLOOM does that, and the softmax "
            "gives the same weights, because a row differs by one number. Asked for is the "
            "distance: 0 at the query's own position, less before it.")),
        seldom(MORE, "ALIBI-LASTROW", (
            "Every query gets the row of the last one. MPT does that, and the softmax gives the "
            "same weights, because a row differs by one number. Asked for is the distance from "
            "the query's own position.")),
        mistake(STEPS, "ALIBI-OFF1", (
            "Every distance is one too large: a query's own position has a penalty. It is 0.")),
        mistake(STEPS, "ALIBI-SIGN", (
            "The bias grows with the distance, so what lies far away is preferred. It is a "
            "penalty: 0 at the query's own position and negative before it.")),
    ),
    steps=STEPS,
    alternatives=(_by_recursion, _from_the_power_above, _row_by_row),
)  # fmt: skip
