"""rnn_forward: a state that is carried from step to step."""

from __future__ import annotations

from typing import Any

from grading.exercise import Exercise, Inputs, Output, Probe
from grading.exercises.shared.drawing import normal
from grading.exercises.shared.stepwise import mistake
from grading.late import Tensor, late, torch
from grading.steps import Instead, Pipeline, Step

__all__ = ["RNN_FORWARD"]

library = late("course_lib.recurrence.sequences")


def _sequence(T: int, C: int, N: int, *leading: int) -> Any:
    def draw(generator: torch.Generator) -> Inputs:
        return {
            "x": normal(generator, *leading, T, C),
            "h0": normal(generator, *leading, N),
            "w_x": normal(generator, C, N) / 2,
            "w_h": normal(generator, N, N) / 2,
            "b": normal(generator, N) / 2,
        }

    return draw


def _probe(name: str, T: int, C: int, N: int, *leading: int, **more: Any) -> Probe:
    letters = dict(zip(("B", "H"), leading, strict=False))
    return Probe(
        name=name, draw=_sequence(T, C, N, *leading),
        sizes={**letters, "T": T, "C": C, "N": N}, **more,
    )  # fmt: skip


# -- the steps ------------------------------------------------------------------------------------


def _compose(do: Any) -> Any:
    def forward(x: Tensor, h0: Tensor, w_x: Tensor, w_h: Tensor, b: Tensor) -> Any:
        first = h = do.start(h0)
        rows = []
        for t in range(x.shape[-2]):
            h = do.squash(do.mix(x[..., t, :], h, w_x, w_h, b))
            rows.append(h)
            h = do.carry(first, h)
        return do.give(first, rows)

    return forward


def _given(h0: Tensor) -> Tensor:
    return h0


def _new(first: Tensor, h: Tensor) -> Tensor:
    return h


def _both(x: Tensor, h: Tensor, w_x: Tensor, w_h: Tensor, b: Tensor) -> Tensor:
    return x @ w_x + h @ w_h + b


def _all_rows(first: Tensor, rows: list[Tensor]) -> Tensor:
    return torch.stack(rows, dim=-2)


STEPS = Pipeline(
    steps=(
        Step(name="start", right=_given, wrong={
            "RNN-H0": (lambda h0: torch.zeros_like(h0),)}),
        Step(name="mix", right=_both, wrong={
            "RNN-WT": (lambda x, h, w_x, w_h, b: x @ w_x + h @ w_h.T + b,),
            "RNN-NOB": (lambda x, h, w_x, w_h, b: x @ w_x + h @ w_h,),
            "RNN-NOSTATE": (Instead(
                lambda x, h, w_x, w_h, b: x @ w_x + b, start=_given, carry=_new),),
        }),
        Step(name="squash", right=lambda z: torch.tanh(z), wrong={
            "RNN-TANHTWICE": (lambda z: torch.tanh(torch.tanh(z)),),
            "RNN-NOTANH": (lambda z: z,),
            "RNN-OTHER": (lambda z: torch.sigmoid(z), lambda z: torch.relu(z)),
        }),
        Step(name="carry", right=_new, wrong={
            "RNN-REUSE": (Instead(lambda first, h: first, start=_given),)}),
        Step(name="give", right=_all_rows, wrong={
            "RNN-SHIFT": (lambda first, rows: torch.stack([first, *rows[:-1]], dim=-2),),
            "RNN-WITHH0": (lambda first, rows: torch.stack([first, *rows], dim=-2),),
            "RNN-LAST": (lambda first, rows: rows[-1],),
            "RNN-INPLACE": (lambda first, rows: torch.stack([rows[-1]] * len(rows), dim=-2),),
            "RNN-TIMEFIRST": (lambda first, rows: torch.stack(rows),),
        }),
    ),
    compose=_compose,
)  # fmt: skip


def _by_buffer(x: Tensor, h0: Tensor, w_x: Tensor, w_h: Tensor, b: Tensor) -> Any:
    from_inputs = x @ w_x + b
    states = [h0]
    for now in from_inputs.unbind(-2):
        states.append((now + torch.einsum("...m,mn->...n", states[-1], w_h)).tanh())
    return torch.cat([one.unsqueeze(-2) for one in states[1:]], dim=-2)


