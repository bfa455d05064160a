"""padding_share: how much of a batch is padding."""

from __future__ import annotations

import math
from typing import Any

from grading.exercise import Exercise, Inputs, Misconception, Output, Probe, Seen, Tolerance
from grading.exercises.shared.measuring import far, undrawn
from grading.late import Tensor, torch

__all__ = ["PADDING_SHARE", "SHARES"]

# Mean and spread of the padding's share of one batch, by (B, S); the tests compute them exactly.
SHARES = {
    (2, 3): (0.1667, 0.1303), (3, 5): (0.2800, 0.1270), (8, 20): (0.4243, 0.0933),
    (4, 10): (0.3487, 0.1191),
}  # fmt: skip
#: So many batches, but few for the last key.
BATCHES, FEW = 4000, 30


def _probe(B: int, S: int) -> Probe:
    n = FEW if list(SHARES)[-1] == (B, S) else BATCHES

    def draw(generator: torch.Generator) -> Inputs:
        return {"B": B, "S": S, "n": n, "generator": generator}

    return Probe(name=f"B = {B}, S = {S}, {n} batches", draw=draw, sizes={"B": B, "S": S, "n": n})


def _noise(inputs: Inputs) -> float:
    return SHARES[inputs["B"], inputs["S"]][1] / math.sqrt(inputs["n"])


def _judge(one: Seen) -> str | None:
    B, S = one.inputs["B"], one.inputs["S"]
    if not far(one.outputs[0], SHARES[B, S][0], _noise(one.inputs) + 2e-5):
        return None
    return (
        f"With B = {B} and S = {S} you measure {float(one.outputs[0]):.4g}. The mean share of the "
        "padding is another number there, by more than the noise of the draws."
    )


def _measure(share: Any, *, least: int = 1) -> Any:
    def measure(B: int, S: int, n: int, generator: torch.Generator) -> float:
        lengths = torch.randint(least, S + 1, (n, B), generator=generator).double()
        return float(share(lengths, S))

    return measure


def _longest(lengths: Tensor) -> Tensor:
    return lengths.amax(-1)


def _padded(lengths: Tensor, S: int) -> Tensor:
    return (1 - lengths.mean(-1) / _longest(lengths)).mean()


def _by_masks(B: int, S: int, n: int, generator: torch.Generator) -> float:
    total = 0.0
    for _ in range(n):
        lengths = torch.randint(1, S + 1, (B,), generator=generator)
        real = torch.arange(int(lengths.max())) < lengths[:, None]
        total += float((~real).double().mean())
    return total / n


def _by_lists(B: int, S: int, n: int, generator: torch.Generator) -> float:
    shares = []
    for lengths in torch.randint(1, S + 1, (n, B), generator=generator).tolist():
        longest = max(lengths)
        shares.append(sum(longest - length for length in lengths) / (B * longest))
    return float(sum(shares) / n)


def _own_seed(B: int, S: int, n: int, generator: torch.Generator) -> Any:
    return _measure(_padded)(B, S, n, torch.Generator().manual_seed(0))


def _table(B: int, S: int, n: int, generator: torch.Generator) -> float:
    return SHARES[B, S][0]


def _global(B: int, S: int, n: int, generator: torch.Generator) -> float:
    return float(_padded(torch.randint(1, S + 1, (n, B)).double(), S))


def _always_as_many(B: int, S: int, n: int, generator: torch.Generator) -> Any:
    return _measure(_padded)(B, S, BATCHES, generator)


PADDING_SHARE = Exercise(
    name="padding_share", slug="masks", task="padding-share", title="What padding costs",
    kind="measure", points=0.5, difficulty=2, importance=2, minutes=15,
    parameters=("B", "S", "n", "generator"), outputs=(Output(name="share", kind="number"),),
    reference=_measure(_padded), equation="eq-padding-mask",
    judge=_judge, noise=_noise, alike=Tolerance(rtol=0.03, atol=1e-6),
    next_rung="Near a half in large batches. Several documents in one row leave none of it.",
    probes=tuple(_probe(*key) for key in SHARES),
    misconceptions=(
        Misconception(code="SHARE-KEPT", wrong=_measure(lambda n, S: (n.mean(-1)
                      / _longest(n)).mean()), sentence=(
            "This is the share of the tokens. The padding is the rest.")),
        Misconception(code="SHARE-FULL", wrong=_measure(lambda n, S: 1 - n.mean() / S), sentence=(
            "Every batch is padded to S. It need only be as long as its longest sequence.")),
        Misconception(code="SHARE-TOTALS", wrong=_measure(
            lambda n, S: 1 - n.mean() / _longest(n).mean()), sentence=(
            "All batches are counted together, padding of all over positions of all. The mean of "
            "each batch's own share is asked for; in a short batch a missing token counts more.")),
        Misconception(code="SHARE-SHORTEST", wrong=_measure(
            lambda n, S: (1 - n.amin(-1) / _longest(n)).mean()), sentence=(
            "This is the padding of the shortest sequence. All B sequences of a batch count.")),
        Misconception(code="SHARE-COUNT", wrong=_measure(
            lambda n, S: (_longest(n) - n.mean(-1)).mean()), also=(
            _measure(lambda n, S: (_longest(n)[:, None] - n).sum(-1).mean()),), sentence=(
            "This is a number of positions. Divide by the positions of the batch.")),
        Misconception(code="SHARE-SQUARES", wrong=_measure(
            lambda n, S: (1 - (n**2).mean(-1) / _longest(n) ** 2).mean()), sentence=(
            "These are pairs of a query and a key, the squares of the lengths. Positions are "
            "asked for.")),
        Misconception(code="SHARE-EMPTY", wrong=_measure(_padded, least=0), also=(
            _measure(lambda n, S: (1 - n.mean(-1) / _longest(n).clamp(min=1)).mean(), least=0),),
            sentence=(
            "Sequences of length 0 are drawn too. Lengths go from 1 to S, S included.")),
        Misconception(code="SHARE-LESS", wrong=lambda B, S, n, generator: _measure(_padded)(
                      B, S - 1, n, generator), sentence=(
            "The longest length is never drawn. torch.randint leaves out its upper end, so that "
            "end is S + 1.")),
        *undrawn("SHARE", (_table, _own_seed), (_global,), (_always_as_many,)),
    ),
    alternatives=(_measure(_padded), _by_masks, _by_lists),
)  # fmt: skip
