"""mha_to_gqa: the projection of few key heads from that of many."""

from __future__ import annotations

from typing import Any

from grading.exercise import Exercise, Inputs, Misconception, Output, Probe
from grading.exercises.kv_cache_and_gqa.fitting import whole_groups
from grading.exercises.shared.drawing import normal
from grading.late import Tensor, late, torch

__all__ = ["MHA_TO_GQA"]

library = late("course_lib.attention.grouped")


def _projection(C: int, D: int, G: int, H: int) -> Any:
    def draw(generator: torch.Generator) -> Inputs:
        return {"w_k": normal(generator, C, H * D), "G": G, "H": H}

    return draw


def _probe(name: str, C: int, D: int, G: int, H: int, **more: Any) -> Probe:
    sizes = {} if more.get("edge") else {"C": C, "D": D, "G": G, "H": H}
    return Probe(name=name, draw=_projection(C, D, G, H), sizes=sizes, **more)


def _blocks(w_k: Tensor, G: int, H: int) -> Any:
    """Return the columns as C G R D."""
    return w_k.reshape(w_k.shape[0], G, H // G, w_k.shape[1] // H)


def _made(pool: Any) -> Any:
    return lambda w_k, G, H: pool(_blocks(w_k, G, H)).flatten(1)


def _strided(w_k: Tensor, G: int, H: int) -> Any:
    D = w_k.shape[1] // H
    return w_k.reshape(w_k.shape[0], H // G, G, D).mean(1).flatten(1)


def _neighbours(w_k: Tensor, G: int, H: int) -> Any:
    """Average columns that stand side by side."""
    return w_k.reshape(w_k.shape[0], -1, H // G).mean(-1)


def _heads_inside(w_k: Tensor, G: int, H: int) -> Any:
    """Take the columns for D heads of H entries."""
    D = w_k.shape[1] // H
    return w_k.reshape(w_k.shape[0], D, G, H // G).mean(-1).transpose(1, 2).flatten(1)


def _rows(w_k: Tensor, G: int, H: int) -> Any:
    """Group rows as though the matrix stood transposed, where they fit."""
    return w_k.T.reshape(G, H // G, -1, w_k.shape[0]).mean(1).reshape(-1, w_k.shape[0])


def _first_heads(w_k: Tensor, G: int, H: int) -> Any:
    return w_k[:, : G * (w_k.shape[1] // H)]


def _by_a_matrix(w_k: Tensor, G: int, H: int) -> Any:
    """Multiply by a matrix of 1/R and 0."""
    R, D = H // G, w_k.shape[1] // H
    mix = torch.eye(G, dtype=w_k.dtype).repeat_interleave(R, 0) / R
    return w_k @ torch.kron(mix, torch.eye(D, dtype=w_k.dtype))


def _head_by_head(w_k: Tensor, G: int, H: int) -> Any:
    heads = torch.chunk(w_k, H, dim=1)
    R = H // G
    return torch.cat([sum(heads[g * R : (g + 1) * R], 0 * heads[0]) / R for g in range(G)], dim=1)


MHA_TO_GQA = Exercise(
    name="mha_to_gqa", slug="kv-cache-and-gqa", task="pool", title="Eight heads become two",
    kind="implement", points=0.5, difficulty=2, importance=2, minutes=15,
    parameters=("w_k", "G", "H"), outputs=(Output(name="projection", axes="C N"),),
    axes={"w_k": "C M"}, fitted=whole_groups, equation="eq-mean-pooling",
    reference=lambda w_k, G, H: library.mha_to_gqa(w_k, G, H),
    part="course_lib.attention.grouped.mha_to_gqa",
    next_rung="Convert w_v in the same way; then the model needs some more training.",
    probes=(
        _probe("six heads become two", 4, 5, 2, 6, gradient=True, single=True, half=True),
        _probe("eight heads become four", 3, 7, 4, 8),
        _probe("nine heads become three", 8, 2, 3, 9),
        _probe("six heads become one", 5, 3, 1, 6),
        _probe("four heads stay four", 3, 2, 4, 4, edge=True),
        _probe("two heads of one entry become one", 1, 1, 1, 2, edge=True),
    ),
    misconceptions=(
        Misconception(code="UP-SUM", wrong=_made(lambda heads: heads.sum(2)), sentence=(
            "The heads of a group are added up and not averaged. Keys R times as long make scores "
            "R times as large.")),
        Misconception(code="UP-ROOT", wrong=_made(
            lambda heads: heads.sum(2) / heads.shape[2] ** 0.5), sentence=(
            "The sum of a group is divided by the root of R. The mean divides by R.")),
        Misconception(code="UP-STRIDE", wrong=_strided, sentence=(
            "Heads g, g + G, g + 2G and so on are averaged. A group is R neighbours, since head h "
            "reads key head h // R afterwards.")),
        Misconception(code="UP-FIRST", wrong=_made(lambda heads: heads[:, :, 0]), sentence=(
            "Of each group its first head is kept and the others are lost. Average them.")),
        Misconception(code="UP-LAST", wrong=_made(lambda heads: heads[:, :, -1]), sentence=(
            "Of each group its last head is kept and the others are lost. Average them.")),
        Misconception(code="UP-CUT", wrong=_first_heads, sentence=(
            "The first G heads are kept and all others are lost. Each group of R neighbours "
            "becomes one head, their mean.")),
        Misconception(code="UP-ALL", wrong=lambda w_k, G, H: _blocks(w_k, 1, H).mean(2).repeat(
            1, G, 1).flatten(1), sentence=(
            "Every group gets the mean of all H heads. Each has the mean of its own R.")),
        Misconception(code="UP-COLUMNS", wrong=_neighbours, sentence=(
            "Columns that stand side by side are averaged. They are the entries of one head; the "
            "same entry of the next head stands D columns further on.")),
        Misconception(code="UP-INSIDE", wrong=_heads_inside, sentence=(
            "The columns are cut as though a head's entries stood H columns apart. Head h owns the "
            "columns from h · D on, side by side.")),
        Misconception(code="UP-ROWS", wrong=_rows, sentence=(
            "The matrix comes back transposed, as torch.nn.Linear keeps one. Rows belong to the "
            "C inputs here, columns to the heads.")),
    ),
    alternatives=(_by_a_matrix, _head_by_head),
)  # fmt: skip
