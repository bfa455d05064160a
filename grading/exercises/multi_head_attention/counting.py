"""mha_param_count and mha_flops: how large a layer is, and what it costs."""

from __future__ import annotations

from typing import Any

from grading.exercise import Exercise, Misconception, Output, Probe, Tolerance
from grading.late import late

__all__ = ["EXACT", "MHA_FLOPS", "MHA_PARAM_COUNT"]

library = late("course_lib.attention.heads")

#: A count is right to the last digit.
EXACT = Tolerance(rtol=0.0, atol=0.25)


def _sizes(**sizes: Any) -> Any:
    return lambda generator: dict(sizes)


def _one(name: str, **sizes: Any) -> Probe:
    letters = {letter: size for letter, size in sizes.items() if letter != "bias"}
    return Probe(name=name, draw=_sizes(**sizes), sizes=letters)


def _by_head(C: int, H: int, D: int, bias: bool) -> int:
    matrices = sum(3 * C * D + D * C for _ in range(H))
    biases = sum(3 * D for _ in range(H)) + C
    return matrices + bias * biases


def _by_rows(C: int, H: int, D: int, bias: bool) -> int:
    inside = H * D
    return 3 * (C + bool(bias)) * inside + (inside + bool(bias)) * C


MHA_PARAM_COUNT = Exercise(
    name="mha_param_count", slug="multi-head-attention", task="parameters",
    title="How many parameters?", kind="implement", points=0.5, difficulty=1, importance=2,
    minutes=10, parameters=("C", "H", "D", "bias"),
    outputs=(Output(name="count", kind="int"),), tolerance=EXACT, alike=EXACT,
    reference=lambda C, H, D, bias: library.mha_param_count(C, H, D, bias),
    equation="eq-mha-parameters", part="course_lib.attention.heads.mha_param_count",
    next_rung="At H · D = C the count is 4C², whatever the number of heads.",
    probes=(
        _one("a width of 2880, 64 heads of 65 numbers", C=2880, H=64, D=65, bias=True),
        _one("a small layer with biases", C=10, H=3, D=4, bias=True),
        _one("a small layer without biases", C=7, H=2, D=5, bias=False),
        Probe(name="a layer of 12,288 with 96 heads of 128", edge=True,
              draw=_sizes(C=12288, H=96, D=128, bias=True)),
        Probe(name="one head of one number", draw=_sizes(C=1, H=1, D=1, bias=False), edge=True),
    ),
    misconceptions=(
        Misconception(code="CNT-DHEAD", wrong=lambda C, H, D, bias: 4 * C * C + bias * 4 * C,
                      sentence=(
            "H · D is taken for C. In many models it is, and in gpt-oss it is not: 64 heads of 64 "
            "make 4096, and C is 2880.")),
        Misconception(code="CNT-TIMESH", wrong=lambda C, H, D, bias: 4 * C * H * D * H
                      + bias * (3 * H * D + C), also=(
            lambda C, H, D, bias: H * (4 * C * H * D + bias * (3 * H * D + C)),
            lambda C, H, D, bias: 3 * C * C * H + H * C * C + bias * (3 * C * H + C)), sentence=(
            "The heads are counted twice over: each gets matrices as wide as those of all heads "
            "together. The H heads share out H · D columns.")),
        Misconception(code="CNT-ONEHEAD", wrong=lambda C, H, D, bias: 4 * C * D
                      + bias * (3 * D + C), sentence=(
            "One head alone is counted. There are H of them, each with matrices of its own.")),
        Misconception(code="CNT-NOWO", wrong=lambda C, H, D, bias: 3 * C * H * D
                      + bias * 3 * H * D, sentence=(
            "Only queries, keys and values are counted. w_o, which joins the heads, is a fourth "
            "matrix.")),
        Misconception(code="CNT-NOBIAS", wrong=lambda C, H, D, bias: 4 * C * H * D, sentence=(
            "The biases are not counted where there are some.")),
        Misconception(code="CNT-BIASO", wrong=lambda C, H, D, bias: 4 * C * H * D
                      + bias * 4 * H * D, also=(
            lambda C, H, D, bias: 4 * C * H * D + bias * 3 * H * D,
            lambda C, H, D, bias: 4 * C * H * D + bias * 4 * C), sentence=(
            "The biases are counted with wrong sizes. A bias has one number for each column of its "
            "matrix: H · D for queries, keys and values, C behind w_o.")),
        Misconception(code="CNT-ALWAYSBIAS", wrong=lambda C, H, D, bias: 4 * C * H * D
                      + 3 * H * D + C, sentence=(
            "The biases are counted even where there are none.")),
    ),
    alternatives=(_by_head, _by_rows),
)  # fmt: skip


