"""mla_attention: keys and values of all heads from one small vector a token."""

from __future__ import annotations

from typing import Any

from grading.exercise import Exercise, Inputs, LeftOut, Output, Probe
from grading.exercises.kv_cache_and_gqa.fitting import latent_heads
from grading.exercises.kv_cache_and_gqa.latent_answers import ALTERNATIVES
from grading.exercises.kv_cache_and_gqa.latent_steps import MORE, STEPS, latent_with
from grading.exercises.shared.drawing import normal
from grading.exercises.shared.single import single
from grading.exercises.shared.stepwise import mistake
from grading.late import torch

__all__ = ["MLA_ATTENTION"]

LETTERS = ("B", "T", "C", "H", "D", "Dr", "Dc", "Dv")


def _layer(sizes: tuple[int, ...], base: Any, eps: Any, small: float = 1.0) -> Any:
    """Draw a layer; `small` makes the latent vectors small, beside which eps counts."""
    B, T, C, H, D, Dr, Dc, Dv = sizes

    def draw(generator: torch.Generator) -> Inputs:
        def matrix(rows: int, columns: int) -> Any:
            return normal(generator, rows, columns) / rows**0.5

        return {
            "x": normal(generator, B, T, C), "w_q": 2 * matrix(C, H * D),
            "w_qr": 2 * matrix(C, H * Dr),
            "w_dkv": small * (matrix(C, Dc) + 0.3), "g_kv": normal(generator, Dc) / 2 + 1.5,
            "w_kr": 1.5 * matrix(C, Dr), "w_uk": matrix(Dc, H * D), "w_uv": matrix(Dc, H * Dv),
            "w_o": matrix(H * Dv, C), "H": H, "base": base, "eps": eps,
        }  # fmt: skip

    return draw


def _probe(
    name: str, sizes: tuple[int, ...], base: Any, eps: Any, small: float = 1.0, **more: Any
) -> Probe:
    letters = {} if more.get("edge") else dict(zip(LETTERS, sizes, strict=True))
    return Probe(name=name, draw=_layer(sizes, base, eps, small), sizes=letters, **more)