def _stacked_weights(x: Tensor, h0: Tensor, w_x: Tensor, w_h: Tensor, b: Tensor) -> Any:
    w, h, rows = torch.cat([w_x, w_h]), h0, []
    for t in range(x.shape[-2]):
        h = torch.tanh(torch.cat([x[..., t, :], h], dim=-1) @ w + b)
        rows += [h]
    return torch.stack(rows, -2)


def _linear(x: Tensor, h0: Tensor, w_x: Tensor, w_h: Tensor, b: Tensor) -> Any:
    linear, h = torch.nn.functional.linear, h0
    rows: tuple[Tensor, ...] = ()
    for t in range(x.size(-2)):
        h = torch.tanh(linear(x.select(-2, t), w_x.T, b) + linear(h, w_h.T))
        rows = (*rows, h)
    return torch.stack(rows, dim=x.dim() - 2)


RNN_FORWARD = Exercise(
    name="rnn_forward", slug="limits-of-rnns", task="forward", title="A state, step by step",
    kind="implement", points=1.25, difficulty=2, importance=3, minutes=25,
    parameters=("x", "h0", "w_x", "w_h", "b"),
    outputs=(Output(name="states", axes="... T N"),),
    axes={"x": "... T C", "h0": "... N", "w_x": "C N", "w_h": "N N", "b": "N"},
    reference=lambda x, h0, w_x, w_h, b: library.rnn_forward(x, h0, w_x, w_h, b),
    equation="eq-rnn", part="course_lib.recurrence.sequences.rnn_forward", steps=STEPS,
    forbidden=("torch.rnn_tanh", "torch.rnn_tanh_cell"),
    next_rung="The loop cannot be turned into one product: step t waits for step t − 1.",
    probes=(
        _probe("a batch of three sequences", 7, 5, 4, 3, gradient=True, single=True, half=True),
        _probe("one sequence alone", 6, 2, 5),
        _probe("a batch of pairs of sequences", 5, 4, 6, 3, 2),
        _probe("one step", 1, 3, 2, 4),
        Probe(name="two steps of one unit", draw=_sequence(2, 1, 1), edge=True),
    ),
    misconceptions=(
        mistake(STEPS, "RNN-H0", (
            "The first step starts from zeros, or from anything else than h0. What was read before "
            "is lost.")),
        mistake(STEPS, "RNN-REUSE", (
            "Every step reads h0. The state of the step before has to take its place, or nothing "
            "is remembered for longer than one step.")),
        mistake(STEPS, "RNN-NOSTATE", (
            "The old state takes no part: each row depends on its own input alone, so the network "
            "remembers nothing.")),
        mistake(STEPS, "RNN-WT", (
            "The matrix of the state is transposed. Rows stand on the left here: h @ w_h. In "
            "papers, and in nn.RNN, it is W h, with the transpose.")),
        mistake(STEPS, "RNN-NOB", "The bias b is missing."),
        mistake(STEPS, "RNN-TANHTWICE", (
            "The tanh is applied twice. Once, to the sum of all three parts.")),
        mistake(STEPS, "RNN-NOTANH", (
            "There is no tanh. Without it the states are sums that can grow without bound, and the "
            "whole sequence is one linear function.")),
        mistake(STEPS, "RNN-OTHER", (
            "The sum is squashed by another function than tanh, such as the sigmoid or ReLU.")),
        mistake(STEPS, "RNN-SHIFT", (
            "All rows stand one place too late: row t holds the state before step t. The first row "
            "has read the first input, and h0 is not among the rows.")),
        mistake(STEPS, "RNN-WITHH0", (
            "There is one row too many: h0 stands before the states. The rows are the states after "
            "each step.")),
        mistake(STEPS, "RNN-LAST", (
            "Only the last state is returned. Each step leaves one row.")),
        mistake(STEPS, "RNN-INPLACE", (
            "All rows are the last state. So it comes out where one tensor is overwritten at each "
            "step and put into the list again and again: the list holds one tensor many times.")),
        mistake(STEPS, "RNN-TIMEFIRST", (
            "The steps stand along the first axis. The leading axes stay in front: the rows lie "
            "along the last axis but one, as in x.")),
    ),
    alternatives=(_by_buffer, _stacked_weights, _linear),
)  # fmt: skip
