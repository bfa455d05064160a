"""grouped_query_attention: neighbouring heads share keys and values."""

from __future__ import annotations

from typing import Any

from grading.exercise import Exercise, Inputs, LeftOut, Output, Probe
from grading.exercises.kv_cache_and_gqa.fitting import grouped
from grading.exercises.kv_cache_and_gqa.sharing_answers import ALTERNATIVES
from grading.exercises.kv_cache_and_gqa.sharing_steps import MORE, STEPS
from grading.exercises.shared.drawing import normal
from grading.exercises.shared.single import single
from grading.exercises.shared.stepwise import mistake
from grading.late import late, torch

__all__ = ["GROUPED_QUERY_ATTENTION"]

library = late("course_lib.attention.grouped")


def _heads(heads: tuple[int, int], sizes: tuple[int, int, int, int, int], mask: Any) -> Any:
    """Draw H heads of queries and G of keys, of the sizes B, T, S, D, Dv."""
    H, G = heads
    B, T, S, D, Dv = sizes

    def draw(generator: torch.Generator) -> Inputs:
        return {
            "query": 1.2 * normal(generator, B, H, T, D), "key": normal(generator, B, G, S, D),
            "value": normal(generator, B, G, S, Dv),
            "may_attend": mask(generator) if callable(mask) else mask,
        }  # fmt: skip

    return draw


def _mask(*shape: int, empty: tuple[int, ...] = ()) -> Any:
    """Draw a mask in which every row has one key to read, one not, but for the empty rows."""

    def draw(generator: torch.Generator) -> Any:
        may_attend = torch.rand(*shape, generator=generator) > 0.4
        may_attend[..., 0], may_attend[..., -1] = True, False
        for row in empty:
            may_attend[..., row, :] = False
        return may_attend

    return draw


def _probe(
    name: str, heads: tuple[int, int], sizes: tuple[int, int, int, int, int], mask: Any,
    **more: Any,
) -> Probe:  # fmt: skip
    letters = dict(zip("BTSD", sizes, strict=False)) | {
        "Dv": sizes[4], "H": heads[0], "G": heads[1],
    }  # fmt: skip
    return Probe(name=name, draw=_heads(heads, sizes, mask),
                 sizes={} if more.get("edge") else letters, **more)  # fmt: skip


