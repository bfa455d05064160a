"""project_qkv: self- and cross-attention in one."""

from __future__ import annotations

from typing import Any

from grading.exercise import Answer, Exercise, Inputs, LeftOut, Misconception, Output, Probe
from grading.exercises.shared.drawing import normal
from grading.late import Tensor, late, torch

__all__ = ["PROJECT_QKV"]

attention = late("course_lib.attention.dot_product")


def _projections(T: int, S: int, C: int, D: int, Dv: int, *leading: int) -> Any:
    def draw(generator: torch.Generator) -> Inputs:
        x, context = normal(generator, *leading, T, C), normal(generator, *leading, S, C)
        w_q, w_k, w_v = (normal(generator, C, size) for size in (D, D, Dv))
        return {"x": x, "w_q": w_q, "w_k": w_k, "w_v": w_v, "context": context}

    return draw


def _without(context: Any, *sizes: int) -> Any:
    """Return a way to draw where no context is given: left out, or None."""
    return lambda generator: _projections(*sizes)(generator) | {"context": context}


def _square_projections(generator: torch.Generator) -> Inputs:
    x, context = normal(generator, 2, 3), normal(generator, 4, 3)
    w_q, w_k, w_v = (normal(generator, 3, 3) for _ in range(3))
    return {"x": x, "w_q": w_q, "w_k": w_k, "w_v": w_v, "context": context}


def _context_asks(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, context: Any = None) -> Any:
    source = x if context is None else context
    return source @ w_q, source @ w_k, source @ w_v


def _exchanged(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, context: Any = None) -> Any:
    source = x if context is None else context
    return source @ w_q, x @ w_k, x @ w_v


def _ordered(*places: int) -> Answer:
    def project(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, context: Any = None) -> Any:
        three = attention.project_qkv(x, w_q, w_k, w_v, context)
        return tuple(three[place] for place in places)

    return project


def _keys_from_x(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, context: Any = None) -> Any:
    return x @ w_q, x @ w_k, x @ w_v


def _values_from_x(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, context: Any = None) -> Any:
    source = x if context is None else context
    return x @ w_q, source @ w_k, x @ w_v


def _only_keys_from_x(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, context: Any = None) -> Any:
    source = x if context is None else context
    return x @ w_q, x @ w_k, source @ w_v


def _swapped(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, context: Any = None) -> Any:
    source = x if context is None else context
    return x @ w_q, source @ w_v, source @ w_k


def _transposed(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, context: Any = None) -> Any:
    source = x if context is None else context
    return x @ w_q.T, source @ w_k.T, source @ w_v.T


def _shared(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, context: Any = None) -> Any:
    source = x if context is None else context
    return x @ w_q, source @ w_q, source @ w_q


def _shared_keys(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, context: Any = None) -> Any:
    source = x if context is None else context
    return x @ w_q, source @ w_q, source @ w_v


def _shared_values(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, context: Any = None) -> Any:
    source = x if context is None else context
    return x @ w_q, source @ w_k, source @ w_k


def _by_einsum(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, context: Any = None) -> Any:
    source = x if context is None else context
    pairs = ((x, w_q), (source, w_k), (source, w_v))
    return tuple(torch.einsum("...tc,cd->...td", rows, w) for rows, w in pairs)


def _by_linear(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, context: Any = None) -> Any:
    linear = torch.nn.functional.linear
    read = context if context is not None else x
    return [linear(x, w_q.T), linear(read, w_k.T), linear(read, w_v.T)]


PROJECT_QKV = Exercise(
    name="project_qkv", slug="queries-keys-values", task="project",
    title="Queries, keys and values",
    kind="implement", points=0.75, difficulty=1, importance=3, minutes=10,
    parameters=("x", "w_q", "w_k", "w_v", "context"), defaults={"context": None},
    outputs=(Output(name="query", axes="... T D"), Output(name="key", axes="... S D"),
             Output(name="value", axes="... S Dv")),
    axes={"x": "... T C", "w_q": "C D", "w_k": "C D", "w_v": "C Dv", "context": "... S C"},
    reference=lambda *inputs: attention.project_qkv(*inputs), equation="eq-project",
    part="course_lib.attention.dot_product.project_qkv",
    next_rung="The same function now serves self-attention and cross-attention. Next: compare.",
    probes=(
        Probe(name="cross-attention in a batch", draw=_projections(7, 9, 5, 4, 8, 3),
              gradient=True, single=True, half=True,
              sizes={"B": 3, "T": 7, "S": 9, "C": 5, "D": 4, "Dv": 8}),
        Probe(name="self-attention, context left out", draw=_without(LeftOut(), 7, 9, 5, 4, 8, 3),
              sizes={"B": 3, "T": 7, "C": 5, "D": 4, "Dv": 8}),
        Probe(name="self-attention of one sequence, context=None",
              draw=_without(None, 6, 2, 4, 3, 5), sizes={"T": 6, "C": 4, "D": 3, "Dv": 5}),
        Probe(name="cross-attention, a batch with heads", draw=_projections(6, 4, 7, 5, 1, 2, 3),
              sizes={"B": 2, "H": 3, "T": 6, "S": 4, "C": 7, "D": 5, "Dv": 1}),
        Probe(name="one sequence, square matrices", draw=_square_projections, edge=True),
    ),
    misconceptions=(
        Misconception(code="QKV-CTXQ", wrong=_context_asks, also=(_exchanged,), sentence=(
            "The queries come from the context. The sequence that asks is x; the context is "
            "what gets read.")),
        Misconception(code="QKV-ORDER", wrong=_ordered(1, 0, 2), also=(
            _ordered(1, 2, 0), _ordered(2, 0, 1), _ordered(2, 1, 0)), sentence=(
            "The three are right and are returned in another order. The contract asks for query, "
            "key, value.")),
        Misconception(code="QKV-KX", wrong=_keys_from_x,
                      also=(_values_from_x, _only_keys_from_x),
                      sentence=(
            "Keys or values come from x although a context is given. In cross-attention both "
            "belong to the sequence that is read.")),
        Misconception(code="QKV-SWAPKV", wrong=_swapped, sentence=(
            "Keys and values are exchanged: what is returned as the key was made with w_v.")),
        Misconception(code="QKV-WT", wrong=_transposed, sentence=(
            "The matrices are transposed. Vectors are rows here, so the projection is x @ w with "
            "w of shape (C, D); nn.Linear stores the transpose.")),
        Misconception(code="QKV-SHARED", wrong=_shared, also=(_shared_keys, _shared_values),
                      sentence=(
            "One matrix projects more than one of the three. What a token looks for, how it is "
            "found and what it hands over are three different things.")),
    ),
    alternatives=(_by_einsum, _by_linear),
)  # fmt: skip