MLA_ATTENTION = Exercise(
    name="mla_attention", slug="kv-cache-and-gqa", task="mla", title="All heads from one vector",
    kind="implement", points=1.5, difficulty=3, importance=3, minutes=40,
    parameters=("x", "w_q", "w_qr", "w_dkv", "g_kv", "w_kr", "w_uk", "w_uv", "w_o", "H", "base",
                "eps"),
    defaults={"base": 10000.0, "eps": 1e-6}, outputs=(Output(name="output", axes="B T C"),),
    axes={"x": "B T C", "w_q": "C K", "w_qr": "C R", "w_dkv": "C L", "g_kv": "L", "w_kr": "C N",
          "w_uk": "L K", "w_uv": "L M", "w_o": "M C"},
    fitted=latent_heads, equation="eq-latent-score",
    reference=lambda *inputs: latent_with()(*inputs),
    next_rung="Multiply w_uk into the queries: keys need not be made at all, and nothing changes.",
    probes=(
        _probe("two heads, base and eps left out", (1, 5, 7, 2, 6, 4, 8, 3), LeftOut(10000.0),
               LeftOut(1e-6), gradient=True, single=True),
        _probe("three heads, base 50, eps = 0.5", (2, 7, 5, 3, 4, 6, 8, 1), 50.0, 0.5),
        _probe("one example, base=10000.0, eps = 0.001", (1, 5, 3, 4, 2, 8, 6, 7), 10000.0, 1e-3),
        _probe("small latent vectors, eps = 0.000001", (1, 5, 4, 3, 2, 6, 8, 7), 100.0, 1e-6,
               1e-3, half=True),
        _probe("one head", (3, 5, 4, 1, 8, 2, 6, 7), 10000.0, 0.1),
        _probe("as many positions as heads", (1, 3, 4, 3, 2, 2, 4, 2), 100.0, 0.1, edge=True),
        _probe("one position, one head", (1, 1, 2, 1, 2, 2, 2, 2), 10000.0, 0.1, edge=True),
    ),
    misconceptions=(
        mistake(STEPS, "MLA-SCALE", (
            "The scores are divided by the root of one part's size, D or Dr, or each part by its "
            "own. A query has D + Dr entries, and so has a key: the sum of all products is divided "
            "by the root of D + Dr."), *MORE["MLA-SCALE"]),
        single("MLA-LATENTSCALE", (
            "The scores are divided by the root of Dc + Dr, the size of what is kept. However the "
            "products are computed, they are those of queries and keys with D + Dr entries."),
            *MORE["MLA-LATENTSCALE"]),
        mistake(STEPS, "SDPA-NOSCALE", "The scores are not divided by a root."),
        single("SDPA-TIMESROOT", "The scores are multiplied by the root instead of divided.",
               *MORE["SDPA-TIMESROOT"]),
        mistake(STEPS, "MLA-ROPELATENT", (
            "The latent vector is rotated. Then w_uk stands behind a rotation and cannot be "
            "multiplied into the queries, and values are turned as well. Positions have a key of "
            "their own, from w_kr."), *MORE["MLA-ROPELATENT"]),
        single("MLA-ROPEALL", (
            "The queries and keys of the content are turned too. Then a key of each head would "
            "have to be kept, or made again for every query: positions belong to the rotary part "
            "alone."), *MORE["MLA-ROPEALL"]),
        single("MLA-SHAREROPE", (
            "The rotary key is cut into pieces, one for each head. It is one key of Dr entries "
            "that all heads share whole."), *MORE["MLA-SHAREROPE"]),
        single("MLA-ONEHEADROPE", (
            "Heads do not each have a rotary query of their own: the first head's serves all, or "
            "only the first head has any. The rotary key is shared, the queries are not."),
            *MORE["MLA-ONEHEADROPE"]),
        single("MLA-NOROPE", (
            "The rotary part of the scores is missing, so nothing knows where it stands. Add the "
            "products of rotary queries and the rotary key."), *MORE["MLA-NOROPE"]),
        single("MLA-ROPEALONE", (
            "Only the rotary part is scored. Add the products of queries and keys that come from "
            "the latent vector."), *MORE["MLA-ROPEALONE"]),
        single("MLA-CROSSED", (
            "Queries hold the rotary part last and keys hold it first, so entries of different "
            "kinds are multiplied. Both need one order."), *MORE["MLA-CROSSED"]),
        mistake(STEPS, "MLA-NONORM", (
            "The latent vector is not normalised before keys and values are made of it. It is an "
            "RMS norm of x times w_dkv, with the gains g_kv."), *MORE["MLA-NONORM"]),
        mistake(STEPS, "MLA-NOGAIN", "The gains g_kv are not used."),
        single("MLA-NORMBOTH", (
            "The rotary key is normalised, by itself or together with the latent vector. The norm "
            "is the latent vector's alone."), *MORE["MLA-NORMBOTH"]),
        single("MLA-LAYERNORM", "The mean is subtracted: that is layer norm. An RMS norm is asked.",
               *MORE["MLA-LAYERNORM"]),
        single("MLA-EPS", (
            "One and the same number stands under the root, whatever eps is handed over. Its "
            "default is 0.000001, and a call may give another."), *MORE["MLA-EPS"]),
        single("RMS-EPSOUT", (
            "eps is added to the root and not under it. Where the mean square is as small as eps, "
            "that is something else entirely."), *MORE["RMS-EPSOUT"]),
        mistake(STEPS, "ROPE-INTERLEAVE", (
            "Neighbours 2i and 2i + 1 are turned together, as in DeepSeek's own code. Here entry i "
            "pairs with entry Dr / 2 + i.")),
        mistake(STEPS, "ROPE-ONEK", (
            "Only the rotary queries or only the rotary key is turned. A score then depends on one "
            "of the two positions; with both turned it depends on their distance."),
            *MORE["ROPE-ONEK"]),
        single("ROPE-NONE", (
            "Neither rotary queries nor the rotary key are turned, so nothing knows where it "
            "stands."), *MORE["ROPE-NONE"]),
        single("ROPE-AXIS", (
            "The rotation counts along the heads, so a query is turned by the number of its head "
            "and the shared key not at all: nothing knows where it stands. It counts along the "
            "positions."), *MORE["ROPE-AXIS"]),
        single("ROPE-SIGN", (
            "Rotary queries and the rotary key turn the other way, by −θ. Here they turn by +θ."),
            *MORE["ROPE-SIGN"]),
        single("ROPE-BASE", "The base is always 10,000. The argument says which it is.",
               *MORE["ROPE-BASE"]),
        mistake(STEPS, "MLA-NOCAUSAL", (
            "Every position reads those behind it as well. A position reads itself and what came "
            "before.")),
        single("SPLIT-VIEW", (
            "The projected rows are reshaped straight to heads × positions. That has the right "
            "shape, but a head gets columns of several heads, and entries of other positions."),
            *MORE["SPLIT-VIEW"]),
        single("MERGE-NOTRANSP", (
            "The heads' outputs are reshaped to rows while heads still stand before positions, so "
            "a row holds what one head found at several positions. Exchange the two axes first."),
            *MORE["MERGE-NOTRANSP"]),
    ),
    steps=STEPS,
    alternatives=ALTERNATIVES,
)  # fmt: skip
