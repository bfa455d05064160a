"""surprise: a warm-up on the logarithm of one weight of a softmax."""

from __future__ import annotations

import math
from typing import Any

from grading.exercise import Exercise, Inputs, Output, Probe
from grading.exercises.shared.drawing import normal
from grading.exercises.shared.single import single
from grading.late import Tensor, torch

__all__ = ["SURPRISE"]


def _surprise(logits: Tensor, token: int) -> Any:
    return torch.logsumexp(logits, -1) - logits[..., token]


def _rows(*shape: int, token: int, wide: bool = False) -> Any:
    """Draw rows of logits; wide ones have a row with 1000 and one with −1000 at the token."""

    def draw(generator: torch.Generator) -> Inputs:
        logits = 2 * normal(generator, *shape)
        if wide:
            logits[0, token], logits[0, token - 1] = -1000.0, 1000.0
            logits[1, token] = 1500.0
        return {"logits": logits, "token": token}

    return draw


def _by_gap(logits: Tensor, token: int) -> Any:
    """Measure all logits from the token's own: its weight is one over the sum of what is left."""
    gaps = logits - logits[..., token : token + 1]
    top = gaps.amax(-1, keepdim=True)
    return (gaps - top).exp().sum(-1).log() + top[..., 0]


def _by_library(logits: Tensor, token: int) -> Any:
    rows = logits.reshape(-1, logits.shape[-1])
    wanted = torch.full(rows.shape[:1], token)
    return torch.nn.functional.cross_entropy(rows, wanted, reduction="none").reshape(
        logits.shape[:-1]
    )


SURPRISE = Exercise(
    name="surprise", slug="training", task="warm-up-surprise", title="Warm-up: surprise",
    kind="warm-up", points=0.25, difficulty=1, importance=3, minutes=5,
    parameters=("logits", "token"), outputs=(Output(name="surprise", axes="..."),),
    axes={"logits": "... V"}, fitted=lambda inputs: {
        **inputs, "token": inputs["token"] % inputs["logits"].shape[-1]},
    reference=_surprise, equation="eq-surprise",
    next_rung="The loss of a language model is a mean of such numbers.",
    probes=(
        Probe(name="two rows of five logits", draw=_rows(2, 5, token=3), gradient=True,
              single=True, half=True, sizes={"T": 2, "V": 5}),
        Probe(name="two leading axes, the first token", draw=_rows(4, 3, 6, token=0),
              sizes={"B": 4, "T": 3, "V": 6}),
        Probe(name="one row alone, the last token", draw=_rows(7, token=6), sizes={"V": 7}),
        Probe(name="logits of 1000 and −1000", draw=_rows(3, 4, token=2, wide=True),
              control=True, gradient=True, sizes={"T": 3, "V": 4}),
        Probe(name="a vocabulary of one", draw=_rows(2, 1, token=0), edge=True),
    ),
    misconceptions=(
        single("SUR-PROB", (
            "The weight itself comes back, without a logarithm. Surprise is minus its logarithm: 0 "
            "where the token was certain."),
            lambda logits, token: logits.softmax(-1)[..., token],
            lambda logits, token: 1 - logits.softmax(-1)[..., token],
            lambda logits, token: -logits.softmax(-1)[..., token]),
        single("SUR-SIGN", (
            "The sign is missing: a logarithm of a weight is never above 0, surprise never below."),
            lambda logits, token: -_surprise(logits, token)),
        single("SUR-LOG2", (
            "The logarithm has another base than e. In this course surprise is measured in nats."),
            lambda logits, token: _surprise(logits, token) / math.log(2),
            lambda logits, token: _surprise(logits, token) / math.log(10)),
        single("SUR-NOSUM", (
            "The logit with its sign turned comes back. How surprising it is depends on the other "
            "logits of its row too: subtract it from their log-sum-exp."),
            lambda logits, token: -logits[..., token]),
        single("SUR-MEAN", (
            "One number comes back for all rows. Each row has a surprise of its own."),
            lambda logits, token: _surprise(logits, token).mean(),
            lambda logits, token: _surprise(logits, token).sum()),
        single("SUR-AXIS", (
            "The softmax does not run along the last axis, so the weights of a row do not sum to "
            "1."),
            lambda logits, token: -logits.log_softmax(0)[..., token],
            lambda logits, token: -logits.log_softmax(max(logits.ndim - 2, 0))[..., token]),
        single("SUR-OVERFLOW", (
            "Exponentials, or the weights, are made first and their logarithm is taken then. A "
            "logit of 1000 overflows, and a weight of 0 has no logarithm. Subtract logits instead: "
            "log-sum-exp minus the token's."),
            lambda logits, token: -logits.softmax(-1)[..., token].log(),
            lambda logits, token: -(logits.exp()[..., token] / logits.exp().sum(-1)).log(),
            lambda logits, token: logits.exp().sum(-1).log() - logits[..., token]),
        single("SUR-FLOOR", (
            "A small number is added to the weight, or stands under it, before the logarithm. It "
            "keeps the surprise at a token of weight 0 from growing, and its gradient is lost."),
            *(lambda logits, token, e=e: -(logits.softmax(-1)[..., token] + e).log()
              for e in (1e-9, 1e-8, 1e-12, 1e-10, 1e-7)),
            *(lambda logits, token, e=e: -logits.softmax(-1)[..., token].clamp(min=e).log()
              for e in (1e-9, 1e-8, 1e-12, 1e-10, 1e-7))),
    ),
    alternatives=(_by_gap, _by_library,
                  lambda logits, token: -torch.log_softmax(logits, -1).select(-1, token)),
)  # fmt: skip
