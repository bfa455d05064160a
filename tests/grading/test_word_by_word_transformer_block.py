"""Answers on the Transformer block that are right but for one word of the contract: all refused."""

import math
from typing import Any

import pytest
import torch
from answers_from_threads_transformer_block import block_of, translator
from torch.nn import functional as F

from grading import check
from grading.exercises.transformer_block import EXERCISES

pytestmark = pytest.mark.filterwarnings("ignore")


def silu(x: Any) -> Any:
    return x * torch.sigmoid(x)


def rms(x: Any, g: Any, eps: float) -> Any:
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    return (wide * (wide.square().mean(-1, keepdim=True) + eps).rsqrt() * g).to(x.dtype)


def layer(x: Any, g: Any, b: Any, eps: float) -> Any:
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    centred = wide - wide.mean(-1, keepdim=True)
    return (centred * (centred.square().mean(-1, keepdim=True) + eps).rsqrt() * g + b).to(x.dtype)


def swiglu(x: Any, w_gate: Any, w_up: Any, w_down: Any) -> Any:
    return (silu(x @ w_gate) * (x @ w_up)) @ w_down


def width(C: int, multiple_of: int = 1) -> int:
    return -(-(8 * C // 3) // multiple_of) * multiple_of


def left(kind: str, writes: int, C: int, n: int, generator: Any) -> float:
    first = torch.randn(n, C, generator=generator, dtype=torch.float64)
    stream = first
    for _ in range(writes):
        stream = stream + torch.randn(n, C, generator=generator, dtype=torch.float64)
        stream = F.rms_norm(stream, (C,)) if kind == "post" else stream
    return float(F.cosine_similarity(first, stream).mean())


block = block_of(
    lambda x, norm, attend, think: (h := x + attend(norm(x, 1))) + think(norm(h, 2))
)  # fmt: skip
translate = translator()


def only_for(right: Any, holds: Any) -> Any:
    """A right function that raises where its inputs are not as it expects."""

    def answer(*given: Any) -> Any:
        if not holds(*given):
            raise ValueError("not prepared for that")
        return right(*given)

    return answer


def axes(*counts: int) -> Any:
    return lambda x, *others: x.ndim in counts


def in_float32(right: Any) -> Any:
    """A right function that brings a tensor of its own, in float32, and so a result in it."""
    return lambda x, *others: right(x, *others) * torch.ones(1, dtype=torch.float32)


def mask_of(count: int) -> Any:
    return lambda *given: (
        len(given) < 12 or not torch.is_tensor(given[11]) or given[11].ndim == count
    )


def with_eps(right: Any, own: float) -> Any:
    return lambda *given: right(*given[:-1], own)


def block_with(place: int, other: Any) -> Any:
    """A right block that takes another argument in one place."""

    def answer(*given: Any) -> Any:
        filled = [*given, None, 1e-6][: max(len(given), 13)] if len(given) < 13 else list(given)
        filled[place] = other(filled)
        return block(*filled)

    return answer


def first_empty_row_reads(given: Any) -> Any:
    may = given[11]
    if not torch.is_tensor(may):
        return may
    may = may.clone()
    may[..., 0] |= ~may.any(-1)
    return may


def lengths_at_least_one(*given: Any) -> Any:
    source, target, lengths, *others = given
    return translate(source, target, lengths.clamp(min=1), *others)


ROWS: tuple[tuple[str, str, Any], ...] = (
    ("silu", "any shape: one axis", only_for(silu, axes(2, 3, 4))),
    ("silu", "any shape: four axes", only_for(silu, axes(1, 2, 3))),
    ("silu", "so is its gradient", lambda x: x / (1 + (-x).exp())),
    ("silu", "each entry by itself", lambda x: x * x.softmax(-1)),
    ("silu", "bfloat16", in_float32(silu)),
    ("rms_norm", "leading axes: none", only_for(rms, axes(2, 3, 4))),
    ("rms_norm", "leading axes: two", only_for(rms, axes(1, 2, 3))),
    ("rms_norm", "eps whatever its size", with_eps(rms, 1e-5)),
    ("rms_norm", "a vector of zeros gives zeros",
     lambda x, g, eps: torch.where((x == 0).all(-1, keepdim=True), g, rms(x, g, eps))),
    ("rms_norm", "squares in float32", lambda x, g, eps:
     x * (x.square().mean(-1, keepdim=True) + eps).rsqrt() * g),
    ("rms_norm", "rounded back", in_float32(rms)),
    ("rms_norm", "the inputs stay as they were", lambda x, g, eps: rms(x.mul_(1.0 + 1e-3), g, eps)),
    ("rms_norm", "the gradient flows back", lambda x, g, eps: rms(x.detach(), g, eps)),
    ("layer_norm", "leading axes: none", only_for(layer, axes(2, 3, 4))),
    ("layer_norm", "the variance divides by C", lambda x, g, b, eps: (
        (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True) + eps).sqrt() * g + b)),
    ("layer_norm", "eps whatever its size", with_eps(layer, 1e-5)),
    ("layer_norm", "equal entries give b", lambda x, g, b, eps: torch.where(
        (x == x[..., :1]).all(-1, keepdim=True), torch.zeros_like(b), layer(x, g, b, eps))),
    ("swiglu", "leading axes: none", only_for(swiglu, axes(2, 3, 4))),
    ("swiglu", "leading axes: two", only_for(swiglu, axes(1, 2, 3))),
    ("swiglu", "nothing is added", lambda x, *others: x + swiglu(x, *others)),
    ("swiglu", "F need not be C",
     only_for(swiglu, lambda x, w_gate, *others: w_gate.shape[0] == w_gate.shape[1])),
    ("gated_d_ff", "multiple_of may be left out", lambda C, multiple_of: width(C, multiple_of)),
    ("gated_d_ff", "what is a multiple stays",
     lambda C, multiple_of=1: width(C, multiple_of) + multiple_of * (multiple_of == 64)),
    ("gated_d_ff", "cut off", lambda C, multiple_of=1: -(
        -math.ceil(8 * C / 3) // multiple_of) * multiple_of),
    ("gated_d_ff", "an int", lambda C, multiple_of=1: str(width(C, multiple_of))),
    ("embedding_left", "n streams", lambda kind, writes, C, n, g: left(kind, writes, C, 300, g)),
    ("embedding_left", "so many writes", lambda kind, writes, C, n, g: left(kind, 2, C, n, g)),
    ("embedding_left", "C numbers", lambda kind, writes, C, n, g: left(kind, writes, 4, n, g)),
    ("embedding_left", "every draw from the generator",
     lambda kind, writes, C, n, g: left(kind, writes, C, n, None)),
    ("block", "may_attend may be left out", lambda x, g_1, w_q, w_k, w_v, w_o, g_2, w_gate, w_up,
     w_down, H, may_attend, eps=1e-6: block(
         x, g_1, w_q, w_k, w_v, w_o, g_2, w_gate, w_up, w_down, H, may_attend, eps)),
    ("block", "eps is 0.000001 where it is left out", lambda x, g_1, w_q, w_k, w_v, w_o, g_2,
     w_gate, w_up, w_down, H, may_attend=None, eps=1e-5: block(
         x, g_1, w_q, w_k, w_v, w_o, g_2, w_gate, w_up, w_down, H, may_attend, eps)),
    ("block", "eps under the root", block_with(12, lambda given: 1e-6)),
    ("block", "g_2 is the network's", block_with(6, lambda given: given[1])),
    ("block", "H heads", block_with(10, lambda given: 1)),
    ("block", "a mask of T T", only_for(block, mask_of(3))),
    ("block", "a mask for each example", only_for(block, mask_of(2))),
    ("block", "leading axes: none", only_for(block, axes(3, 4))),
    ("block", "leading axes: two", only_for(block, axes(2, 3))),
    ("block", "nothing to read: zeros", block_with(11, first_empty_row_reads)),
    ("block", "H · D need not be C", only_for(
        block, lambda x, g_1, w_q, *others: w_q.shape[0] == w_q.shape[1])),
    ("encoder_decoder", "all of it but the padding", lambda source, target, lengths, *others:
     translate(source, target, torch.full_like(lengths, source.shape[1]), *others)),
    ("encoder_decoder", "start_id", lambda *given: translate(*given[:-1], 0)),
    ("encoder_decoder", "a length of 0", lengths_at_least_one),
    ("encoder_decoder", "w[0] of the encoder", lambda source, target, lengths, table, w, start:
     translate(source, target, lengths, table, w[[1, 0, 2]], start)),
    ("encoder_decoder", "in this order", lambda source, target, lengths, table, w, start:
     translate(source, target, lengths, table, w[:, [1, 0, 2]], start)),
    ("encoder_decoder", "T need not be S", only_for(
        translate, lambda source, target, *others: source.shape == target.shape)),
    ("encoder_decoder", "without a softmax", lambda *given: translate(*given).softmax(-1)),
    ("predict_embedding_left", "within 0.008", lambda: 0.03),
    ("predict_embedding_left", "one number", lambda: [0.0156]),
    ("predict_embedding_left", "a cosine", lambda: 1.6),
)  # fmt: skip


@pytest.mark.parametrize(
    ("exercise", "answer"), [pytest.param(row[0], row[2], id=f"{row[0]}: {row[1]}") for row in ROWS]
)
def test_an_answer_that_ignores_a_word_of_the_contract_is_refused(
    exercise: str, answer: Any
) -> None:
    result = check(answer, exercise=exercise)
    assert not result.passed, str(result)
    assert result.points == 0


def test_each_exercise_has_three_such_answers() -> None:
    for exercise in (one for one in EXERCISES if one.kind not in ("test", "bug")):
        assert sum(row[0] == exercise.name for row in ROWS) >= 3, exercise.name


def test_what_they_are_made_of_is_right() -> None:
    right = {
        "silu": silu, "rms_norm": rms, "layer_norm": layer, "swiglu": swiglu, "gated_d_ff": width,
        "embedding_left": left, "block": block, "encoder_decoder": translate,
    }  # fmt: skip
    for name, answer in right.items():
        result = check(answer, exercise=name)
        assert result.passed, str(result)
