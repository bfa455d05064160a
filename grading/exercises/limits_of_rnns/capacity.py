"""copy_capacity: how long a sequence fits into one state."""

from __future__ import annotations

import math
from typing import Any

from grading.exercise import Exercise, Inputs, Output, Probe
from grading.exercises.shared.stepwise import mistake
from grading.late import late
from grading.steps import Pipeline, Step

__all__ = ["COPY_CAPACITY"]

library = late("course_lib.counts.capacity")


def _state(bits_per_unit: float, N: int, vocab: int, **more: Any) -> Probe:
    def draw(generator: Any) -> Inputs:
        return {"bits_per_unit": bits_per_unit, "N": N, "vocab": vocab}

    return Probe(
        name=f"{bits_per_unit:g} bits in each of {N} units, {vocab} tokens", draw=draw,
        sizes={"N": N, "V": vocab}, **more,
    )  # fmt: skip


# -- the steps ------------------------------------------------------------------------------------


def _compose(do: Any) -> Any:
    def capacity(bits_per_unit: float, N: int, vocab: int) -> Any:
        return do.whole(do.share(do.bits(bits_per_unit, N), do.token(vocab)))

    return capacity


def _all_bits(bits_per_unit: float, N: int) -> float:
    return bits_per_unit * N


def _quotient(bits: float, token: float) -> float:
    return bits / token


STEPS = Pipeline(
    steps=(
        Step(name="bits", right=_all_bits, wrong={
            "CAP-UNITS": (lambda bits_per_unit, N: N,),
            "CAP-ONEUNIT": (lambda bits_per_unit, N: bits_per_unit,),
        }),
        Step(name="token", right=lambda vocab: math.log2(vocab), wrong={
            "CAP-LOG": (lambda vocab: vocab, lambda vocab: 1),
            "CAP-LN": (lambda vocab: math.log(vocab), lambda vocab: math.log10(vocab)),
        }),
        Step(name="share", right=_quotient, wrong={
            "CAP-TOK": (lambda bits, token: bits * token,)}),
        Step(name="whole", right=lambda length: math.floor(length), wrong={
            "CAP-CEIL": (lambda length: math.ceil(length),),
            "CAP-NEAREST": (lambda length: math.floor(length + 0.5),),
            "CAP-FRACTION": (lambda length: length,),
            "CAP-STRICT": (lambda length: math.ceil(length) - 1,),
        }),
    ),
    compose=_compose,
)  # fmt: skip


def _turned_round(bits_per_unit: float, N: int, vocab: int) -> int:
    return int(math.log2(vocab) / (bits_per_unit * N))


def _one_more_each_time(bits_per_unit: float, N: int, vocab: int) -> int:
    length = 0
    while (length + 1) * math.log2(vocab) <= bits_per_unit * N:
        length += 1
    return length


COPY_CAPACITY = Exercise(
    name="copy_capacity", slug="limits-of-rnns", task="capacity", title="What fits into one state",
    kind="implement", points=0.5, difficulty=2, importance=3, minutes=10,
    parameters=("bits_per_unit", "N", "vocab"), outputs=(Output(name="length", kind="number"),),
    reference=lambda bits_per_unit, N, vocab: library.copy_capacity(bits_per_unit, N, vocab),
    equation="eq-capacity", part="course_lib.counts.capacity.copy_capacity", steps=STEPS,
    next_rung="A trained state holds far less: a unit that noise moves is no memory of 32 bits.",
    probes=(
        _state(1.5, 7, 3), _state(2.5, 13, 29), _state(1, 24, 8), _state(0.5, 27, 10),
        _state(2, 10, 5), _state(0.75, 3, 50), _state(16, 3, 6),
    ),
    misconceptions=(
        mistake(STEPS, "CAP-LOG", (
            "The vocabulary enters as it is, or not at all. A token out of V carries log₂ V bits: "
            "of 8 tokens, three.")),
        mistake(STEPS, "CAP-LN", (
            "The logarithm has another base than 2. Bits are counted, so it is the binary one.")),
        mistake(STEPS, "CAP-TOK", (
            "The two are not divided as they should be. Longer sequences need more bits, "
            "and a larger vocabulary leaves room for fewer tokens."), _turned_round),
        mistake(STEPS, "CAP-CEIL", (
            "The length is rounded up. The last token would fit in part alone, and then two "
            "sequences share a state.")),
        mistake(STEPS, "CAP-NEAREST", (
            "The length is rounded to the nearest whole number. A token that fits in part does not "
            "fit.")),
        mistake(STEPS, "CAP-FRACTION", (
            "The length is not rounded. Tokens are whole.")),
        mistake(STEPS, "CAP-STRICT", (
            "It is one too few where the tokens fit exactly. As many sequences as states is "
            "enough: each has one of its own.")),
        mistake(STEPS, "CAP-UNITS", (
            "The bits of a unit are not used: each unit is taken to hold one bit.")),
        mistake(STEPS, "CAP-ONEUNIT", (
            "This is the room of one unit. The state has N of them.")),
    ),
    alternatives=(
        lambda bits_per_unit, N, vocab: int(bits_per_unit * N / math.log2(vocab)),
        _one_more_each_time,
        lambda bits_per_unit, N, vocab: bits_per_unit * N // math.log2(vocab),
    ),
)  # fmt: skip
