"""sinusoidal: a vector of waves for each position."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from grading.exercise import Exercise, LeftOut, Misconception, Output, Probe, Tolerance
from grading.exercises.positions.rotation_steps import seldom
from grading.exercises.shared.recognising import is_right
from grading.exercises.shared.stepwise import mistake
from grading.late import Tensor, late, torch
from grading.observation.seen import Error
from grading.steps import Pipeline, Step

__all__ = ["SINUSOIDAL"]

library = late("course_lib.positions.absolute")
Way = Callable[..., Any]

ODD = "7 columns, one more sine than cosines"


def _waves(do: Any) -> Way:
    """Put the steps in a row: positions, an exponent for each column, angles, sine or cosine."""

    def sinusoidal(T: int, C: int, base: float = 10000.0) -> Any:
        column = torch.arange(C).double()
        exponents = do.exponents(column, C)
        angles = do.angles(do.positions(T)[:, None], float(do.base(base)) ** exponents)
        return do.columns(angles, C)

    return sinusoidal


def _pairs(column: Tensor, C: int) -> Any:
    return 2 * (column // 2) / C


def _alternate(angles: Tensor, C: int) -> Any:
    even = torch.arange(C) % 2 == 0
    return torch.where(even, angles.sin(), angles.cos())


def _exchanged(angles: Tensor, C: int) -> Any:
    even = torch.arange(C) % 2 == 0
    return torch.where(even, angles.cos(), angles.sin())


def _in_halves(angles: Tensor, C: int) -> Any:
    return torch.cat([angles[:, 0::2].sin(), angles[:, 1::2].cos()], 1)


def _even_only(T: int, C: int, base: float = 10000.0) -> Any:
    table = torch.zeros(T, C)
    angles = torch.arange(T)[:, None] / base ** (torch.arange(0, C, 2) / C)
    table[:, 0::2], table[:, 1::2] = angles.sin(), angles.cos()
    return table


def _raises_where_odd(seen: Mapping[str, Any], truth: Mapping[str, Any]) -> bool:
    """Recognise an error where C is odd, whatever it says, beside right numbers elsewhere."""
    return isinstance(seen.get(ODD), Error) and all(
        is_right(seen[name], truth[name]) for name in truth if name != ODD
    )


STEPS = Pipeline(
    compose=_waves,
    steps=(
        Step(name="positions", right=lambda T: torch.arange(T).double(), wrong={
            "PE-POS1": (lambda T: torch.arange(1, T + 1).double(),)}),
        Step(name="base", right=lambda base: base, wrong={"PE-BASE": (lambda base: 10000.0,)}),
        Step(name="exponents", right=_pairs, wrong={
            "PE-EXP": (lambda column, C: column // 2 / C,),
            "PE-ODD": (lambda column, C: column / C,),
            "PE-LESSONE": (lambda column, C: (column // 2) / max(math.ceil(C / 2) - 1, 1),),
            "PE-GROW": (lambda column, C: -_pairs(column, C),),
        }),
        Step(name="angles", right=lambda t, power: t / power, wrong={
            "PE-DEG": (lambda t, power: torch.deg2rad(t / power),)}),
        Step(name="columns", right=_alternate, wrong={
            "PE-SWAP": (_exchanged,),
            "PE-CAT": (_in_halves,),
        }),
    ),
)  # fmt: skip


def _wave(**steps: Way) -> Way:
    return STEPS.answer(steps)


#: More ways of the same mistakes, and mistakes that are seldom made beside another: no products.
MORE: dict[str, tuple[Way, ...]] = {
    "PE-ODD": (
        _wave(exponents=lambda column, C: 2 * column / C),
        _wave(exponents=lambda column, C: 2 * (column // 2 + column % 2) / C),
    ),
    "PE-DOUBLE": (_wave(exponents=lambda column, C: 4 * (column // 2) / C),),
    "PE-ONEWAVE": (_wave(exponents=lambda column, C: 0 * column),),
    "PE-CAT": (
        _wave(columns=lambda angles, C: torch.cat(
            [angles[:, 1::2].cos(), angles[:, 0::2].sin()], 1)),
    ),
    "PE-NOCOS": (_wave(columns=lambda angles, C: angles.sin()),),
}  # fmt: skip


def _table(T: int, C: int, base: Any) -> Any:
    return lambda generator: {"T": T, "C": C, "base": base}


def _by_complex_numbers(T: int, C: int, base: float = 10000.0) -> Any:
    """The imaginary and the real part of e^(it/…) are the sine and the cosine."""
    pairs = math.ceil(C / 2)
    frequencies = torch.exp(-math.log(base) * torch.arange(pairs).double() * 2 / C)
    turned = torch.polar(torch.ones(T, pairs).double(), torch.arange(T)[:, None] * frequencies)
    return torch.stack([turned.imag, turned.real], -1).flatten(1)[:, :C]


def _by_loops(T: int, C: int, base: float = 10000.0) -> Any:
    rows = []
    for t in range(T):
        angles = [t / base ** ((c - c % 2) / C) for c in range(C)]
        rows.append([math.cos(a) if c % 2 else math.sin(a) for c, a in enumerate(angles)])
    return torch.tensor(rows)


def _by_a_shift(T: int, C: int, base: float = 10000.0) -> Any:
    """A cosine is a sine a quarter turn on."""
    c = torch.arange(C)
    return ((torch.arange(T)[:, None] / base ** ((c - c % 2) / C)) + c % 2 * math.pi / 2).sin()


SINUSOIDAL = Exercise(
    name="sinusoidal", slug="positions", task="sinusoidal", title="Waves for positions",
    kind="implement", points=0.75, difficulty=2, importance=2, minutes=20,
    parameters=("T", "C", "base"), defaults={"base": 10000.0},
    outputs=(Output(name="table", axes="T C"),),
    reference=lambda T, C, base=10000.0: library.sinusoidal(T, C, base),
    equation="eq-sinusoid", tolerance=Tolerance(rtol=1e-5, atol=1e-5),
    next_rung="A step of k positions turns each pair of columns by one angle: that is RoPE's idea.",
    probes=(
        Probe(name="9 positions, 6 columns, base left out", draw=_table(9, 6, LeftOut(10000.0)),
              sizes={"T": 9, "C": 6}),
        Probe(name="5 positions, 8 columns, base=10000.0", draw=_table(5, 8, 10000.0),
              sizes={"T": 5, "C": 8}),
        Probe(name="12 positions, 4 columns, base 50", draw=_table(12, 4, 50.0),
              sizes={"T": 12, "C": 4}),
        Probe(name="40 positions, 10 columns, base 1000", draw=_table(40, 10, 1000.0),
              sizes={"T": 40, "C": 10}),
        Probe(name=ODD, draw=_table(6, 7, 10000.0), control=True, sizes={"T": 6, "C": 7}),
        Probe(name="3 positions, 2 columns", draw=_table(3, 2, 10000.0), edge=True),
    ),
    misconceptions=(
        mistake(STEPS, "PE-POS1", (
            "The first row is that of position 1. Positions are counted from 0, so the first row "
            "is 0, 1, 0, 1 and so on.")),
        mistake(STEPS, "PE-BASE", "The base is always 10,000. The argument says which it is."),
        mistake(STEPS, "PE-EXP", (
            "The exponent of pair i is i / C. It is 2i / C, so that the exponents reach from 0 to "
            "nearly 1; here the waves grow slow only half as much.")),
        mistake(STEPS, "PE-ODD", (
            "A cosine has another wave than the sine beside it. Columns 2i and 2i + 1 share the "
            "exponent 2i / C; only so does a step turn the two together."),
            *MORE["PE-ODD"]),
        seldom(MORE, "PE-DOUBLE", (
            "The exponent of pair i is 4i / C: the number of a column, which is 2i already, was "
            "doubled once more.")),
        mistake(STEPS, "PE-LESSONE", (
            "The exponent of pair i is i / (C / 2 − 1), rounded up for an odd C. The first code "
            "of the Transformer's authors does so, and its slowest wave is slower than the "
            "paper's, which divides by C / 2.")),
        mistake(STEPS, "PE-GROW", (
            "The position is multiplied by the power of the base, so later columns turn faster. "
            "They turn more slowly: divide, or let the exponent be negative.")),
        seldom(MORE, "PE-ONEWAVE", (
            "All columns have one wave: the exponent is 0 everywhere, as with a division of "
            "integers by C.")),
        mistake(STEPS, "PE-DEG", (
            "The angles are taken for degrees. The formula's are radians, which sin and cos take "
            "as they are.")),
        mistake(STEPS, "PE-SWAP", (
            "Sine and cosine are exchanged. Even columns, the first one too, are sines.")),
        mistake(STEPS, "PE-CAT", (
            "The sines stand together in one half and the cosines in the other. Some libraries do "
            "that; here they alternate, a sine and its cosine side by side."),
            *MORE["PE-CAT"]),
        seldom(MORE, "PE-NOCOS", "All columns are sines. Every second one is a cosine."),
        Misconception(code="PE-EVENC", wrong=_even_only, recognise=_raises_where_odd, sentence=(
            "It fails with an odd C. The last column is then a sine, and there is one cosine "
            "less.")),
    ),
    steps=STEPS,
    alternatives=(_by_complex_numbers, _by_loops, _by_a_shift),
)  # fmt: skip
