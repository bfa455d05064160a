"""rope_attention: heads that read by turned queries and keys."""

from __future__ import annotations

from typing import Any

from grading.exercise import Exercise, Inputs, LeftOut, Output, Probe
from grading.exercises.positions.fitting import even_heads
from grading.exercises.positions.reading_steps import MORE, STEPS
from grading.exercises.positions.rotation_steps import seldom
from grading.exercises.shared.drawing import normal
from grading.exercises.shared.stepwise import mistake
from grading.late import Tensor, late, torch

__all__ = ["ROPE_ATTENTION"]

heads = late("course_lib.attention.heads")
attention = late("course_lib.attention.dot_product")
library = late("course_lib.positions.rope")


def _layer(
    sizes: tuple[int, int, int], positions: tuple[int, ...], base: Any, *leading: int
) -> Any:
    C, H, D = sizes

    def draw(generator: torch.Generator) -> Inputs:
        x = normal(generator, *leading, len(positions), C)
        drawn = {name: normal(generator, C, H * D) / C**0.5 for name in ("w_q", "w_k", "w_v")}
        # Larger queries and keys, so that where something stands shows in what is read.
        return {"x": x, **drawn, "H": H, "positions": torch.tensor(positions), "base": base}

    return draw


def _right(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, H: int, positions: Tensor,
    base: float = 10000.0,
) -> Any:  # fmt: skip
    query, key, value = (heads.split_heads(x @ w, H) for w in (w_q, w_k, w_v))
    turned = (library.rope(rows, positions, base) for rows in (query, key))
    return attention.scaled_dot_product_attention(*turned, value)[0]


def _by_distances(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, H: int, positions: Tensor,
    base: float = 10000.0,
) -> Any:  # fmt: skip
    """Turn nothing: each pair's products times the cosine and sine of the distance's angle."""
    q, k, v = (torch.stack((x @ w).chunk(H, -1), -3) for w in (w_q, w_k, w_v))
    half = q.shape[-1] // 2
    frequencies = base ** -(torch.arange(half).double() / half)
    angles = (positions[:, None] - positions)[..., None] * frequencies
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    (q1, q2), (k1, k2) = q.chunk(2, -1), k.chunk(2, -1)
    along = torch.einsum("...td,...sd,tsd->...ts", q1, k1, cos)
    along = along + torch.einsum("...td,...sd,tsd->...ts", q2, k2, cos)
    across = torch.einsum("...td,...sd,tsd->...ts", q1, k2, sin)
    across = across - torch.einsum("...td,...sd,tsd->...ts", q2, k1, sin)
    return ((along + across) / (2 * half) ** 0.5).softmax(-1) @ v


def _by_torch(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, H: int, positions: Tensor,
    base: float = 10000.0,
) -> Any:  # fmt: skip
    """Complex numbers, counted from the first position: only distances matter."""
    q, k, v = (torch.unflatten(x @ w, -1, (H, -1)).movedim(-2, -3) for w in (w_q, w_k, w_v))
    half = q.shape[-1] // 2
    frequencies = base ** -(torch.arange(half).double() / half)
    turns = torch.exp(1j * (positions - positions[0]).double()[:, None] * frequencies)

    def turned(rows: Tensor) -> Any:
        pairs = torch.complex(rows[..., :half].double(), rows[..., half:].double()) * turns
        return torch.cat([pairs.real, pairs.imag], -1).to(rows.dtype)

    return torch.nn.functional.scaled_dot_product_attention(turned(q), turned(k), v)


ROPE_ATTENTION = Exercise(
    name="rope_attention", slug="positions", task="rope-attention",
    title="Attention that knows distances", kind="implement", points=0.75, difficulty=3,
    importance=3, minutes=25, parameters=("x", "w_q", "w_k", "w_v", "H", "positions", "base"),
    defaults={"base": 10000.0}, outputs=(Output(name="output", axes="... H T D"),),
    axes={"x": "... T C", "w_q": "C K", "w_k": "C K", "w_v": "C K", "positions": "T"},
    fitted=even_heads, reference=_right, equation="eq-rope-relative",
    next_rung="Add 1000 to all positions: nothing changes. That is what makes it relative.",
    probes=(
        Probe(name="a batch, base left out",
              draw=_layer((5, 2, 4), (2, 9, 3), LeftOut(10000.0), 6), gradient=True,
              single=True, half=True, sizes={"B": 6, "T": 3, "C": 5, "H": 2, "D": 4}),
        Probe(name="one sequence, one head, base 100",
              draw=_layer((7, 1, 8), (1, 4, 6, 11, 20), 100.0),
              sizes={"T": 5, "C": 7, "H": 1, "D": 8}),
        Probe(name="two leading axes, base=10000.0",
              draw=_layer((6, 3, 4), (40, 8), 10000.0, 5, 7),
              sizes={"B": 7, "T": 2, "C": 6, "H": 3, "D": 4}),
        Probe(name="as many heads as positions", draw=_layer((6, 3, 4), (5, 1, 9), 10000.0, 2),
              edge=True),
        Probe(name="two positions, one head", draw=_layer((3, 1, 2), (3, 5), 10000.0), edge=True),
    ),
    misconceptions=(
        mistake(STEPS, "SPLIT-VIEW", (
            "The projected rows are reshaped straight to heads × positions × D. That has the right "
            "shape, but a head gets columns of several heads, and entries of other positions.")),
        mistake(STEPS, "ROPE-IGNOREPOS", (
            "The rows are taken to stand at 0, 1, 2 and so on, whatever positions says. Distances "
            "are those of the positions that are given.")),
        seldom(MORE, "ROPE-BASE", "The base is always 10,000. The argument says which it is."),
        seldom(MORE, "ROPE-AXIS", (
            "The rotation counts along the heads. It fails unless there are as many heads as "
            "positions, and then it turns the query and the key of a head alike, which cancels. "
            "Bring the heads in front of the positions first.")),
        mistake(STEPS, "ROPE-BEFORESPLIT", (
            "The rows are turned before they are cut into heads. Then a pair lies in two heads, "
            "and no score depends on the distance alone. Cut first; each head turns its own D "
            "entries.")),
        seldom(MORE, "ROPE-INTERLEAVE", (
            "Neighbours 2i and 2i + 1 are turned together. Here entry i of a head pairs with entry "
            "D / 2 + i.")),
        seldom(MORE, "ROPE-SIGN", (
            "Queries and keys turn the other way, by −θ. Here they turn by +θ.")),
        mistake(STEPS, "ROPE-ONV", (
            "The values are turned as well. Positions belong into the scores alone: what is read "
            "would otherwise depend on where it was read.")),
        mistake(STEPS, "ROPE-ONEK", (
            "Only queries or only keys are turned. A score then depends on one of the two "
            "positions; with both turned it depends on their distance."), *MORE["ROPE-ONEK"]),
        seldom(MORE, "ROPE-NONE", (
            "Positions change nothing, so the attention is blind to order. Either nothing is "
            "turned, or a query and a key are turned alike, such as by the number of their head, "
            "which cancels.")),
        mistake(STEPS, "SDPA-NOSCALE", "The scores are not divided by the root of D."),
        mistake(STEPS, "MHA-SCALED", (
            "The scores are divided by the root of the whole width. A score adds up the D products "
            "of one head, so D's root divides it."), *MORE["MHA-SCALED"]),
        seldom(MORE, "SDPA-CAUSAL", (
            "Positions never read what stands behind them. No mask is asked for here.")),
    ),
    steps=STEPS,
    alternatives=(_by_distances, _by_torch),
)  # fmt: skip
