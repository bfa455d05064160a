"""tokens_a_pass: what a drafted text saves, by chance."""

from __future__ import annotations

import math
from typing import Any

from grading.exercise import Exercise, Inputs, Misconception, Output, Probe, Seen, Tolerance
from grading.exercises.shared.measuring import far, undrawn
from grading.late import torch

__all__ = ["KEYS", "TOKENS_A_PASS", "spread", "truth"]

#: How often a token is kept, and how many are drafted.
KEYS = ((0.8, 5), (0.6, 3), (0.9, 8), (0.5, 2))
#: So many passes, but few for the last key.
PASSES, FEW = 8000, 60


def truth(agreement: float, n: int) -> float:
    """Return the mean number of tokens: (1 − a^(n+1)) / (1 − a)."""
    return (1 - agreement ** (n + 1)) / (1 - agreement)


def spread(agreement: float, n: int) -> float:
    """Return how far the tokens of one pass lie apart."""
    shares = [(1 - agreement) * agreement**k for k in range(n)] + [agreement**n]
    mean = sum(share * (k + 1) for k, share in enumerate(shares))
    return math.sqrt(sum(share * (k + 1 - mean) ** 2 for k, share in enumerate(shares)))


def _probe(agreement: float, n: int) -> Probe:
    trials = FEW if KEYS[-1] == (agreement, n) else PASSES

    def draw(generator: torch.Generator) -> Inputs:
        return {"agreement": agreement, "n": n, "trials": trials, "generator": generator}

    name = f"{n} tokens, each kept with probability {agreement}, {trials} passes"
    return Probe(name=name, draw=draw, sizes={"n": n, "trials": trials})


def _noise(inputs: Inputs) -> float:
    return spread(inputs["agreement"], inputs["n"]) / math.sqrt(inputs["trials"])


def _judge(one: Seen) -> str | None:
    agreement, n = one.inputs["agreement"], one.inputs["n"]
    if not far(one.outputs[0], truth(agreement, n), _noise(one.inputs)):
        return None
    return (
        f"With {n} tokens that are kept with probability {agreement} you measure "
        f"{float(one.outputs[0]):.4g}. The mean number of tokens is another one there, by more "
        "than the noise of the passes."
    )


def _measure(
    count: Any = lambda kept: kept.long().cumprod(-1).sum(-1) + 1.0, *,
    chance: Any = lambda agreement: agreement, passes: Any = lambda passes: passes,
    drafted: Any = lambda n: n, said: Any = lambda counts, n: counts.mean(),
) -> Any:  # fmt: skip
    def measure(agreement: float, n: int, trials: int, generator: torch.Generator) -> float:
        drawn = torch.rand(passes(trials), drafted(n), generator=generator, dtype=torch.float64)
        return float(said(count(drawn < chance(agreement)).double(), n))

    return measure


def _one_by_one(agreement: float, n: int, trials: int, generator: torch.Generator) -> float:
    total = 0
    for _ in range(trials):
        total += 1
        for one in torch.rand(n, generator=generator).tolist():
            if one >= agreement:
                break
            total += 1
    return total / trials


def _by_lengths(agreement: float, n: int, trials: int, generator: torch.Generator) -> float:
    """Draw how far a pass comes as one number each: the whole part of log u / log a."""
    u = torch.rand(trials, generator=generator, dtype=torch.float64)
    kept = (u.log() / math.log(agreement)).floor().clamp(max=n)
    return float((1 + kept).sum() / trials)


def _formula(agreement: float, n: int, trials: int, generator: torch.Generator) -> float:
    return truth(agreement, n)


def _own_seed(agreement: float, n: int, trials: int, generator: torch.Generator) -> Any:
    return _measure()(agreement, n, trials, torch.Generator().manual_seed(0))


def _global(agreement: float, n: int, trials: int, generator: torch.Generator) -> Any:
    seed = int(torch.randint(2**31, (1,)))
    return _measure()(agreement, n, trials, torch.Generator().manual_seed(seed))


def _kept(kept: Any) -> Any:
    return kept.long().cumprod(-1).sum(-1)


TOKENS_A_PASS = Exercise(
    name="tokens_a_pass", slug="kv-cache-and-gqa", task="measure",
    title="How many tokens does a pass give?", kind="measure", points=0.5, difficulty=2,
    importance=2, minutes=15, parameters=("agreement", "n", "trials", "generator"),
    outputs=(Output(name="tokens", kind="number"),), reference=_measure(),
    equation="eq-accept", judge=_judge, noise=_noise, alike=Tolerance(rtol=0.07, atol=1e-6),
    next_rung="A draft of any length gives at most 1 / (1 − agreement) tokens a pass.",
    probes=tuple(_probe(*key) for key in KEYS),
    misconceptions=(
        Misconception(code="PASS-GOON", wrong=_measure(lambda kept: kept.sum(-1) + 1), sentence=(
            "Tokens behind a refusal are counted too. What was drafted there followed a token that "
            "is gone: the first refusal ends the draft.")),
        Misconception(code="PASS-NOMORE", wrong=_measure(_kept), sentence=(
            "Only drafted tokens are counted. The large model adds one of its own in every pass.")),
        Misconception(code="PASS-BONUS", wrong=_measure(
            lambda kept: _kept(kept) + kept.all(-1)), sentence=(
            "One more token is counted only where the whole draft is kept. Where a token is "
            "refused, one takes its place.")),
        Misconception(code="PASS-ALL", wrong=_measure(
            lambda kept: 1 + kept.shape[-1] * kept.all(-1)), also=(
            _measure(lambda kept: kept.shape[-1] * kept.all(-1)),), sentence=(
            "A draft counts as a whole, kept or lost. It is kept as far as its first refusal.")),
        Misconception(code="PASS-ENDLESS", wrong=_measure(drafted=lambda n: 400), sentence=(
            "The draft does not end behind n tokens.")),
        Misconception(code="PASS-LENGTH", wrong=_measure(drafted=lambda n: n + 1), also=(
            _measure(drafted=lambda n: n - 1),), sentence=(
            "The draft has one token too many or too few.")),
        Misconception(code="PASS-REFUSED", wrong=_measure(
            chance=lambda agreement: 1 - agreement), sentence=(
            "A token is kept with one minus the probability that is given.")),
        Misconception(code="PASS-SHARE", wrong=_measure(
            _kept, said=lambda counts, n: counts.mean() / n), sentence=(
            "The share of the draft that is kept is measured. Asked are the tokens of a pass.")),
        Misconception(code="PASS-TOTAL", wrong=_measure(
            said=lambda counts, n: counts.sum()), sentence=(
            "The tokens of all passes are added up and not averaged.")),
        *undrawn("PASS", (_formula, _own_seed), (_global,), (
            _measure(passes=lambda passes: 10 * passes),)),
    ),
    alternatives=(_one_by_one, _by_lengths),
)  # fmt: skip
