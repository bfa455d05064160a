"""align_step: one look at a padded source."""

from __future__ import annotations

from typing import Any

import numpy as np

from grading.exercise import Exercise, Inputs, Law, Output, Probe, Seen
from grading.exercises.shared.drawing import normal
from grading.exercises.shared.stepwise import mistake
from grading.exercises.soft_lookup.alignment_steps import STEPS, scores_of
from grading.late import Tensor, late, torch

__all__ = ["ALIGN_STEP"]

recurrence = late("course_lib.recurrence.seq2seq_attention")


def _drawn(lengths: list[int], S: int, C: int, N: int, D: int, padding: float = 1.0) -> Any:
    def draw(generator: torch.Generator) -> Inputs:
        B = len(lengths)
        state, encoded = normal(generator, B, C), normal(generator, B, S, N)
        inside = torch.arange(S) < torch.tensor(lengths)[:, None]
        encoded = torch.where(inside[..., None], encoded, padding * encoded)
        return {
            "state": state, "encoded": encoded, "lengths": torch.tensor(lengths),
            "w_q": normal(generator, C, D) / 2, "w_k": normal(generator, N, D) / 2,
            "v": normal(generator, D),
        }  # fmt: skip

    return draw


def _fitted(inputs: Inputs) -> Inputs:
    lengths, S = inputs["lengths"], inputs["encoded"].shape[1]
    assert lengths.numbers is not None
    return inputs | {"lengths": lengths.holding(np.minimum(lengths.numbers, S))}


def _is_token(one: Seen) -> Any:
    return np.arange(one.inputs["encoded"].shape[1]) < one.inputs["lengths"][:, None]


def _padding_unread(one: Seen) -> str | None:
    read = np.abs(one.outputs[1].astype(float) * ~_is_token(one))
    if not (read > 1e-6).any():
        return None
    return f"A place of padding has the weight {float(read.max()):.4g}"


def _sums(one: Seen) -> str | None:
    sums = one.outputs[1].astype(float).sum(-1)
    expected = _is_token(one).any(-1).astype(float)
    if np.allclose(sums, expected, rtol=1e-3, atol=1e-3):
        return None
    worst = int(np.abs(sums - expected).argmax())
    return (
        f"The weights of example {worst} sum to {sums[worst]:.4g}; they have to sum to "
        f"{expected[worst]:g}"
    )


def _by_examples(
    state: Tensor, encoded: Tensor, lengths: Tensor, w_q: Tensor, w_k: Tensor, v: Tensor
) -> Any:
    """Look at each example alone: only the states that exist."""
    contexts, rows = [], []
    for one, states, length in zip(state, encoded, lengths.tolist(), strict=True):
        known = states[:length]
        weights = torch.softmax(torch.tanh(one @ w_q + known @ w_k) @ v, dim=0)
        contexts.append((weights[:, None] * known).sum(0))
        rows.append(torch.cat([weights, weights.new_zeros(len(states) - length)]))
    return torch.stack(contexts), torch.stack(rows)


def _by_exponentials(
    state: Tensor, encoded: Tensor, lengths: Tensor, w_q: Tensor, w_k: Tensor, v: Tensor
) -> Any:
    """Leave the padding out of the sum, and divide an empty one by 1."""
    is_token = (torch.arange(encoded.shape[1]) < lengths.reshape(-1, 1)).to(encoded.dtype)
    powers = scores_of(state, encoded, w_q, w_k, v).exp() * is_token
    weights = powers / powers.sum(-1, keepdim=True).clamp(min=1e-30)
    return torch.einsum("bs,bsn->bn", weights, encoded), weights


def _mended(
    state: Tensor, encoded: Tensor, lengths: Tensor, w_q: Tensor, w_k: Tensor, v: Tensor
) -> Any:
    is_token = torch.arange(encoded.shape[1])[None, :] < lengths[:, None]
    scores = scores_of(state, encoded, w_q, w_k, v)
    weights = torch.softmax(torch.where(is_token, scores, -1e9), dim=1) * is_token
    return [torch.bmm(weights.unsqueeze(1), encoded)[:, 0], weights]


