"""share_kept: how often a drafted token is kept, the further apart two models are."""

from __future__ import annotations

import math
from typing import Any

from grading.exercise import Exercise, Inputs, Misconception, Output, Probe, Seen, Tolerance
from grading.exercises.shared.measuring import far, undrawn
from grading.late import Tensor, torch

__all__ = ["KEPT", "SHARE_KEPT"]

# Mean and spread of the share by (V, apart), over 400,000 draws; the tests measure again.
KEPT = {
    (12, 0.5): (0.8239, 0.0563), (60, 1.0): (0.6304, 0.0579), (24, 2.0): (0.4049, 0.1151),
    (9, 1.5): (0.5619, 0.1393),
}  # fmt: skip
#: So many draws, but few for the last key.
TRIALS, FEW = 5000, 40


def _probe(V: int, apart: float) -> Probe:
    trials = FEW if list(KEPT)[-1] == (V, apart) else TRIALS

    def draw(generator: torch.Generator) -> Inputs:
        return {"V": V, "apart": apart, "trials": trials, "generator": generator}

    name = f"{V} tokens, logits {apart} apart, {trials} trials"
    return Probe(name=name, draw=draw, sizes={"V": V, "trials": trials})


def _noise(inputs: Inputs) -> float:
    return KEPT[inputs["V"], inputs["apart"]][1] / math.sqrt(inputs["trials"])


def _judge(one: Seen) -> str | None:
    V, apart = one.inputs["V"], one.inputs["apart"]
    if not far(one.outputs[0], KEPT[V, apart][0], _noise(one.inputs) + 3e-4):
        return None
    return (
        f"With {V} tokens and logits that are {apart} apart you measure "
        f"{float(one.outputs[0]):.4g}. The mean share is another number there, by more than the "
        "noise of the draws."
    )


def _overlap(p: Tensor, q: Tensor) -> Any:
    return torch.minimum(p, q).sum(-1)


def _small(z: Tensor, apart: float, noise: Tensor) -> Tensor:
    return z + apart * noise


def _measure(
    said: Any = _overlap, *, small: Any = _small, trials: Any = lambda trials: trials,
    share: Any = lambda logits: logits.softmax(-1),
) -> Any:  # fmt: skip
    def measure(V: int, apart: float, trials_: int, generator: torch.Generator) -> float:
        shape = trials(trials_), V
        z = torch.randn(shape, generator=generator, dtype=torch.float64)
        noise = torch.randn(shape, generator=generator, dtype=torch.float64)
        return float(said(share(z), share(small(z, apart, noise))).mean())

    return measure


def _by_distances(V: int, apart: float, trials: int, generator: torch.Generator) -> float:
    """Take what is not kept from 1: half the sum of the differences; in float32."""
    drawn = torch.randn(2, trials, V, generator=generator)
    p, q = torch.softmax(drawn[0], -1), torch.softmax(drawn[0] + apart * drawn[1], -1)
    return 1 - float((p - q).abs().sum()) / (2 * trials)


def _one_by_one(V: int, apart: float, trials: int, generator: torch.Generator) -> float:
    """Weigh, trial by trial, each token's chance to be kept by the draft's probability."""
    total = 0.0
    for _ in range(trials):
        z = torch.randn(V, generator=generator).double()
        q = torch.softmax(z + apart * torch.randn(V, generator=generator), 0)
        total += float((q * (z.softmax(0) / q).clamp(max=1)).sum())
    return total / trials


def _table(V: int, apart: float, trials: int, generator: torch.Generator) -> float:
    return KEPT[V, apart][0]


def _own_seed(V: int, apart: float, trials: int, generator: torch.Generator) -> Any:
    return _measure()(V, apart, trials, torch.Generator().manual_seed(0))


def _global(V: int, apart: float, trials: int, generator: torch.Generator) -> Any:
    seed = int(torch.randint(2**31, (1,)))
    return _measure()(V, apart, trials, torch.Generator().manual_seed(seed))


SHARE_KEPT = Exercise(
    name="share_kept", slug="kv-cache-and-gqa", task="measure",
    title="How often does a draft fit?", kind="measure", points=0.5, difficulty=2,
    importance=2, minutes=15, parameters=("V", "apart", "trials", "generator"),
    outputs=(Output(name="share", kind="number"),), reference=_measure(), equation="eq-accept",
    judge=_judge, noise=_noise, alike=Tolerance(rtol=0.07, atol=0.015),
    next_rung="The share that is refused is half of what the two distributions differ by.",
    probes=tuple(_probe(*key) for key in KEPT),
    misconceptions=(
        Misconception(code="KEPT-REFUSED", wrong=_measure(
            lambda p, q: 1 - _overlap(p, q)), sentence=(
            "This is the share that is refused. Kept is what both models agree on.")),
        Misconception(code="KEPT-EQUAL", wrong=_measure(
            lambda p, q: (p * q).sum(-1)), sentence=(
            "This is how often two draws, one from each model, are equal. A drafted token need not "
            "be drawn again: it is kept with the probability target over draft.")),
        Misconception(code="KEPT-LIKELIEST", wrong=_measure(
            lambda p, q: (p.argmax(-1) == q.argmax(-1)).double()), sentence=(
            "This is how often both models have the same likeliest token, as in greedy decoding. "
            "The draft's token is drawn.")),
        Misconception(code="KEPT-WHOLE", wrong=_measure(
            lambda p, q: 1 - (p - q).abs().sum(-1)), sentence=(
            "The differences are taken off whole. What one model has less the other has more, so "
            "each difference counts twice in their sum: take off half of it.")),
        Misconception(code="KEPT-WEIGHTS", wrong=_measure(
            lambda p, q: (p / q).clamp(max=1).mean(-1)), also=(
            _measure(lambda p, q: (p * (p / q).clamp(max=1)).sum(-1)),), sentence=(
            "The chances to be kept are not weighed by the draft: all tokens count alike, or as "
            "often as the large model would draw them. The small model draws the token.")),
        Misconception(code="KEPT-LARGER", wrong=_measure(
            lambda p, q: torch.maximum(p, q).sum(-1)), sentence=(
            "The larger of the two probabilities is added up, which gives more than 1. What both "
            "agree on is the smaller one.")),
        Misconception(code="KEPT-STRANGERS", wrong=_measure(
            small=lambda z, apart, noise: apart * noise), sentence=(
            "The small model's logits have nothing to do with the large one's. They are the same "
            "numbers, and `apart` times others besides.")),
        Misconception(code="KEPT-VARIANCE", wrong=_measure(
            small=lambda z, apart, noise: z + math.sqrt(apart) * noise), also=(
            _measure(small=lambda z, apart, noise: z + apart**2 * noise),), sentence=(
            "The root or the square of `apart` multiplies the second numbers. It multiplies them "
            "itself.")),
        Misconception(code="KEPT-FIXED", wrong=_measure(
            small=lambda z, apart, noise: z + noise), sentence=(
            "`apart` changes nothing: the logits are always 1 apart.")),
        *undrawn("KEPT", (_table, _own_seed), (_global,), (
            _measure(trials=lambda trials: 10 * trials),)),
    ),
    alternatives=(_by_distances, _one_by_one),
)  # fmt: skip
