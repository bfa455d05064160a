"""lm_loss: the mean surprise at the tokens of a batch, each foretold by the row before it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from grading.exercise import Exercise, Inputs, LeftOut, Output, Probe
from grading.exercises.shared.drawing import normal
from grading.exercises.shared.single import single
from grading.exercises.shared.stepwise import mistake
from grading.exercises.training.loss_answers import ALTERNATIVES
from grading.exercises.training.loss_steps import IGNORE, STEPS, with_steps
from grading.late import Tensor, late, torch

__all__ = ["LM_LOSS"]

library = late("course_lib.training.loss")

Way = Callable[..., Any]


def _texts(B: int, T: int, V: int, ignore: Any, *, padded: tuple[int, ...] = (),
           wide: bool = False) -> Any:  # fmt: skip
    """Draw logits and tokens; the rows that `padded` names end in so many ids to ignore."""

    def draw(generator: torch.Generator) -> Inputs:
        logits = 1.5 * normal(generator, B, T, V)
        pad = IGNORE if isinstance(ignore, LeftOut) else ignore
        tokens = torch.randint(V, (B, T), generator=generator)
        if 0 <= pad < V:  # an id of the vocabulary that stands for nothing else
            tokens = torch.where(tokens == pad, (pad + 1) % V, tokens)
        for row, count in enumerate(padded):
            tokens[row, T - count :] = pad
        if wide:
            logits[0, 0] = torch.linspace(-1000.0, 1000.0, V, dtype=torch.float64)
            tokens[0, 1] = 0
            logits[1, 1, int(tokens[1, 2])] = 1200.0
        return {"logits": logits, "tokens": tokens, "ignore": ignore}

    return draw


def _known(inputs: Inputs) -> Inputs:
    """Return inputs whose tokens are ids of the vocabulary, or ignored; one at least is counted."""
    V, tokens = inputs["logits"].shape[-1], inputs["tokens"]
    ignore = IGNORE if isinstance(inputs["ignore"], LeftOut) else inputs["ignore"]
    held = np.where(tokens.numbers == ignore, ignore, tokens.numbers % V)
    return {**inputs, "tokens": tokens.holding(held)}


def _scaled(factor: Way) -> Way:
    def scaled(logits: Tensor, tokens: Tensor, ignore: int = IGNORE) -> Any:
        return STEPS.answer()(logits, tokens, ignore) * factor(logits, tokens)

    return scaled


def _flat_shift(logits: Tensor, tokens: Tensor) -> Any:
    flat, ids = logits.flatten(0, 1)[None], tokens.flatten()[None]
    return flat[:, :-1], ids[:, 1:], ids[:, :-1]


def _rolled(logits: Tensor, tokens: Tensor) -> Any:
    return logits, tokens.roll(-1, 1), tokens


def _floored(rows: Tensor, least: float) -> Any:
    return -(rows.softmax(-1) + least).log()


def _unsummed(surprise: Tensor, counted: Tensor) -> Any:
    return surprise * counted


def _never_handed_on(logits: Tensor, tokens: Tensor, ignore: int = IGNORE) -> Any:
    """Call PyTorch's loss without the argument: −100 is left out, and nothing else."""
    rows, wanted = logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten()
    return torch.nn.functional.cross_entropy(rows, wanted)


def _looked_up_all_the_same(logits: Tensor, tokens: Tensor, ignore: int = IGNORE) -> Any:
    """Look up every token: one that no vocabulary has raises."""
    return -logits[:, :-1].log_softmax(-1).gather(-1, tokens[:, 1:].unsqueeze(-1)).mean()


def _power(way: Way) -> Way:
    def changed(surprise: Tensor, counted: Tensor) -> Any:
        return way((surprise * counted).sum() / counted.sum())

    return changed


