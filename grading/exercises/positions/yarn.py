"""yarn_inv_freq: who turns as before, who more slowly, and how much sharper the softmax is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from grading.exercise import Exercise, Output, Probe, Tolerance
from grading.exercises.positions.rotation_steps import seldom
from grading.exercises.positions.yarn_steps import MORE, STEPS
from grading.exercises.shared.stepwise import mistake
from grading.late import late, torch

__all__ = ["YARN"]

library = late("course_lib.positions.rope_scaling")


def _sizes(D: int, base: float, context: int, factor: float, alpha: float, beta: float) -> Any:
    return lambda generator: {"D": D, "base": base, "context": context, "factor": factor,
                              "alpha": alpha, "beta": beta}  # fmt: skip


def _by_lists(D: int, base: float, context: int, factor: float, alpha: float, beta: float) -> Any:
    """Plain numbers, pair by pair."""

    def pair_of(turns: float) -> float:
        return D * math.log(context / turns / math.tau) / (2 * math.log(base))

    start, end = max(pair_of(beta), 0), min(pair_of(alpha), D - 1)
    found = []
    for i in range(D // 2):
        kept = 1 - min(max((i - start) / (end - start), 0), 1)
        theta = base ** (-2 * i / D)
        found.append(theta / factor + kept * (theta - theta / factor))
    return torch.tensor(found), 1 + math.log(factor) / 10


def _by_wavelengths(
    D: int, base: float, context: int, factor: float, alpha: float, beta: float
) -> Any:
    """Blend the reciprocals of wavelengths, as MLX writes it."""
    near = base ** (torch.arange(0, D, 2, dtype=torch.float64) / D)
    far = factor * near
    low, high = (
        (D * math.log(context / (turns * 2 * math.pi))) / (2 * math.log(base))
        for turns in (beta, alpha)
    )
    low, high = max(low, 0), min(high, D - 1)
    mask = 1 - torch.clamp((torch.arange(D // 2) - low) / (high - low), 0, 1)
    periods = near * far / (far * mask + near * (1 - mask))
    return 1 / periods, torch.tensor(0.1 * math.log(factor) + 1)


def _with_numpy(D: int, base: float, context: int, factor: float, alpha: float, beta: float) -> Any:
    """Interpolate between two points: 1 at the ramp's start, 1/s at its end."""
    pairs = np.arange(D // 2)
    ends = D / 2 * np.log(context / (2 * np.pi * np.array([beta, alpha]))) / np.log(base)
    low, high = max(ends[0], 0), min(ends[1], D - 1)
    share = np.interp(pairs, [low, high], [1.0, 1 / factor])
    return torch.from_numpy(base ** (-pairs / (D / 2)) * share), float(1 + 0.1 * np.log(factor))


YARN = Exercise(
    name="yarn_inv_freq", slug="positions", task="yarn", title="A longer context",
    kind="implement", points=1.0, difficulty=3, importance=3, minutes=35,
    parameters=("D", "base", "context", "factor", "alpha", "beta"),
    outputs=(Output(name="inv_freq", axes="P"), Output(name="concentration", kind="number")),
    reference=lambda *given: library.yarn_inv_freq(*given), equation="eq-yarn",
    part="course_lib.positions.rope_scaling.yarn_inv_freq",
    tolerance=Tolerance(rtol=2e-5, atol=1e-9),
    next_rung="With gpt-oss-20b's numbers the ramp starts at 8.0928 and ends at 17.3980.",
    probes=(
        Probe(name="a short context: the ramp begins at the first pair",
              draw=_sizes(16, 10000.0, 100, 8.0, 1.0, 32.0), sizes={"D": 16, "P": 8}),
        Probe(name="12 entries, four times the context",
              draw=_sizes(12, 10000.0, 2048, 4.0, 2.0, 20.0), sizes={"D": 12, "P": 6}),
        Probe(name="a long context: the ramp ends behind the last pair",
              draw=_sizes(10, 500.0, 9000, 16.0, 1.0, 16.0), sizes={"D": 10, "P": 5}),
        Probe(name="a ramp that would end far behind the last pair",
              draw=_sizes(8, 20.0, 60000, 6.0, 1.0, 4500.0), sizes={"D": 8, "P": 4}),
        Probe(name="gpt-oss-20b's numbers", draw=_sizes(64, 150000.0, 4096, 32.0, 1.0, 32.0),
              sizes={"D": 64, "P": 32}),
        Probe(name="factor 1", draw=_sizes(8, 10000.0, 512, 1.0, 1.0, 8.0), edge=True),
    ),
    misconceptions=(
        mistake(STEPS, "YARN-INVERT", (
            "The ramp is the wrong way round: fast pairs are slowed down, and slow ones stay. "
            "Slow pairs never made a whole turn in the first training, so they are slowed down; "
            "fast ones stay, because they tell neighbours apart.")),
        seldom(MORE, "YARN-SWAPAB", (
            "alpha and beta are exchanged. beta is the larger number of turns, and belongs to "
            "faster pairs, of a smaller index: the ramp begins at the pair with beta turns and "
            "ends at the one with alpha.")),
        mistake(STEPS, "YARN-FLOOR", (
            "The ends of the ramp are rounded to whole pairs. Many released models do that. "
            "gpt-oss does not, and neither does this contract: the ends lie between pairs."),
            *MORE["YARN-FLOOR"]),
        mistake(STEPS, "YARN-TURNS", (
            "The ramp is straight in the number of turns, as the paper writes it. Every released "
            "implementation has it straight in the index of the pair, and so has the contract.")),
        seldom(MORE, "YARN-WAVELENGTH", (
            "The ramp is straight in the wavelength. It is straight in the index of the pair.")),
        seldom(MORE, "YARN-STEP", (
            "There is no ramp: a pair is slowed down fully or not at all, from the middle on.")),
        mistake(STEPS, "YARN-EXP", (
            "Pair i turns by b to the power −i / D. The exponent is −2i / D, as in RoPE.")),
        mistake(STEPS, "YARN-NEWLENGTH", (
            "Turns are counted within the new context. They are counted within the one of the "
            "first training: what has made whole turns there is known to the model.")),
        mistake(STEPS, "YARN-NO2PI", (
            "A turn is taken for one radian. It is 2π, so a pair with r turns in L positions has "
            "the frequency 2πr / L.")),
        seldom(MORE, "YARN-NOHALF", (
            "The ends of the ramp are twice as far: they are counted in entries and not in pairs. "
            "There are D / 2 pairs.")),
        seldom(MORE, "YARN-NOCLIP", (
            "The ramp's ends are not kept within 0 and D − 1. A ramp that would begin before the "
            "first pair begins at 0.")),
        seldom(MORE, "YARN-LASTPAIR", (
            "The ramp is made to end at D / 2 or before it. The released code, and the contract, "
            "let it end as far as D − 1, behind the last pair, which is then not slowed down "
            "fully.")),
        mistake(STEPS, "YARN-LINEAR", (
            "All pairs are slowed down alike. That is position interpolation, under which "
            "neighbours are told apart less well; YaRN keeps the fast pairs.")),
        seldom(MORE, "YARN-PLAIN", (
            "No pair is slowed down: these are RoPE's own frequencies.")),
        seldom(MORE, "YARN-NTK", (
            "Pairs are slowed down by a power of the factor that grows from pair to pair, as with "
            "another base. That is NTK scaling, without a ramp.")),
        mistake(STEPS, "YARN-POWER", (
            "On the ramp's far side the factor is raised to the power 2i / D with the base. It "
            "divides the frequency as it is.")),
        seldom(MORE, "YARN-FASTER", (
            "Slow pairs are made faster: the factor multiplies. It divides, so that the "
            "position factor · t turns as far as t did.")),
        seldom(MORE, "YARN-WAVES", (
            "The wavelengths are blended, and not the frequencies. Both ends of the ramp are the "
            "same then, and all between them is slower.")),
        mistake(STEPS, "YARN-NOCONC", "The concentration is missing: it is 1 for every factor."),
        mistake(STEPS, "YARN-LOG2", (
            "The concentration has a logarithm of base 2 or 10. It is the natural one: 32 gives "
            "1.34657."), *MORE["YARN-LOG2"]),
        seldom(MORE, "YARN-SQUARED", (
            "The concentration is squared. Its square is what a score gets, because the query and "
            "the key have it each; the function returns what each of them has.")),
        seldom(MORE, "YARN-ROOT", (
            "The concentration is a root or a reciprocal of the right one. The paper writes "
            "√(1/t) = 0.1 ln s + 1, and queries and keys are multiplied by √(1/t) as it "
            "stands there.")),
        seldom(MORE, "YARN-NOTENTH", (
            "The logarithm is not multiplied by 0.1.")),
    ),
    steps=STEPS,
    alternatives=(_by_lists, _by_wavelengths, _with_numpy),
)  # fmt: skip
