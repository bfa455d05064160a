"""first_loss: how surprised a model is that has learnt nothing, and is sure of it."""

from __future__ import annotations

import math
from typing import Any

from grading.exercise import Exercise, Inputs, Misconception, Output, Probe, Seen, Tolerance
from grading.exercises.shared.measuring import far, undrawn
from grading.late import Tensor, torch

__all__ = ["FIRST_LOSS", "LOSSES"]

# Mean and spread of a row's surprise by (V, std), over 800,000 draws; the tests measure again.
LOSSES = {(40, 3.0): (7.2269, 3.13), (30, 1.0): (3.8741, 0.9925), (20, 0.5): (3.1136, 0.4886)}
#: So many draws, but few for the last key.
DRAWS, FEW = 4000, 40


def _probe(V: int, std: float) -> Probe:
    n = FEW if list(LOSSES)[-1] == (V, std) else DRAWS

    def draw(generator: torch.Generator) -> Inputs:
        return {"V": V, "std": std, "n": n, "generator": generator}

    return Probe(name=f"V = {V}, std = {std:g}, {n} draws", draw=draw, sizes={"V": V, "n": n})


def _key(inputs: Inputs) -> tuple[int, float]:
    return inputs["V"], inputs["std"]


def _noise(inputs: Inputs) -> float:
    return LOSSES[_key(inputs)][1] / math.sqrt(inputs["n"])


def _judge(one: Seen) -> str | None:
    V, std = _key(one.inputs)
    if not far(one.outputs[0], LOSSES[V, std][0], _noise(one.inputs) + 4e-4):
        return None
    return (
        f"With V = {V} and std = {std:g} you measure {float(one.outputs[0]):.4g}. The mean "
        "surprise is another number there, by more than the noise of the draws."
    )


def _surprise(logits: Tensor) -> Any:
    return (logits.logsumexp(-1) - logits[:, 0]).mean()


def _measure(
    said: Any = _surprise, *, draw: str = "randn", width: Any = lambda std: std,
    draws: Any = lambda n: n,
) -> Any:  # fmt: skip
    def measure(V: int, std: float, n: int, generator: torch.Generator) -> float:
        drawn = getattr(torch, draw)(draws(n), V, generator=generator, dtype=torch.float64)
        return float(said(width(std) * drawn))

    return measure


def _by_torch(V: int, std: float, n: int, generator: torch.Generator) -> float:
    """Draw the tokens too; in float32."""
    logits = std * torch.randn(n, V, generator=generator)
    tokens = torch.randint(V, (n,), generator=generator)
    return torch.nn.functional.cross_entropy(logits, tokens).item()


def _one_by_one(V: int, std: float, n: int, generator: torch.Generator) -> float:
    total = 0.0
    for _ in range(n):
        logits = (std * torch.randn(V, generator=generator)).tolist()
        top = max(logits)
        total += top + math.log(sum(math.exp(z - top) for z in logits)) - logits[-1]
    return total / n


def _formula(V: int, std: float, n: int, generator: torch.Generator) -> float:
    return LOSSES[V, std][0]


def _own_seed(V: int, std: float, n: int, generator: torch.Generator) -> Any:
    return _measure()(V, std, n, torch.Generator().manual_seed(0))


def _global(V: int, std: float, n: int, generator: torch.Generator) -> Any:
    seed = int(torch.randint(2**31, (1,)))
    return _measure()(V, std, n, torch.Generator().manual_seed(seed))


FIRST_LOSS = Exercise(
    name="first_loss", slug="training", task="first", title="Measure: the first loss",
    kind="measure", points=0.5, difficulty=2, importance=2, minutes=15,
    parameters=("V", "std", "n", "generator"), outputs=(Output(name="loss", kind="number"),),
    reference=_measure(), equation="eq-surprise", judge=_judge, noise=_noise,
    alike=Tolerance(rtol=0.06, atol=1e-6), probes=tuple(_probe(*key) for key in LOSSES),
    next_rung="A first loss far above ln V says that the first logits are too large.",
    misconceptions=(
        Misconception(code="FIRST-STD", wrong=_measure(width=lambda std: 1.0), sentence=(
            "The logits do not have the standard deviation std: the argument changes nothing.")),
        Misconception(code="FIRST-VARIANCE", wrong=_measure(width=lambda std: std**2), also=(
            _measure(width=lambda std: std**0.5),), sentence=(
            "The logits have another spread than std, such as its square or its root. Multiply "
            "standard normal numbers by std itself.")),
        Misconception(code="FIRST-UNIFORM", wrong=_measure(draw="rand"), sentence=(
            "The logits are drawn from 0 to 1, as torch.rand does. Standard normal numbers come "
            "from torch.randn.")),
        Misconception(code="FIRST-LOG2", wrong=_measure(
            lambda logits: _surprise(logits) / math.log(2)), also=(
            _measure(lambda logits: _surprise(logits) / math.log(10)),), sentence=(
            "The logarithm has another base than e. Surprise is measured in nats.")),
        Misconception(code="FIRST-LNV", wrong=_measure(width=lambda std: 0.0), also=(
            _measure(lambda logits: -logits.softmax(-1)[:, 0].mean().log()),), sentence=(
            "ln V comes back, whatever std is: as where all logits are equal, or where weights are "
            "averaged before the logarithm is taken. Each row has a surprise, and these are "
            "averaged.")),
        Misconception(code="FIRST-ENTROPY", wrong=_measure(
            lambda logits: -(logits.softmax(-1) * logits.log_softmax(-1)).sum(-1).mean()),
            sentence=(
            "This is the mean entropy of the rows: how surprised the model expects to be. Measured "
            "is how surprised it is, at a token that it knew nothing of.")),
        Misconception(code="FIRST-BEST", wrong=_measure(
            lambda logits: (logits.logsumexp(-1) - logits.amax(-1)).mean()), sentence=(
            "The surprise at the likeliest token is measured. The token that comes has nothing to "
            "do with the logits.")),
        Misconception(code="FIRST-SIGN", wrong=_measure(lambda logits: -_surprise(logits)),
                      sentence="The sign is missing: surprise is never below 0."),
        *undrawn("FIRST", (_formula, _own_seed), (_global,), (_measure(draws=lambda n: 10 * n),)),
    ),
    alternatives=(_by_torch, _one_by_one),
)  # fmt: skip
