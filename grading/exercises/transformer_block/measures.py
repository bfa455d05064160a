"""embedding_left: how much of a token's embedding a stream still shows behind its writes."""

from __future__ import annotations

import math
from typing import Any

from grading.exercise import Exercise, Inputs, Misconception, Output, Probe, Seen, Tolerance
from grading.exercises.shared.measuring import far, undrawn
from grading.late import Tensor, torch

__all__ = ["EMBEDDING_LEFT", "LEFT"]

# Mean and spread of the cosine by (kind, writes, C), over 400,000 draws; the tests measure again.
LEFT = {
    ("post", 2, 120): (0.4992, 0.0628), ("pre", 2, 120): (0.5758, 0.0613),
    ("post", 5, 200): (0.1765, 0.0661), ("pre", 3, 24): (0.4925, 0.1572),
}  # fmt: skip
#: So many draws, but few for the last key.
DRAWS, FEW = 1000, 30


def _probe(kind: str, writes: int, C: int) -> Probe:
    n = FEW if list(LEFT)[-1] == (kind, writes, C) else DRAWS

    def draw(generator: torch.Generator) -> Inputs:
        return {"kind": kind, "writes": writes, "C": C, "n": n, "generator": generator}

    name = f'kind = "{kind}", {writes} writes, C = {C}, {n} draws'
    return Probe(name=name, draw=draw, sizes={"L": writes, "C": C, "n": n})


def _key(inputs: Inputs) -> tuple[str, int, int]:
    return inputs["kind"], inputs["writes"], inputs["C"]


def _noise(inputs: Inputs) -> float:
    return LEFT[_key(inputs)][1] / math.sqrt(inputs["n"])


def _judge(one: Seen) -> str | None:
    kind, writes, C = _key(one.inputs)
    if not far(one.outputs[0], LEFT[kind, writes, C][0], _noise(one.inputs) + 3e-4):
        return None
    return (
        f'With kind = "{kind}", {writes} writes and C = {C} you measure '
        f"{float(one.outputs[0]):.4g}. The mean cosine is another number there, by more than the "
        "noise of the draws."
    )


def _rms(x: Tensor) -> Tensor:
    return x / x.square().mean(-1, keepdim=True).sqrt()


def _cosine(first: Tensor, last: Tensor) -> Tensor:
    return torch.nn.functional.cosine_similarity(first, last, dim=-1)


def _add(kind: str, stream: Tensor, write: Tensor) -> Tensor:
    return _rms(stream + write) if kind == "post" else stream + write


def _measure(
    add: Any = _add, said: Any = lambda first, last: _cosine(first, last).mean(), *,
    count: Any = lambda writes: writes, draws: Any = lambda n: n, one_write: bool = False,
) -> Any:  # fmt: skip
    def measure(kind: str, writes: int, C: int, n: int, generator: torch.Generator) -> float:
        first = torch.randn(draws(n), C, generator=generator, dtype=torch.float64)
        stream, write = first, None
        for _ in range(count(writes)):
            if write is None or not one_write:
                write = torch.randn(first.shape, generator=generator, dtype=torch.float64)
            stream = add(kind, stream, write)
        return float(said(first, stream))

    return measure


def _at_once(kind: str, writes: int, C: int, n: int, generator: torch.Generator) -> float:
    """Draw all writes at once; in float32."""
    drawn = torch.randn(writes + 1, n, C, generator=generator)
    if kind == "pre":
        last = drawn.sum(0)
    else:
        last = drawn[0]
        for write in drawn[1:]:
            last = torch.nn.functional.rms_norm(last + write, (C,))
    return float((torch.nn.functional.normalize(drawn[0], dim=-1)
                  * torch.nn.functional.normalize(last, dim=-1)).sum(-1).mean())  # fmt: skip


def _one_by_one(kind: str, writes: int, C: int, n: int, generator: torch.Generator) -> float:
    total = 0.0
    for _ in range(n):
        first = torch.randn(C, generator=generator).double()
        stream = first
        for write in torch.randn(writes, C, generator=generator).double():
            stream = stream + write
            if kind == "post":
                stream = stream * C**0.5 / stream.norm()
        total += float(first @ stream / (first.norm() * stream.norm()))
    return total / n


def _table(kind: str, writes: int, C: int, n: int, generator: torch.Generator) -> float:
    return 2 ** (-writes / 2) if kind == "post" else 1 / math.sqrt(1 + writes)


def _own_seed(kind: str, writes: int, C: int, n: int, generator: torch.Generator) -> Any:
    return _measure()(kind, writes, C, n, torch.Generator().manual_seed(0))


def _global(kind: str, writes: int, C: int, n: int, generator: torch.Generator) -> Any:
    seed = int(torch.randint(2**31, (1,)))
    return _measure()(kind, writes, C, n, torch.Generator().manual_seed(seed))


EMBEDDING_LEFT = Exercise(
    name="embedding_left", slug="transformer-block", task="left",
    title="What is left of the embedding", kind="measure", points=0.5, difficulty=2, importance=3,
    minutes=15, parameters=("kind", "writes", "C", "n", "generator"),
    outputs=(Output(name="cosine", kind="number"),), reference=_measure(), equation="eq-places",
    judge=_judge, noise=_noise, alike=Tolerance(rtol=0.06, atol=1e-6),
    next_rung="In a post-norm stream what was written long ago fades; in a pre-norm one it stays.",
    probes=tuple(_probe(*key) for key in LEFT),
    misconceptions=(
        Misconception(code="LEFT-PRE", wrong=_measure(lambda kind, stream, write: stream + write),
                      sentence=(
            "Nothing is normalised between two writes: with kind = \"post\" you find what \"pre\" "
            "gives. There every sum is divided by its root mean square, before the next write.")),
        Misconception(code="LEFT-POST", wrong=_measure(
            lambda kind, stream, write: _rms(stream + write)), sentence=(
            "Every sum is normalised: with kind = \"pre\" you find what \"post\" gives. There the "
            "stream itself is only added to.")),
        Misconception(code="LEFT-EXCHANGED", wrong=_measure(
            lambda kind, stream, write: _add("pre" if kind == "post" else "post", stream, write)),
            sentence="The two kinds are exchanged: post-norm normalises the stream, pre-norm not."),
        Misconception(code="LEFT-ONEWRITE", wrong=_measure(one_write=True), sentence=(
            "One write is drawn and added again and again. Each write is drawn anew.")),
        Misconception(code="LEFT-COUNT", wrong=_measure(count=lambda writes: writes - 1), also=(
            _measure(count=lambda writes: writes + 1),),
            sentence="The stream gets another number of writes than the argument says."),
        Misconception(code="LEFT-DOT", wrong=_measure(
            said=lambda first, last: (first * last).mean()), also=(
            _measure(said=lambda first, last: (first * last).sum(-1).mean()),), sentence=(
            "The products are not divided by both lengths. A cosine does not change with the "
            "length of the stream.")),
        Misconception(code="LEFT-SQUARED", wrong=_measure(
            said=lambda first, last: _cosine(first, last).square().mean()), sentence=(
            "The cosines are squared before they are averaged.")),
        *undrawn("LEFT", (_table, _own_seed), (_global,), (_measure(draws=lambda n: 10 * n),)),
    ),
    alternatives=(_at_once, _one_by_one),
)  # fmt: skip
