"""count_gpt3: what the notes' twelve layers would hold."""

from __future__ import annotations

from typing import Any

from grading.exercise import Exercise, Misconception, Output, Probe
from grading.exercises.multi_head_attention.counting import EXACT
from grading.late import late

__all__ = ["COUNT_GPT3", "counted"]

library = late("course_lib.counts.gpt3")

C, V, POSITIONS = 12288, 50257, 2048


def counted(
    *, attention: int = 4 * C * C + 4 * C, inner: int = 8 * C * C + 5 * C, norms: int = 4 * C,
    tables: int = (V + POSITIONS) * C, last: int = 2 * C, deep: Any = lambda layers: layers,
) -> Any:  # fmt: skip
    """Return a count in which some part has another size."""

    def count(layers: int) -> int:
        return int(deep(layers) * (attention + inner + norms) + tables + last)

    return count


def _by_tensors(layers: int) -> int:
    block = [(C, C)] * 4 + [(C,)] * 4 + [(C, 4 * C), (4 * C,), (4 * C, C), (C,)] + [(C,)] * 4
    shapes = [(V, C), (POSITIONS, C), (C,), (C,)] + block * layers
    total = 0
    for shape in shapes:
        total += shape[0] * (shape[1] if len(shape) == 2 else 1)
    return total


def _layers(number: int) -> Probe:
    name = f"{number} layer{'s' if number > 1 else ''}"
    return Probe(name=name, draw=lambda generator: {"layers": number}, edge=True)


COUNT_GPT3 = Exercise(
    name="count_gpt3", slug="multi-head-attention", task="gpt3", title="Count the whole model",
    kind="implement", points=0.75, difficulty=2, importance=3, minutes=20,
    parameters=("layers",), outputs=(Output(name="count", kind="int"),),
    tolerance=EXACT, alike=EXACT,
    reference=lambda layers: library.count_gpt3(layers), equation="eq-gpt3-layer",
    part="course_lib.counts.gpt3.count_gpt3",
    next_rung="How wide would twelve layers have to be, to hold as much as these 96?",
    probes=(_layers(12), _layers(96), _layers(1), _layers(5)),
    misconceptions=(
        Misconception(code="GPT3-LAYERS", wrong=counted(deep=lambda layers: 96), also=(
            counted(deep=lambda layers: 12), counted(deep=lambda layers: 1)), sentence=(
            "The number of layers is not used: every model gets the same count.")),
        Misconception(code="GPT3-EMB", wrong=counted(tables=(2 * V + POSITIONS) * C), also=(
            counted(tables=POSITIONS * C),), sentence=(
            "The table of tokens is counted twice, or not at all. It is there once: the logits "
            "are computed with the same table.")),
        Misconception(code="GPT3-PEROHEAD", wrong=counted(attention=4 * C * 128 + 4 * C), also=(
            counted(attention=3 * C * 128 + C * C + 4 * C),
            counted(attention=4 * C * 128 + 3 * 128 + C)), sentence=(
            "The matrices of one head are counted. A layer has 96 heads, each with matrices of "
            "its own.")),
        Misconception(code="GPT3-MATRICES", wrong=counted(
            attention=4 * C * C, inner=8 * C * C, norms=0, tables=2 * V * C, last=0), also=(
            counted(attention=4 * C * C, inner=8 * C * C, norms=0, tables=V * C, last=0),
            counted(attention=4 * C * C, inner=8 * C * C, norms=0, last=0)),
            sentence=(
            "Only matrices are counted: biases and norms are missing. Each of the two tables "
            "counts once. For 96 layers that gives near 175 billion too, and is another number.")),
        Misconception(code="GPT3-NOBIAS", wrong=counted(
            attention=4 * C * C, inner=8 * C * C), also=(
            counted(inner=8 * C * C),), sentence=(
            "Biases are missing. All four projections of the attention and both matrices of the "
            "feed-forward network have one.")),
        Misconception(code="GPT3-FOURC", wrong=counted(norms=0), sentence=(
            "In each layer 4C numbers are missing. So many are the gains and shifts of its two "
            "norms, so many the biases of the attention's four projections, and so many the bias "
            "inside the feed-forward network.")),
        Misconception(code="GPT3-BIASF", wrong=counted(inner=8 * C * C + 2 * C), also=(
            counted(inner=8 * C * C + 8 * C), counted(inner=8 * C * C + 4 * C)), sentence=(
            "The biases of the feed-forward network have other sizes. The one inside has 4C "
            "numbers, the one behind it C.")),
        Misconception(code="GPT3-NORM", wrong=counted(norms=0, last=0), also=(
            counted(norms=2 * C), counted(norms=2 * C, last=C)),
            sentence=(
            "The norms are missing or half counted. Each layer has two, and each "
            "norm a gain and a shift of C numbers.")),
        Misconception(code="GPT3-NOFINAL", wrong=counted(last=0), also=(counted(last=C),),
                      sentence=(
            "The norm behind the last layer is missing or half counted: C gains and C shifts.")),
        Misconception(code="GPT3-NOPOS", wrong=counted(tables=V * C), sentence=(
            "The table of positions is missing: 2048 rows of C numbers, learnt like the tokens'.")),
        Misconception(code="GPT3-NOFFN", wrong=counted(inner=0), also=(
            counted(inner=4 * C * C + 4 * C), counted(inner=4 * C * C + 5 * C),
            counted(inner=12 * C * C + 9 * C)), sentence=(
            "The feed-forward network is counted wrongly or not at all. It has two matrices, from "
            "C to 4C and back, which is twice as much as the attention.")),
    ),
    alternatives=(counted(), _by_tensors),
)  # fmt: skip
