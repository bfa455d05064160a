"""attend_with_cache: prefill, a chunk or one token, all by one function."""

from __future__ import annotations

from typing import Any

from grading.exercise import Exercise, Inputs, LeftOut, Misconception, Output, Probe
from grading.exercises.kv_cache_and_gqa.caching_answers import ALTERNATIVES
from grading.exercises.kv_cache_and_gqa.caching_steps import MORE, STEPS, cached
from grading.exercises.kv_cache_and_gqa.fitting import even_halves
from grading.exercises.shared.drawing import normal
from grading.exercises.shared.single import single
from grading.exercises.shared.stepwise import mistake
from grading.late import torch

__all__ = ["ATTEND_WITH_CACHE"]


#: P, T, B, H, D, Dv.
Sizes = tuple[int, int, int, int, int, int]


def _chunk(sizes: Sizes, base: Any = 10000.0) -> Any:
    P, T, B, H, D, Dv = sizes

    def draw(generator: torch.Generator) -> Inputs:
        return {
            "query": 1.5 * normal(generator, B, H, T, D), "key_new": normal(generator, B, H, T, D),
            "value_new": normal(generator, B, H, T, Dv), "key_cache": normal(generator, B, H, P, D),
            "value_cache": normal(generator, B, H, P, Dv), "base": base,
        }  # fmt: skip

    return draw


def _sizes(P: int, T: int, B: int, H: int, D: int, Dv: int) -> dict[str, int]:
    return {"P": P, "T": T, "B": B, "H": H, "D": D, "Dv": Dv}


def _probe(name: str, sizes: Sizes, base: Any = 10000.0, **more: Any) -> Probe:
    letters = {} if more.get("edge") else _sizes(*sizes)
    return Probe(name=name, draw=_chunk(sizes, base), sizes=letters, **more)


ATTEND_WITH_CACHE = Exercise(
    name="attend_with_cache", slug="kv-cache-and-gqa", task="cache",
    title="One path for prompt, chunk and token", kind="implement", points=1.5, difficulty=3,
    importance=3, minutes=35,
    parameters=("query", "key_new", "value_new", "key_cache", "value_cache", "base"),
    defaults={"base": 10000.0},
    outputs=(Output(name="output", axes="B H T Dv"), Output(name="key", axes="B H S D"),
             Output(name="value", axes="B H S Dv")),
    axes={"query": "B H T D", "key_new": "B H T D", "value_new": "B H T Dv",
          "key_cache": "B H P D", "value_cache": "B H P Dv"},
    fitted=even_halves, reference=lambda *inputs: cached()(*inputs), equation="eq-cached-row",
    next_rung="Cut one text in other places: whatever the chunks, the rows stay the same.",
    probes=(
        _probe("a chunk of three behind five cached tokens, base left out", (5, 3, 1, 2, 6, 7),
               LeftOut(10000.0), gradient=True, single=True, half=True),
        _probe("a chunk of five behind two cached tokens, base 100", (2, 5, 1, 3, 8, 4), 100.0),
        _probe("a prompt of four and an empty cache, base=10000.0", (0, 4, 3, 2, 6, 5)),
        _probe("one token behind six cached ones", (6, 1, 2, 3, 4, 5)),
        _probe("two tokens behind thirteen cached ones, base 50", (13, 2, 1, 3, 6, 5), 50.0),
        _probe("as many new tokens as cached ones, one head", (3, 3, 2, 1, 4, 2), edge=True),
        _probe("as many new tokens as cached ones, two heads", (2, 2, 1, 2, 2, 3), edge=True),
        _probe("one token, nothing cached", (0, 1, 1, 1, 2, 1), edge=True),
    ),
    misconceptions=(
        mistake(STEPS, "KV-TOPLEFT", (
            "New token t reads the keys 0 … t, counted from the oldest, so a causal mask stands at "
            "the upper left. With P tokens cached it stands at position P + t and reads all keys "
            "up to there: the mask belongs at the lower right.")),
        mistake(STEPS, "KV-NOMASKCHUNK", (
            "Of several new tokens an early one reads those behind it: no causal mask is there, or "
            "it is left out once something is cached. One new token alone needs none, a chunk "
            "does."), *MORE["KV-NOMASKCHUNK"]),
        single("KV-NOSELF", (
            "A new token does not read itself: the mask ends one key too early. Token t reads the "
            "keys up to P + t, its own among them."), *MORE["KV-NOSELF"]),
        mistake(STEPS, "KV-POS0", (
            "Positions begin at 0 again behind the cache, for queries, keys or both. The first new "
            "token stands at P, the number of cached tokens, and distances to what is cached count "
            "from there."), *MORE["KV-POS0"]),
        single("KV-POSOFF", (
            "New queries or keys are turned as though they stood one place further on or further "
            "back. P tokens are cached, at 0 … P − 1, and so the first new one stands at P."),
            *MORE["KV-POSOFF"]),
        mistake(STEPS, "KV-ROPETWICE", (
            "Cached keys are turned once more. They were turned when they were new, so the angles "
            "add up. Turn the new keys, then join them."), *MORE["KV-ROPETWICE"]),
        mistake(STEPS, "KV-KEEPRAW", (
            "The new keys are kept as they came, without their rotation. The next call takes "
            "cached keys for rotated ones, and these would never be turned.")),
        mistake(STEPS, "KV-STALE", (
            "What comes back for the next call does not hold all tokens: the old ones alone, or "
            "the new ones alone. The next call needs P + T of them."), *MORE["KV-STALE"]),
        mistake(STEPS, "KV-ORDER", (
            "The new rows stand before the cached ones. Rows are kept in the order of time: what "
            "is new goes behind.")),
        single("KV-AXIS", (
            "New and cached rows are joined along another axis than that of the positions, the "
            "last but one. A cache grows by tokens; examples, heads and sizes stay."),
            *MORE["KV-AXIS"]),
        mistake(STEPS, "ROPE-ONEK", (
            "Only queries or only new keys are turned. A score then depends on one of the two "
            "positions; with both turned it depends on their distance."), *MORE["ROPE-ONEK"]),
        single("ROPE-NONE", (
            "Neither queries nor new keys are turned. They come as they were projected, and the "
            "cached keys were turned before."), *MORE["ROPE-NONE"]),
        single("ROPE-ONV", (
            "The values are turned as well. Positions belong into the scores alone."),
            *MORE["ROPE-ONV"]),
        single("ROPE-INTERLEAVE", (
            "Neighbours 2i and 2i + 1 are turned together. The cached keys were turned in halves: "
            "entry i with entry D / 2 + i, as rope above does it."), *MORE["ROPE-INTERLEAVE"]),
        single("ROPE-SIGN", (
            "Queries and new keys turn the other way, by −θ. The cached keys were turned by +θ."),
            *MORE["ROPE-SIGN"]),
        single("ROPE-BASE", "The base is always 10,000. The argument says which it is.",
               *MORE["ROPE-BASE"]),
        mistake(STEPS, "SDPA-NOSCALE", "The scores are not divided by the root of D."),
        Misconception(code="KV-ALIAS", wrong=MORE["KV-ALIAS"][0], shows="inputs", sentence=(
            "The new keys are turned where they lie, so whoever handed them over holds other "
            "numbers now. Two layers or two beams that share a tensor would meet in it. Write into "
            "a new one.")),
    ),
    steps=STEPS,
    alternatives=ALTERNATIVES,
)  # fmt: skip