LM_LOSS = Exercise(
    name="lm_loss", slug="training", task="loss", title="The loss of a language model",
    kind="implement", points=1.75, difficulty=2, importance=3, minutes=30,
    parameters=("logits", "tokens", "ignore"), defaults={"ignore": IGNORE},
    outputs=(Output(name="loss"),), axes={"logits": "B T V", "tokens": "B T"}, fitted=_known,
    reference=lambda logits, tokens, ignore=IGNORE: library.lm_loss(logits, tokens, ignore),
    part="course_lib.training.loss.lm_loss", equation="eq-lm-loss", steps=STEPS,
    next_rung="A model that has learned nothing has a loss near ln V. Task 4 asks how near.",
    probes=(
        Probe(name="three texts, nothing to ignore", draw=_texts(3, 5, 7, LeftOut(IGNORE)),
              gradient=True, single=True, half=True, sizes={"B": 3, "T": 5, "V": 7}),
        Probe(name="texts of several lengths, filled up with −100",
              draw=_texts(4, 6, 5, -100, padded=(0, 4, 2, 1)), gradient=True, single=True,
              sizes={"B": 4, "T": 6, "V": 5}),
        Probe(name="filled up with an id of the vocabulary, ignore = 2",
              draw=_texts(3, 7, 6, 2, padded=(4, 0, 1)), gradient=True,
              sizes={"B": 3, "T": 7, "V": 6}),
        Probe(name="one text of two tokens, ignore left out",
              draw=_texts(1, 2, 4, LeftOut(IGNORE)), edge=True),
        Probe(name="ignore = 0, which is what fills up",
              draw=_texts(5, 4, 8, 0, padded=(1, 2, 0, 2)), sizes={"B": 5, "T": 4, "V": 8}),
        Probe(name="a text of which nothing is counted",
              draw=_texts(3, 4, 6, -1, padded=(0, 3, 1)), control=True, gradient=True,
              sizes={"B": 3, "T": 4, "V": 6}),
        Probe(name="logits from −1000 to 1200", draw=_texts(2, 4, 5, -100, wide=True), control=True,
              gradient=True, sizes={"B": 2, "T": 4, "V": 5}),
    ),
    misconceptions=(
        mistake(STEPS, "LOSS-NOSHIFT", (
            "Nothing is shifted: row t is asked for token t, which the model has read there. A "
            "loss that falls to 0 within minutes is the sign of it. Row t − 1 foretells token "
            "t.")),
        mistake(STEPS, "LOSS-SHIFT2", (
            "There are two shifts: row t is asked for token t + 2, as where both the data and the "
            "loss move the targets. One place is enough.")),
        mistake(STEPS, "LOSS-BACK", (
            "The shift goes the wrong way: row t is asked for token t − 1, which stands before it. "
            "Leave out the last row and the first token.")),
        single("LOSS-ROLLED", (
            "The tokens are rolled, so the last row of each text is asked for its first token. "
            "Nothing follows the last token: its row is not used."), with_steps(pair=_rolled)),
        single("LOSS-FLAT", (
            "Texts are joined before the shift, so the last row of one is asked for the first "
            "token of the next. Shift first, then join."), with_steps(pair=_flat_shift)),
        mistake(STEPS, "LOSS-PROBS", (
            "A softmax stands before the loss, which has one of its own. Weights lie between 0 and "
            "1, so the second softmax gives nearly equal ones, and the loss cannot come near 0.")),
        single("LOSS-AXIS", (
            "The softmax runs along another axis than the vocabulary's, so a row's weights do not "
            "sum to 1."),
            with_steps(surprise=lambda rows: -rows.log_softmax(1)),
            with_steps(surprise=lambda rows: -rows.log_softmax(0))),
        single("LOSS-NOLOG", (
            "Logits or weights are averaged without a logarithm. The loss is the mean of minus the "
            "logarithm of a token's weight."),
            with_steps(surprise=lambda rows: -rows.softmax(-1)),
            with_steps(surprise=lambda rows: 1 - rows.softmax(-1)),
            with_steps(surprise=lambda rows: -rows)),
        single("LOSS-FLOOR", (
            "A small number is added to the weights before the logarithm, so a token of weight 0 "
            "surprises only so much, and its gradient is lost. Take the logarithm of the softmax "
            "from the logits themselves."),
            *(with_steps(surprise=lambda rows, least=least: _floored(rows, least))
              for least in (1e-9, 1e-8, 1e-10, 1e-12, 1e-7))),
        single("LOSS-UNDERFLOW", (
            "The softmax is made first and its logarithm taken then. A weight that is too small "
            "for a number becomes 0, and the loss is infinite or NaN. Take the logarithm of the "
            "softmax from the logits themselves."),
            with_steps(surprise=lambda rows: -rows.softmax(-1).log()),
            with_steps(surprise=lambda rows: -(rows.exp() / rows.exp().sum(-1, True)).log())),
        mistake(STEPS, "LOSS-PADCOUNT", (
            "What is to be ignored counts: in the sum, or in the number by which it is divided. "
            "Neither may hold a token that equals ignore, whichever id that is."),
            _never_handed_on, _looked_up_all_the_same),
        mistake(STEPS, "LOSS-MASKREAD", (
            "A place is left out where the token that is read equals ignore. What matters is the "
            "token that is foretold, one place on.")),
        mistake(STEPS, "LOSS-SUM", (
            "The surprises are added up, so the loss grows with the batch. Divide by how many are "
            "counted.")),
        mistake(STEPS, "LOSS-BATCHMEAN", (
            "Each text is averaged by itself, then the means are: a token of a short text weighs "
            "more than one of a long text. All counted tokens of the batch weigh the same."),
            with_steps(reduce=lambda surprise, counted: (
                (surprise * counted).sum(0) / counted.sum(0).clamp(min=1)).mean())),
        single("LOSS-PERTEXT", (
            "The sum is divided by the number of texts. Divide it by the number of counted "
            "tokens."), with_steps(reduce=lambda surprise, counted: (
                (surprise * counted).sum() / len(surprise)))),
        single("LOSS-FIRSTCOUNTED", (
            "The first column is counted among the tokens by which the sum is divided. Nothing "
            "foretells it."), lambda logits, tokens, ignore=IGNORE: (
                with_steps(reduce=lambda surprise, counted: (surprise * counted).sum())(
                    logits, tokens, ignore) / (tokens != ignore).sum())),
        single("LOSS-SIGN", "The sign is missing: a loss falls towards 0 from above.",
               with_steps(reduce=_power(lambda loss: -loss))),
        single("LOSS-PERPLEXITY", (
            "The exponential of the loss comes back: that is the perplexity. The loss is the "
            "logarithm of it."), with_steps(reduce=_power(lambda loss: loss.exp()))),
        single("LOSS-LOG2", (
            "The logarithm has another base than e. The loss is measured in nats."),
            _scaled(lambda logits, tokens: 1 / math.log(2)),
            _scaled(lambda logits, tokens: 1 / math.log(10))),
        single("LOSS-UNREDUCED", (
            "A tensor with a number for each token comes back. The loss is one number."),
            with_steps(reduce=_unsummed)),
    ),
    alternatives=ALTERNATIVES,
)  # fmt: skip