ALIGN_STEP = Exercise(
    name="align_step", slug="soft-lookup", task="align", title="One look at a padded source",
    kind="implement", points=1.5, difficulty=3, importance=3, minutes=30,
    parameters=("state", "encoded", "lengths", "w_q", "w_k", "v"),
    outputs=(Output(name="context", axes="B N", made_from="weights"),
             Output(name="weights", axes="B S")),
    axes={"state": "B C", "encoded": "B S N", "lengths": "B", "w_q": "C D", "w_k": "N D", "v": "D"},
    fitted=_fitted, reference=lambda *inputs: recurrence.align_step(*inputs),
    equation="eq-context", part="course_lib.recurrence.seq2seq_attention.align_step",
    next_rung="One row a step of the decoder: put the rows together, and you see the alignment.",
    laws=(
        Law(rule="padding is not read", broken=_padding_unread, output="weights"),
        Law(rule="the weights of an example sum to 1, or to 0 without a token", broken=_sums,
            output="weights"),
    ),
    probes=(
        Probe(name="sources of 1 to 9 tokens", draw=_drawn([9, 4, 1], 9, 5, 4, 6), gradient=True,
              single=True, half=True, sizes={"B": 3, "S": 9, "C": 5, "N": 4, "D": 6}),
        Probe(name="five sources, seven places", draw=_drawn([3, 7, 2, 6, 5], 7, 2, 3, 4),
              sizes={"B": 5, "S": 7, "C": 2, "N": 3, "D": 4}),
        Probe(name="large numbers in the padding", draw=_drawn([2, 4, 3, 5], 6, 3, 8, 5, 100.0),
              sizes={"B": 4, "S": 6, "C": 3, "N": 8, "D": 5}),
        Probe(name="sources without padding", draw=_drawn([2, 2, 2, 2], 2, 6, 3, 5),
              sizes={"B": 4, "S": 2, "C": 6, "N": 3, "D": 5}),
        Probe(name="a source of no tokens", draw=_drawn([4, 0, 2], 7, 2, 4, 5), control=True,
              sizes={"B": 3, "S": 7, "C": 2, "N": 4, "D": 5}),
        Probe(name="two sources of two places", draw=_drawn([1, 2], 2, 1, 1, 2), edge=True),
    ),
    misconceptions=(
        mistake(STEPS, "ALIGN-INCL", (
            "One place too many is read: places count from 0, so the last token stands at "
            "length − 1, and `<=` reads the first place of padding.")),
        mistake(STEPS, "ALIGN-SHORT", (
            "One place too few is read: the last token, at length − 1, belongs to the source.")),
        mistake(STEPS, "ALIGN-LEFT", (
            "The padding is looked for in front of the tokens. It stands behind them.")),
        mistake(STEPS, "ALIGN-INVERTED", (
            "The mask is read the wrong way round: the padding is read, and the tokens are not.")),
        mistake(STEPS, "ALIGN-AXIS", (
            "The softmax runs over the examples of the batch. Each shares out its own 1 over its "
            "places.")),
        mistake(STEPS, "ALIGN-NOMASK", (
            "The lengths are not used, and the padding is read.")),
        mistake(STEPS, "ALIGN-PADZERO", (
            "The weights are multiplied by the mask behind the softmax. What the padding had taken "
            "is lost, so the weights no longer sum to 1. Mask the scores.")),
        mistake(STEPS, "ALIGN-PADSCORE0", (
            "The scores of the padding are set to 0. That is an ordinary score, e⁰ = 1, and the "
            "padding is still read. −∞ is the score of what is not there.")),
        mistake(STEPS, "ALIGN-LEN0", (
            "A source without a token is not given zeros. Its weights are 0/0 there, which is NaN, "
            "or 1 is shared out over the padding. Mend that row.")),
        mistake(STEPS, "ALIGN-PROJECTED", (
            "The projected states are mixed. The projection is there to compare; the context is a "
            "mean of the encoder's states themselves.")),
        mistake(STEPS, "ALIGN-MEAN", (
            "The context is the plain mean of all places, whatever the weights are.")),
        mistake(STEPS, "ALIGN-UNSUMMED", (
            "The states are weighted and not yet added up: the context has no axis for places.")),
        mistake(STEPS, "ALIGN-ORDER", (
            "The two results are returned in the other order. The contract asks for the context "
            "first, then the weights.")),
    ),
    steps=STEPS,
    alternatives=(_by_examples, _by_exponentials, _mended),
)  # fmt: skip
