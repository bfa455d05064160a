"""head_contribution: what one head alone adds to the layer's output."""

from __future__ import annotations

from typing import Any

from grading.exercise import Exercise, Inputs, Misconception, Output, Probe
from grading.exercises.multi_head_attention.fitting import whole_heads
from grading.exercises.shared.drawing import normal
from grading.late import Tensor, late, torch

__all__ = ["HEAD_CONTRIBUTION"]

library = late("course_lib.attention.contributions")


def _layer(T: int, C: int, heads: tuple[int, int, int, int], *leading: int) -> Any:
    H, D, Dv, h = heads

    def draw(generator: torch.Generator) -> Inputs:
        shapes = {"w_q": (C, H * D), "w_k": (C, H * D), "w_v": (C, H * Dv), "w_o": (H * Dv, C)}
        drawn = {
            name: normal(generator, *shape) / shape[0] ** 0.5 for name, shape in shapes.items()
        }
        b_o = normal(generator, C)
        return {"x": normal(generator, *leading, T, C), **drawn, "b_o": b_o, "H": H, "h": h}

    return draw


def _read(x: Tensor, q: Tensor, k: Tensor, v: Tensor, size: int | None = None) -> Any:
    scale = (size or q.shape[-1]) ** -0.5
    return ((x @ q) @ (x @ k).mT * scale).softmax(-1) @ (x @ v)


def _of_head(matrix: Tensor, H: int, h: int) -> Any:
    return matrix.chunk(H, -1)[h]


def _found(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, H: int, h: int, size: int | None = None
) -> Any:
    q, k, v = (_of_head(w, H, h) for w in (w_q, w_k, w_v))
    return _read(x, q, k, v, size)


def _with_rows(rows: Any, *, bias: Any = None, head: Any = lambda H, h: h) -> Any:
    """Return a contribution that takes other rows of w_o, or does something with the bias."""

    def contribute(
        x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, b_o: Tensor, H: int, h: int
    ) -> Any:
        output = _found(x, w_q, w_k, w_v, H, head(H, h)) @ rows(w_o, H, head(H, h))
        return output if bias is None else output + bias(b_o, H)

    return contribute


def _own_rows(w_o: Tensor, H: int, h: int) -> Any:
    return w_o.chunk(H, 0)[h]


def _scaled(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, b_o: Tensor, H: int, h: int
) -> Any:
    return _found(x, w_q, w_k, w_v, H, h, x.shape[-1]) @ _own_rows(w_o, H, h)


def _unprojected(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, b_o: Tensor, H: int, h: int
) -> Any:
    return _found(x, w_q, w_k, w_v, H, h)


def _interleaved(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, b_o: Tensor, H: int, h: int
) -> Any:
    q, k, v = (w[:, h::H] for w in (w_q, w_k, w_v))
    return _read(x, q, k, v) @ w_o[h::H]


def _sum_of(heads: Any, *, bias: bool) -> Any:
    def contribute(
        x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, b_o: Tensor, H: int, h: int
    ) -> Any:
        total = torch.zeros_like(x)
        for one in heads(H, h):
            total = total + _found(x, w_q, w_k, w_v, H, one) @ _own_rows(w_o, H, one)
        return total + b_o if bias else total

    return contribute


def _others(H: int, h: int) -> Any:
    return [one for one in range(H) if one != h]


def _everyone(H: int, h: int) -> Any:
    return range(H)


def _by_silence(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, b_o: Tensor, H: int, h: int
) -> Any:
    """Silence all other heads by zeros in w_o."""
    size = w_o.shape[0] // H
    kept = torch.zeros_like(w_o)
    kept[h * size : (h + 1) * size] = w_o[h * size : (h + 1) * size]
    found = [_found(x, w_q, w_k, w_v, H, one) for one in range(H)]
    return torch.cat(found, -1) @ kept


def _by_difference(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, b_o: Tensor, H: int, h: int
) -> Any:
    """Subtract the layer without the head from the whole layer."""
    given = (x, w_q, w_k, w_v, w_o, b_o, H, h)
    return _sum_of(_everyone, bias=True)(*given) - _sum_of(_others, bias=True)(*given)


