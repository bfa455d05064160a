"""The steps of the smallest encoder-decoder, and under which code each is done wrongly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grading.exercises.shared import attention_masks as masks
from grading.late import Tensor, torch
from grading.steps import Instead, Pipeline, Step

__all__ = ["STEPS", "changed"]

Way = Callable[..., Any]


def _translator(do: Any) -> Way:
    """Put the steps in a row: embed, encode, shift, decode, and read the table once more."""

    def translate(
        source: Tensor, target: Tensor, source_lengths: Tensor, table: Tensor, w: Tensor,
        start_id: int,
    ) -> Any:  # fmt: skip
        real = torch.arange(source.shape[1]) < source_lengths[:, None]

        def attend(x: Tensor, read: tuple[Tensor, Tensor], layer: Tensor, may: Any) -> Any:
            w_q, w_k, w_v = layer
            scores = (x @ w_q) @ (read[0] @ w_k).mT * do.scale(w_q)
            weights = _softmax(scores)
            if may is not None:
                weights = do.empty(masks.filled()(scores, may, _softmax), scores, may, _softmax)
            return do.add(x, weights @ (read[1] @ w_v))

        encoder, decoder, cross = do.layers(w)
        first = do.embed(source, table)
        encoded = attend(first, (first, first), encoder, do.source_mask(real))
        memory = do.memory(first, encoded)
        x = do.embed(do.shift(target, start_id), table)
        past = do.target_mask(x.shape[1], target, start_id)

        def read_past(x: Tensor) -> Any:
            return attend(x, (x, x), decoder, past)

        def read_source(x: Tensor) -> Any:
            return attend(x, do.read(x, memory), cross, do.memory_mask(real, x, memory))

        return do.logits(do.order(x, read_past, read_source), table)

    return translate


def _softmax(scores: Tensor) -> Any:
    return scores.softmax(-1)


def _padding(real: Tensor) -> Any:
    return real[:, None, :]


def _no_mask(*given: Any) -> None:
    return None


def _causal_and_padding(real: Tensor) -> Any:
    S = real.shape[1]
    return real[:, None, :] & torch.ones(S, S, dtype=torch.bool).tril()


def _shifted(target: Tensor, start_id: int) -> Any:
    start = torch.full_like(target[:, :1], start_id)
    return torch.cat([start, target[:, :-1]], 1)


def _past(T: int, target: Tensor, start_id: int) -> Any:
    return torch.ones(T, T, dtype=torch.bool).tril()


def _memory_mask(real: Tensor, x: Tensor, memory: Tensor) -> Any:
    return real[:, None, :]


def _in_row(x: Tensor, read_past: Way, read_source: Way) -> Any:
    return read_source(read_past(x))


STEPS = Pipeline(
    compose=_translator,
    steps=(
        Step(name="embed", right=lambda ids, table: table[ids], wrong={
        }),
        Step(name="layers", right=lambda w: (w[0], w[1], w[2]), wrong={
        }),
        Step(name="source_mask", right=_padding, wrong={
            "ED-ENCPAD": (_no_mask,),
            "ED-ENCCAUSAL": (_causal_and_padding,),
        }),
        Step(name="memory", right=lambda first, encoded: encoded, wrong={
        }),
        Step(name="shift", right=_shifted, wrong={
            "ED-NOSHIFT": (lambda target, start_id: target,),
        }),
        Step(name="target_mask", right=_past, wrong={
            "ED-NOCAUSAL": (_no_mask,),
        }),
        Step(name="read", right=lambda x, memory: (memory, memory), wrong={
            "ED-KVTGT": (Instead(lambda x, memory: (x, x), memory_mask=_no_mask),),
        }),
        Step(name="memory_mask", right=_memory_mask, wrong={
            "ED-MASKMEM": (_no_mask,),
        }),
        Step(name="scale", right=lambda w_q: w_q.shape[0] ** -0.5, wrong={
            "SDPA-NOSCALE": (lambda w_q: 1.0,),
        }),
        Step(name="empty", right=masks.zero_rows, wrong={
            "SDPA-NANROW": (masks.nan_rows,),
        }),
        Step(name="add", right=lambda x, found: x + found, wrong={
        }),
        Step(name="order", right=_in_row),
        Step(name="logits", right=lambda x, table: x @ table.T),
    ),
)  # fmt: skip


def changed(**ways: Way) -> Way:
    """Return the translator with some steps done in another way."""
    return STEPS.answer(ways)
