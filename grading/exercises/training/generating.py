"""generate: a model continues a text, a token at a time."""

from __future__ import annotations

from typing import Any

from grading.exercise import Exercise, Misconception, Output, Tolerance
from grading.exercises.shared.single import single
from grading.exercises.training.generating_probes import (
    LAWS,
    PROBES,
    draws_once_for_all,
    judged,
    written,
)
from grading.exercises.training.generating_ways import (
    ALTERNATIVES,
    choosing,
    generated,
)
from grading.late import torch

__all__ = ["GENERATE"]


def _masked(z: Any, top_k: Any, fill: float) -> Any:
    if top_k is None:
        return z
    order = z.argsort(dim=-1, descending=True, stable=True)
    return z.scatter(-1, order[:, top_k:], fill)


def _above_the_kth(z: Any, top_k: Any) -> Any:
    if top_k is None:
        return z
    return z.masked_fill(z < z.topk(top_k, -1).values[:, -1:], -torch.inf)


def _so_many(more: int) -> Any:
    def keep(z: Any, top_k: Any) -> Any:
        if top_k is None:
            return z
        return _masked(z, min(max(top_k + more, 1), z.shape[-1]), -torch.inf)

    return keep


def _lowest(z: Any, top_k: Any) -> Any:
    if top_k is None:
        return z
    order = z.argsort(dim=-1, stable=True)
    return z.scatter(-1, order[:, top_k:], -torch.inf)


def _evenly(z: Any, top_k: Any) -> Any:
    return torch.where(_masked(z, top_k, -torch.inf).isfinite(), 0.0, -torch.inf)


def _of_row_0(weights: Any, generator: Any) -> Any:
    return torch.multinomial(weights[:1], 1, generator=generator).expand(len(weights), 1)


def _own(weights: Any, generator: Any) -> Any:
    return torch.multinomial(weights, 1, generator=torch.Generator().manual_seed(0))


def _zero_divides(logits: Any, temperature: float, generator: Any) -> Any:
    return None


GENERATE = Exercise(
    name="generate", slug="training", task="generate", title="Write, a token at a time",
    kind="implement", points=1.25, difficulty=3, importance=3, minutes=35,
    parameters=("model", "ids", "n", "temperature", "top_k", "generator"),
    outputs=(Output(name="ids", axes="B S", dtype="int64"),), reference=generated(),
    equation="eq-sampling-temperature", laws=LAWS, judge=judged, view=written,
    noise=lambda inputs: 1.0, alike=Tolerance(rtol=0.0, atol=0.125), probes=PROBES,
    next_rung="Each step reads the whole text again. The next chapter keeps what it has read.",
    misconceptions=(
        single("GEN-FIRST", (
            "The row of the first position is used, which foretells the second token. The next "
            "token is foretold by the last row."), generated(row=lambda logits: logits[:, 0])),
        single("GEN-STALE", (
            "Each step reads the prompt alone, so what was written before is not known to it. Put "
            "each token behind the text before the next is chosen."), generated(
                read=lambda ids, T, length: ids[:, :T][:, -length:])),
        single("GEN-LASTONLY", (
            "Each step reads the last token alone. The whole text is read, as far as the model's "
            "context reaches."), generated(read=lambda ids, T, length: ids[:, -1:])),
        single("GEN-CTX", (
            "The text is handed to the model whole, however long it has become. Beyond "
            "context_length only the last tokens may be read."),
            generated(read=lambda ids, T, length: ids)),
        single("GEN-CTXHEAD", (
            "Beyond context_length the first tokens are read, so nothing new is seen any more. "
            "Read the last ones."), generated(read=lambda ids, T, length: ids[:, :length])),
        single("GEN-CTXSHORT", (
            "Fewer tokens are read than the context holds: all context_length last ones count."),
            generated(read=lambda ids, T, length: ids[:, -(length - 1) :])),
        single("GEN-CUT", (
            "What the model no longer reads is missing in the result. The whole text comes back: "
            "cut what is handed to the model, and not the text."), generated(keep=False)),
        single("GEN-NEWONLY", "Only what was written comes back; the prompt stands before it.",
               generated(result=lambda ids, T: ids[:, T:])),
        single("GEN-T0", (
            "A temperature of 0 divides by 0. It means that nothing is drawn: the token with the "
            "largest logit is taken."), generated(choose=choosing(zero=_zero_divides))),
        single("GEN-TEMPMUL", (
            "The logits are multiplied by the temperature. They are divided by it: above 1 all "
            "tokens become more alike."), generated(choose=choosing(
                temper=lambda logits, temperature: logits * temperature))),
        single("GEN-TEMPTWICE", (
            "The logits are divided by the temperature twice, so its square counts. Once is "
            "enough."), generated(choose=choosing(
                temper=lambda logits, temperature: logits / temperature / temperature))),
        single("GEN-NOTEMP", (
            "The temperature changes nothing, as where weights are divided by it and brought to "
            "the sum 1 again. It divides the logits, before the softmax."), generated(
                choose=choosing(temper=lambda logits, temperature: logits))),
        single("GEN-TOPKZERO", (
            "What top-k leaves out gets the logit 0, and so a weight: 0 is a logit like any other. "
            "Minus infinity has the weight 0."), generated(choose=choosing(
                keep=lambda z, top_k: _masked(z, top_k, 0.0)))),
        single("GEN-TOPKTIES", (
            "More than k tokens are kept where several equal the k-th. Exactly k are, and of "
            "equals the lower id."), generated(choose=choosing(keep=_above_the_kth))),
        single("GEN-NOTOPK", "top_k changes nothing: all tokens can be drawn.", generated(
            choose=choosing(keep=lambda z, top_k: z))),
        single("GEN-KOFF", "One token more, or one fewer, is kept than top_k says.",
               generated(choose=choosing(keep=_so_many(1))),
               generated(choose=choosing(keep=_so_many(-1)))),
        single("GEN-LOWEST", "The k smallest logits are kept. The k largest have to be.",
               generated(choose=choosing(keep=_lowest))),
        single("GEN-EVENLY", (
            "The tokens that are kept are drawn evenly. Among them each has the weight that the "
            "softmax of their logits gives it."), generated(choose=choosing(keep=_evenly))),
        single("GEN-GREEDY", (
            "The largest logit is taken at every temperature. Above 0 the token is drawn."),
            generated(choose=lambda logits, temperature, top_k, generator: (
                logits.argmax(-1, True)))),
        single("GEN-GLOBAL", (
            "Not every draw comes from the generator that is handed over. Give it to whatever "
            "draws, so that whoever knows the seed gets the same text."),
            generated(choose=choosing(draw=lambda weights, generator: (
                torch.multinomial(weights, 1)))),
            generated(choose=choosing(draw=_own))),
        Misconception(code="GEN-SHARED", recognise=draws_once_for_all, sentence=(
            "All texts of a batch get the same token: it is drawn once for all. Each row is drawn "
            "for itself."), wrong=generated(choose=choosing(draw=_of_row_0))),
    ),
    alternatives=ALTERNATIVES,
)  # fmt: skip