def _flops(
    *, own: int = 4, keys: int = 4, pairs: int = 4, width: Any = lambda C, H, D: H * D,
    reads: Any = lambda T, S: T * S, wide: Any = lambda C, H, D: H * D,
) -> Any:  # fmt: skip
    """Return a count: so many FLOPs for each row of x and of the context, and for each pair."""

    def count(B: int, T: int, S: int, C: int, H: int, D: int) -> int:
        rows = own * T + keys * S
        return int(B * (rows * C * width(C, H, D) + pairs * reads(T, S) * wide(C, H, D)))

    return count


def _by_products(B: int, T: int, S: int, C: int, H: int, D: int) -> int:
    def product(rows: int, inner: int, columns: int) -> int:
        return 2 * rows * inner * columns

    inside = H * D
    once = product(T, C, inside) + 2 * product(S, C, inside) + product(T, inside, C)
    return B * (once + H * (product(T, D, S) + product(T, S, D)))


def _without_batch(B: int, T: int, S: int, C: int, H: int, D: int) -> int:
    return 4 * (T + S) * C * H * D + 4 * H * T * S * D


MHA_FLOPS = Exercise(
    name="mha_flops", slug="multi-head-attention", task="flops", title="How many operations?",
    kind="implement", points=0.5, difficulty=2, importance=2, minutes=15,
    parameters=("B", "T", "S", "C", "H", "D"), outputs=(Output(name="FLOPs", kind="int"),),
    tolerance=EXACT, alike=EXACT,
    reference=lambda B, T, S, C, H, D: library.mha_flops(B, T, S, C, H, D),
    equation="eq-mha-flops", part="course_lib.attention.heads.mha_flops",
    next_rung="Find the length at which reading costs as much as projecting: T = S = 2C.",
    probes=(
        _one("2 texts of 3 words read 5", B=2, T=3, S=5, C=11, H=4, D=7),
        _one("3 texts of 8 words read 2", B=3, T=8, S=2, C=9, H=5, D=4),
        Probe(name="one text of 2048 words, 96 heads of 128",
              draw=_sizes(B=1, T=2048, S=2048, C=12288, H=96, D=128), edge=True),
        Probe(name="one word, one head, one number",
              draw=_sizes(B=1, T=1, S=1, C=1, H=1, D=1), edge=True),
    ),
    misconceptions=(
        Misconception(code="CNT-MAC", wrong=_flops(own=2, keys=2, pairs=2), sentence=(
            "A multiplication and the addition behind it count as one. They are two operations.")),
        Misconception(code="CNT-NOQK", wrong=_flops(pairs=2), also=(_flops(pairs=0),), sentence=(
            "Half of what reading costs is missing, or all of it. Scores and the means of the "
            "values take 2 · T · S · D each for every head; a mask would save neither.")),
        Misconception(code="CNT-NOPROJECT", wrong=_flops(own=0, keys=0), sentence=(
            "The four projections are not counted.")),
        Misconception(code="CNT-NOWO", wrong=_flops(own=2), sentence=(
            "Three projections are counted. The fourth, by w_o, joins the heads for each of the T "
            "positions.")),
        Misconception(code="CNT-KVT", wrong=_flops(own=8, keys=0), also=(
            _flops(own=0, keys=8), _flops(own=6, keys=2), _flops(own=2, keys=6)), sentence=(
            "The projections are counted for the wrong rows. Queries and the output have T rows, "
            "keys and values S.")),
        Misconception(code="CNT-TT", wrong=_flops(reads=lambda T, S: T * T), also=(
            _flops(reads=lambda T, S: S * S),), sentence=(
            "The pairs are counted as in self-attention. Each of T positions reads S.")),
        Misconception(code="CNT-DHEAD", wrong=_flops(
            width=lambda C, H, D: C, wide=lambda C, H, D: C), also=(
            _flops(width=lambda C, H, D: C),), sentence=(
            "H · D is taken for C. It need not be: in gpt-oss H · D is 4096 and C is 2880.")),
        Misconception(code="CNT-TIMESH", wrong=_flops(wide=lambda C, H, D: H * C), also=(
            _flops(wide=lambda C, H, D: H * H * D),
            _flops(width=lambda C, H, D: H * H * D, wide=lambda C, H, D: H * H * D)), sentence=(
            "A head is counted as wide as all heads together. It works with D numbers, and the H "
            "heads with H · D.")),
        Misconception(code="CNT-ONEHEAD", wrong=_flops(wide=lambda C, H, D: D), also=(
            _flops(width=lambda C, H, D: D, wide=lambda C, H, D: D),), sentence=(
            "One head's scores are counted. Every one of the H heads compares all pairs.")),
        Misconception(code="CNT-CAUSAL", wrong=_flops(
            reads=lambda T, S: T * (S + 1) / 2), sentence=(
            "Only half of the pairs are counted. There is no mask here, and a mask would not save "
            "the products: all scores are computed.")),
        Misconception(code="CNT-NOBATCH", wrong=_without_batch, sentence=(
            "One example is counted. There are B of them.")),
    ),
    alternatives=(_by_products, _flops()),
)  # fmt: skip