HEAD_CONTRIBUTION = Exercise(
    name="head_contribution", slug="multi-head-attention", task="contribution",
    title="What one head adds", kind="implement", points=0.75, difficulty=2, importance=3,
    minutes=20, parameters=("x", "w_q", "w_k", "w_v", "w_o", "b_o", "H", "h"),
    outputs=(Output(name="contribution", axes="... T C"),),
    axes={"x": "... T C", "w_q": "C K", "w_k": "C K", "w_v": "C V", "w_o": "V C", "b_o": "C"},
    fitted=whole_heads,
    reference=lambda *inputs: library.head_contribution(*inputs), equation="eq-contributions",
    part="course_lib.attention.contributions.head_contribution",
    next_rung="Leave a head's term out of the sum, and you have ablated it.",
    probes=(
        Probe(name="a batch, the second of three heads", draw=_layer(5, 8, (3, 4, 2, 1), 6),
              gradient=True, single=True, half=True,
              sizes={"B": 6, "T": 5, "C": 8, "H": 3, "D": 4, "Dv": 2}),
        Probe(name="one sequence, the last of four heads", draw=_layer(6, 7, (4, 2, 5, 3)),
              sizes={"T": 6, "C": 7, "H": 4, "D": 2, "Dv": 5}),
        Probe(name="two leading axes, the first of two heads",
              draw=_layer(4, 9, (2, 5, 6, 0), 3, 7),
              sizes={"B": 7, "T": 4, "C": 9, "H": 2, "D": 5, "Dv": 6}),
        Probe(name="two positions, the second of two heads", draw=_layer(2, 2, (2, 1, 1, 1)),
              edge=True),
    ),
    misconceptions=(
        Misconception(code="CONTRIB-BIASH", wrong=_with_rows(_own_rows, bias=lambda b, H: b),
                      sentence=(
            "The bias is added to the head's contribution. In the sum over all heads it would "
            "count H times; it belongs to the layer and is added once.")),
        Misconception(code="CONTRIB-BIASPART", wrong=_with_rows(
            _own_rows, bias=lambda b, H: b / H), sentence=(
            "Each head gets its share of the bias. The sum would be right, but the bias belongs to "
            "no head: the contract leaves it out.")),
        Misconception(code="CONTRIB-WOROW", wrong=_with_rows(
            lambda w_o, H, h: w_o[: w_o.shape[0] // H]), also=(
            _with_rows(lambda w_o, H, h: w_o[h::H]),), sentence=(
            "The head's output meets rows of w_o that are not its own. Head h owns the rows from "
            "h · Dv up to (h + 1) · Dv.")),
        Misconception(code="CONTRIB-REST", wrong=_sum_of(_others, bias=False), also=(
            _sum_of(_others, bias=True),), sentence=(
            "This is what the layer gives without the head. What the head itself adds is asked "
            "for.")),
        Misconception(code="CONTRIB-WHOLE", wrong=_sum_of(_everyone, bias=False), also=(
            _sum_of(_everyone, bias=True),), sentence=(
            "This is the sum over all heads: h plays no part.")),
        Misconception(code="CONTRIB-NOWO", wrong=_unprojected, sentence=(
            "w_o is missing: this is what the head found, Dv numbers. What it adds to the layer's "
            "output has C numbers.")),
        Misconception(code="CONTRIB-INTERLEAVE", wrong=_interleaved, sentence=(
            "The head gets every H-th column of the matrices. Head h owns columns side by side, "
            "from h · D up to (h + 1) · D.")),
        Misconception(code="CONTRIB-OFF1", wrong=_with_rows(
            _own_rows, head=lambda H, h: h - 1 if h else H - 1), also=(
            _with_rows(_own_rows, head=lambda H, h: (h + 1) % H),
            _with_rows(_own_rows, head=lambda H, h: 0)), sentence=(
            "Another head's contribution comes back. Heads are counted from 0, and h says which.")),
        Misconception(code="MHA-SCALED", wrong=_scaled, sentence=(
            "The scores are divided by the root of the whole width. A score adds up the D products "
            "of one head, so D's root divides it.")),
    ),
    alternatives=(_by_silence, _by_difference),
)  # fmt: skip
