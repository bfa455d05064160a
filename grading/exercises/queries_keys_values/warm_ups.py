"""Two short tasks from the chapters before: weights at a temperature, and one recurrent step."""

from __future__ import annotations

from typing import Any

from grading.exercise import Exercise, Inputs, Misconception, Output, Probe
from grading.exercises.shared.drawing import normal
from grading.late import Tensor, torch

__all__ = ["LOOKUP_WEIGHTS", "RECURRENT_STEP"]


def _scores(temperature: float, *shape: int) -> Any:
    return lambda generator: {"scores": normal(generator, *shape), "temperature": temperature}


def _by_exponentials(scores: Tensor, temperature: float) -> Tensor:
    top = scores.amax(-1, keepdim=True)
    powers = ((scores - top) / temperature).exp()
    return powers / powers.sum(-1, keepdim=True)


LOOKUP_WEIGHTS = Exercise(
    name="lookup_weights", slug="queries-keys-values", task="warm-up-weights",
    title="Warm-up: a soft lookup's weights", kind="warm-up", points=0.25, difficulty=1,
    importance=2, minutes=5, parameters=("scores", "temperature"),
    outputs=(Output(name="weights", axes="... T S"),), axes={"scores": "... T S"},
    reference=lambda scores, temperature: (scores / temperature).softmax(-1),
    equation="eq-weights",
    next_rung="Attention's temperature is √D; the next chapter says why.",
    probes=(
        Probe(name="a batch, temperature 2", draw=_scores(2.0, 3, 4, 5), gradient=True,
              single=True, half=True, sizes={"B": 3, "T": 4, "S": 5}),
        Probe(name="a batch with heads, temperature 0.5", draw=_scores(0.5, 2, 3, 5, 4),
              sizes={"B": 2, "H": 3, "T": 5, "S": 4}),
        Probe(name="one sequence, temperature 3", draw=_scores(3.0, 3, 6),
              sizes={"T": 3, "S": 6}),
        Probe(name="two scores, temperature 1", draw=_scores(1.0, 1, 2), edge=True),
    ),
    misconceptions=(
        Misconception(code="LOOKUP-TIMES", wrong=lambda scores, temperature: (
            scores * temperature).softmax(-1), sentence=(
            "The scores are multiplied by the temperature. A high one makes the weights more "
            "equal: divide.")),
        Misconception(code="LOOKUP-NONE", wrong=lambda scores, temperature: scores.softmax(-1),
                      sentence="The temperature is not used."),
        Misconception(code="LOOKUP-AXIS", wrong=lambda scores, temperature: (
            scores / temperature).softmax(-2), sentence=(
            "The softmax runs over the queries. Each row sums to 1.")),
        Misconception(code="LOOKUP-SIGN", wrong=lambda scores, temperature: (
            -scores / temperature).softmax(-1), sentence=(
            "The lowest score gets the largest weight. A higher score is a better match.")),
        Misconception(code="LOOKUP-BEHIND", wrong=lambda scores, temperature: scores.softmax(-1)
                      / temperature, sentence=(
            "The weights are divided by the temperature, so they no longer sum to 1. The scores "
            "are.")),
    ),
    alternatives=(
        _by_exponentials,
        lambda scores, temperature: scores.mul(1 / temperature).log_softmax(-1).exp(),
    ),
)  # fmt: skip


def _state(C: int, N: int, *leading: int) -> Any:
    def draw(generator: torch.Generator) -> Inputs:
        shapes = {"x": (*leading, C), "h": (*leading, N), "w_x": (C, N), "w_h": (N, N)}
        return {name: normal(generator, *shape) for name, shape in shapes.items()}

    return draw


def _step(x: Tensor, h: Tensor, w_x: Tensor, w_h: Tensor) -> Tensor:
    return (x @ w_x + h @ w_h).tanh()


RECURRENT_STEP = Exercise(
    name="recurrent_step", slug="queries-keys-values", task="warm-up-step",
    title="Warm-up: a recurrent step", kind="warm-up", points=0.25, difficulty=1, importance=1,
    minutes=5, parameters=("x", "h", "w_x", "w_h"), outputs=(Output(name="state", axes="... N"),),
    axes={"x": "... C", "h": "... N", "w_x": "C N", "w_h": "N N"}, reference=_step,
    equation="eq-project",
    next_rung="One state has to carry all that came before. Attention keeps every row instead.",
    probes=(
        Probe(name="a batch", draw=_state(4, 3, 5), gradient=True, single=True, half=True,
              sizes={"B": 5, "C": 4, "N": 3}),
        Probe(name="one sequence", draw=_state(2, 5), sizes={"C": 2, "N": 5}),
        Probe(name="a batch with another axis", draw=_state(3, 4, 2, 5),
              sizes={"B": 2, "H": 5, "C": 3, "N": 4}),
        Probe(name="one number in, one number held", draw=_state(1, 1), edge=True),
    ),
    misconceptions=(
        Misconception(code="STEP-NOTANH", wrong=lambda x, h, w_x, w_h: x @ w_x + h @ w_h, sentence=(
            "The tanh is missing: the state may grow without a bound.")),
        Misconception(code="STEP-NOSTATE", wrong=lambda x, h, w_x, w_h: (x @ w_x).tanh(), sentence=(
            "The state before is not used, so nothing is remembered.")),
        Misconception(code="STEP-TURNED", wrong=lambda x, h, w_x, w_h: (x @ w_x + h @ w_h.mT)
                      .tanh(), sentence=(
            "w_h is transposed. Vectors are rows here: h @ w_h.")),
        Misconception(code="STEP-TWICE", wrong=lambda x, h, w_x, w_h: (x @ w_x).tanh()
                      + (h @ w_h).tanh(), sentence=(
            "The tanh is taken of each part by itself. It comes after the sum.")),
    ),
    alternatives=(
        lambda x, h, w_x, w_h: torch.tanh(torch.cat([x, h], -1) @ torch.cat([w_x, w_h])),
        lambda x, h, w_x, w_h: (torch.einsum("...c,cn->...n", x, w_x)
                                + torch.einsum("...m,mn->...n", h, w_h)).tanh(),
    ),
)  # fmt: skip
