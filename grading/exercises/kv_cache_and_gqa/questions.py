"""The chapter's questions: a prediction, and a bug to find."""

from __future__ import annotations

from typing import Any

from grading.exercise import Exercise, Misconception, Output
from grading.exercises.shared.questions import BROKEN, RIGHT, Diagnosis, asked, near, number_near
from grading.late import Tensor, torch

__all__ = ["BUGS", "FIND_THE_BUG", "PREDICT", "SAVING"]

#: gpt-oss-20b at 131,072 tokens: 24 layers, every second one with a window of 128.
LAYERS, TOKENS, WINDOW = 24, 131_072, 128
#: Its cache without windows, divided by its cache with them.
SAVING = LAYERS * TOKENS / (LAYERS // 2 * (TOKENS + WINDOW))


PREDICT = Exercise(
    name="predict_window_saving", slug="kv-cache-and-gqa", task="predict",
    title="Every second layer forgets", kind="predict", points=0.25, difficulty=1, importance=3,
    minutes=5, parameters=(), outputs=(Output(name="prediction", kind="number"),),
    reference=lambda: SAVING, equation="eq-cache-bytes",
    judge=number_near(SAVING, 0.01, "Windows make a cache smaller: the factor is 1 or more", 1),
    probes=asked,
    next_rung="What would five windows for each full layer save, as in Gemma 3?",
    misconceptions=(
        Misconception(code="SAVE-EVERY", wrong=lambda: TOKENS / WINDOW,
                      recognise=near(TOKENS / WINDOW, 20.0), sentence=(
            "That is what one layer with a window saves. Half of the layers have none, and they "
            "keep everything.")),
        Misconception(code="SAVE-MEAN", wrong=lambda: (TOKENS / WINDOW + 1) / 2,
                      recognise=near((TOKENS / WINDOW + 1) / 2, 20.0), sentence=(
            "That is the mean of two factors. Bytes add up, factors do not: half of the cache "
            "stays whole, so no saving elsewhere makes it smaller than that half.")),
        Misconception(code="SAVE-NONE", wrong=lambda: 1.0, recognise=near(1.0, 0.02), sentence=(
            "That would be a cache that windows leave as it is. A layer with a window keeps its "
            "last 128 tokens alone.")),
        Misconception(code="SAVE-QUARTER", wrong=lambda: 4 / 3, recognise=near(4 / 3, 0.02),
                      sentence=(
            "That would save a quarter. Half of the layers keep next to nothing, keys and values "
            "alike.")),
        Misconception(code="SAVE-FOUR", wrong=lambda: 4.0, recognise=near(4.0, 0.05), sentence=(
            "Half of the layers save both, keys and values, and that is a half of all and not "
            "three quarters.")),
    ),
    alternatives=(lambda: 2, lambda: torch.tensor(1.998)),
)  # fmt: skip

#: The sentences to choose from: code -> what went wrong.
BUGS = {
    "NO-MASK": "With a cache at hand no causal mask is applied, however many tokens are new.",
    "TOP-LEFT": "The causal mask counts from the oldest key instead of the first new one.",
    "NEW-FIRST": "The new keys stand before the cached ones.",
    "NOT-READ": "The new tokens read the cached keys alone.",
}


def _broken(
    query: Tensor, key: Tensor, value: Tensor, key_cache: Tensor, value_cache: Tensor
) -> Any:
    """Re-made after github.com/Mikyx-1/TinyLLM/issues/17; none of its code."""
    keys, values = torch.cat([key_cache, key]), torch.cat([value_cache, value])
    scores = query @ keys.T / query.shape[-1] ** 0.5
    return scores.softmax(-1) @ values


def _right(
    query: Tensor, key: Tensor, value: Tensor, key_cache: Tensor, value_cache: Tensor
) -> Any:
    keys, values = torch.cat([key_cache, key]), torch.cat([value_cache, value])
    scores = query @ keys.T / query.shape[-1] ** 0.5
    may = torch.ones(scores.shape, dtype=torch.bool).tril(key_cache.shape[0])
    return scores.masked_fill(~may, -torch.inf).softmax(-1) @ values


def _inputs(P: int = 2, T: int = 3, seed: int = 5) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(rows, 4, generator=generator) for rows in (T, T, T, P, P))


_DIAGNOSIS = Diagnosis(
    code="NO-MASK", bugs=BUGS, inputs=("query", "key", "value", "key_cache", "value_cache"),
    shown=_inputs,
)  # fmt: skip

FIND_THE_BUG = Exercise(
    name="diagnose_cached_attention", slug="kv-cache-and-gqa", task="bug", title="Find the bug",
    kind="bug", points=0.5, difficulty=2, importance=3, minutes=10, parameters=(),
    outputs=(Output(name="code", kind="any"), Output(name="inputs", kind="any")),
    reference=_DIAGNOSIS.answer(), equation="eq-cache-mask", probes=asked,
    judge=_DIAGNOSIS.judge, view=_DIAGNOSIS.view, functions={BROKEN: _broken, RIGHT: _right},
    next_rung="Training never saw a cache, so no loss could tell.",
    misconceptions=(
        _DIAGNOSIS.mistake("BUG-TOPLEFT", "TOP-LEFT", (
            "Such a mask would hide the newest keys. In the trace one token behind a cache is "
            "right, so it reads them all.")),
        _DIAGNOSIS.mistake("BUG-NEWFIRST", "NEW-FIRST", (
            "Without positions the order of keys changes no sum, and a mask over another order "
            "would have made one new token wrong as well. In the trace it is right.")),
        _DIAGNOSIS.mistake("BUG-NOTREAD", "NOT-READ", (
            "With an empty cache nothing would be left to read. In the trace the last row of a "
            "whole prompt is right.")),
        _DIAGNOSIS.mistake("BUG-BLIND", "NO-MASK", (
            "The mistake is the right one, but on these inputs it cannot be seen, as where one "
            "token is new: it may read all there is."), shown=lambda: _inputs(T=1)),
    ),
    alternatives=(
        _DIAGNOSIS.answer(shown=lambda: _inputs(P=0)),
        lambda: ["NO-MASK", list(_inputs(4, 2, 1))],
    ),
)  # fmt: skip