GROUPED_QUERY_ATTENTION = Exercise(
    name="grouped_query_attention", slug="kv-cache-and-gqa", task="gqa",
    title="Heads that share keys", kind="implement", points=1.0, difficulty=2, importance=3,
    minutes=25, parameters=("query", "key", "value", "may_attend"), defaults={"may_attend": None},
    outputs=(Output(name="output", axes="B H T Dv"),),
    axes={"query": "B H T D", "key": "B G S D", "value": "B G S Dv", "may_attend": "... T S"},
    fitted=grouped, equation="eq-gqa", part="course_lib.attention.grouped.grouped_query_attention",
    reference=lambda query, key, value, may_attend=None: library.grouped_query_attention(
        query, key, value, may_attend),
    next_rung="G = H is multi-head attention, and G = 1 is multi-query attention.",
    probes=(
        _probe("six heads, three key heads, may_attend left out", (6, 3), (1, 2, 4, 5, 7),
               LeftOut(), gradient=True, single=True, half=True),
        _probe("eight heads, two key heads, may_attend=None", (8, 2), (1, 7, 5, 6, 3), None),
        _probe("six heads, one key head for all", (6, 1), (2, 3, 5, 7, 4), None),
        _probe("six heads, two key heads, a mask of shape (T, S)", (6, 2), (1, 5, 4, 7, 3),
               _mask(5, 4), gradient=True),
        _probe("a mask for each example, (B, 1, T, S)", (4, 2), (3, 5, 6, 1, 7),
               _mask(3, 1, 5, 6)),
        _probe("a mask for each head, (B, H, T, S)", (3, 1), (2, 4, 5, 6, 7), _mask(2, 3, 4, 5)),
        _probe("a mask for each of four heads", (4, 2), (1, 3, 5, 6, 7), _mask(1, 4, 3, 5)),
        _probe("a mask for each head of all examples, (1, H, T, S)", (2, 1), (3, 4, 5, 6, 7),
               _mask(1, 2, 4, 5)),
        _probe("padding, (B, 1, 1, S)", (4, 2), (3, 5, 7, 1, 6), _mask(3, 1, 1, 7)),
        _probe("a mask of shape (B, 1, T, 1): some queries read nothing", (6, 3), (2, 5, 4, 1, 7),
               lambda generator: _column(2, 5), control=True),
        _probe("queries that may read nothing", (6, 2), (1, 5, 3, 7, 4), _mask(5, 3, empty=(1, 4)),
               control=True),
        _probe("as many key heads as heads", (2, 2), (1, 2, 3, 4, 3), None, edge=True),
        _probe("one example, one key head", (2, 1), (1, 2, 2, 2, 1), None, edge=True),
    ),
    misconceptions=(
        mistake(STEPS, "GQA-TILE", (
            "Head h reads key head h mod G: the shared heads are laid out 0, 1, 0, 1, as by "
            "repeat. Neighbours share: h reads h // R, and the layout is 0, 0, 1, 1, as by "
            "repeat_interleave. With G = 1 or G = H nobody sees the difference.")),
        single("GQA-DIVG", (
            "Head h reads key head h // G. The quotient that counts is R = H / G, the number of "
            "heads in a group: h // R."), *MORE["GQA-DIVG"]),
        mistake(STEPS, "GQA-TORN", (
            "Keys and values of a head come from two groups: one of them is laid out in blocks and "
            "the other in turn. Both have to be laid out alike, 0, 0, 1, 1."), *MORE["GQA-TORN"]),
        mistake(STEPS, "GQA-FIRST", (
            "Every head reads key head 0, as though G were 1. Each group has its own.")),
        single("GQA-ONEMEAN", (
            "All heads read the mean of the key heads. They are shared within a group, and not "
            "mixed."), *MORE["GQA-ONEMEAN"]),
        single("GQA-KEYSALONE", (
            "The groups hold for the values alone: the keys are the same for every head, the first "
            "ones or a mean. Both are shared within a group only."), *MORE["GQA-KEYSALONE"]),
        single("GQA-LAST", (
            "Head h reads key head h, and from G on all read the last one. Neighbours share: h "
            "reads h // R."), *MORE["GQA-LAST"]),
        single("GQA-TRUNC", (
            "Only the first G query heads are used, and the others are lost. All H of them read; "
            "keys and values are what is few."), *MORE["GQA-TRUNC"]),
        single("GQA-MEAN", (
            "The queries of a group are averaged. They stay H different heads, which only share "
            "what they read."), *MORE["GQA-MEAN"]),
        single("GQA-AXIS", (
            "The keys are repeated along another axis than that of the heads, such as the "
            "positions or the examples. That fails, or, with one key head, leaves each "
            "key there R times."), *MORE["GQA-AXIS"]),
        mistake(STEPS, "GQA-ORDER", (
            "The heads come back in another order: the first of every group, then the second of "
            "every group. Head h of the output belongs to head h of the query.")),
        mistake(STEPS, "SDPA-NOSCALE", "The scores are not divided by the root of D."),
        mistake(STEPS, "MHA-SCALED", (
            "The scores are divided by the root of H · D. A score adds up the D products of one "
            "head, so D's root divides it.")),
        mistake(STEPS, "SDPA-MASKNONE", "may_attend changes nothing: every pair is read."),
        mistake(STEPS, "SDPA-MASKINV", (
            "The mask is read the wrong way round. True means that query t may read key s.")),
        mistake(STEPS, "SDPA-NANROW", (
            "A query with nothing to read gives NaN, as a softmax of nothing but −∞ does. It gets "
            "zeros.")),
        mistake(STEPS, "SDPA-UNIFORMROW", (
            "A query with nothing to read reads all keys alike: a softmax shares out 1 over any "
            "row of finite scores. It gets zeros.")),
    ),
    steps=STEPS,
    alternatives=ALTERNATIVES,
)  # fmt: skip


def _column(B: int, T: int) -> Any:
    may_attend = torch.ones(B, 1, T, 1, dtype=torch.bool)
    may_attend[:, :, 1], may_attend[0, :, 3] = False, False
    return may_attend
