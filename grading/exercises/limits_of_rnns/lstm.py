"""lstm_step: four gates around a cell."""

from __future__ import annotations

from typing import Any

from grading.exercise import Exercise, Inputs, Output, Probe
from grading.exercises.shared.drawing import normal
from grading.exercises.shared.stepwise import mistake
from grading.late import Tensor, late, torch
from grading.steps import Pipeline, Step

__all__ = ["LSTM_STEP"]

library = late("course_lib.recurrence.cells")


def _cell(C: int, N: int, *leading: int) -> Any:
    def draw(generator: torch.Generator) -> Inputs:
        return {
            "x": normal(generator, *leading, C),
            "h": normal(generator, *leading, N).tanh(),
            "c": normal(generator, *leading, N),
            "w": normal(generator, C + N, 4 * N),
            "b": normal(generator, 4 * N),
        }

    return draw


def _probe(name: str, C: int, N: int, *leading: int, **more: Any) -> Probe:
    letters = dict(zip(("B", "H"), leading, strict=False))
    return Probe(
        name=name, draw=_cell(C, N, *leading), sizes={**letters, "C": C, "N": N}, **more
    )  # fmt: skip


def _fitted(inputs: Inputs) -> Inputs:
    """Cut the weights to the rows and columns of the numbers that are left of x and h."""
    C, N = inputs["x"].shape[-1], inputs["h"].shape[-1]
    w, b = inputs["w"], inputs["b"]
    units = b.shape[-1] // 4
    first_of_h = w.shape[0] - units
    rows = [*range(C), *range(first_of_h, first_of_h + N)]
    columns = [gate * units + unit for gate in range(4) for unit in range(N)]
    return inputs | {
        "w": w.holding(w.numbers[rows][:, columns]),
        "b": b.holding(b.numbers[columns]),
    }


# -- the steps ------------------------------------------------------------------------------------


def _compose(do: Any) -> Any:
    def step(x: Tensor, h: Tensor, c: Tensor, w: Tensor, b: Tensor) -> Any:
        i, f, g, o = do.split(do.affine(do.join(x, h), w, b))
        new = do.keep(torch.sigmoid(f), torch.sigmoid(i), c) + torch.sigmoid(i) * do.propose(g)
        return do.give(do.open(o) * do.show(new), new)

    return step


def _four(gates: Tensor) -> Any:
    return gates.chunk(4, dim=-1)


def _ordered(*places: int) -> Any:
    """Return the blocks of columns in another order: where i, f, g and o are looked for."""

    def split(gates: Tensor) -> Any:
        blocks = gates.chunk(4, dim=-1)
        return tuple(blocks[place] for place in places)

    return split


STEPS = Pipeline(
    steps=(
        Step(name="join", right=lambda x, h: torch.cat([x, h], dim=-1), wrong={
            "LSTM-ROWS": (lambda x, h: torch.cat([h, x], dim=-1),)}),
        Step(name="affine", right=lambda both, w, b: both @ w + b, wrong={
            "LSTM-NOB": (lambda both, w, b: both @ w,)}),
        Step(name="split", right=_four, wrong={
            "LSTM-ORDER": (
                _ordered(0, 1, 3, 2), _ordered(1, 0, 2, 3), _ordered(0, 2, 3, 1),
                _ordered(0, 2, 1, 3), _ordered(1, 0, 3, 2),
            )}),
        Step(name="keep", right=lambda f, i, c: f * c, wrong={
            "LSTM-CFORGET": (lambda f, i, c: torch.zeros_like(c),),
            "LSTM-NOFORGET": (lambda f, i, c: c,),
            "LSTM-FLIPPED": (lambda f, i, c: (1 - f) * c,),
            "LSTM-COUPLED": (lambda f, i, c: (1 - i) * c,),
        }),
        Step(name="propose", right=lambda g: torch.tanh(g), wrong={
            "LSTM-SIGMOIDG": (lambda g: torch.sigmoid(g),)}),
        Step(name="open", right=lambda o: torch.sigmoid(o), wrong={
            "LSTM-TANHO": (lambda o: torch.tanh(o),)}),
        Step(name="show", right=lambda c: torch.tanh(c), wrong={
            "LSTM-NOTANHC": (lambda c: c,)}),
        Step(name="give", right=lambda h, c: (h, c), wrong={
            "LSTM-HC": (lambda h, c: (c, h), lambda h, c: (c, c), lambda h, c: (h, h))}),
    ),
    compose=_compose,
)  # fmt: skip


def _sliced(x: Tensor, h: Tensor, c: Tensor, w: Tensor, b: Tensor) -> Any:
    C, N = x.shape[-1], h.shape[-1]
    gates = x @ w[:C] + h @ w[C:] + b
    i, f, o = (torch.sigmoid(gates[..., k * N : (k + 1) * N]) for k in (0, 1, 3))
    c = f.mul(c) + i.mul(gates[..., 2 * N : 3 * N].tanh())
    return [o.mul(c.tanh()), c]


def _by_blocks(x: Tensor, h: Tensor, c: Tensor, w: Tensor, b: Tensor) -> Any:
    gates = torch.cat((x, h), -1) @ w + b
    i, f, g, o = gates.reshape(*c.shape[:-1], 4, -1).unbind(-2)
    kept = c / (1 + (-f).exp()) + g.tanh() / (1 + (-i).exp())
    return kept.tanh() / (1 + (-o).exp()), kept


LSTM_STEP = Exercise(
    name="lstm_step", slug="limits-of-rnns", task="lstm", title="A cell with gates",
    kind="implement", points=1.25, difficulty=2, importance=2, minutes=25,
    parameters=("x", "h", "c", "w", "b"),
    outputs=(Output(name="state", axes="... N", made_from="cell"),
             Output(name="cell", axes="... N")),
    axes={"x": "... C", "h": "... N", "c": "... N"}, fitted=_fitted,
    reference=lambda x, h, c, w, b: library.lstm_step(x, h, c, w, b),
    equation="eq-lstm", part="course_lib.recurrence.cells.lstm_step", steps=STEPS,
    forbidden=("torch.lstm_cell", "torch.lstm"),
    next_rung="Set the forget gate near 1: the way from c to c' then hands a gradient on whole.",
    probes=(
        _probe("a batch of three", 5, 4, 3, gradient=True, single=True, half=True),
        _probe("one example alone", 2, 3),
        _probe("a batch of pairs", 6, 5, 3, 2),
        _probe("one unit", 3, 1, 2),
        Probe(name="one unit, one number", draw=_cell(1, 1), edge=True),
    ),
    misconceptions=(
        mistake(STEPS, "LSTM-ORDER", (
            "The blocks of columns are taken for gates in another order. Here it is i, f, g, o, as "
            "in PyTorch; other libraries store i, f, o, g or i, o, f, g.")),
        mistake(STEPS, "LSTM-TANHO", (
            "The output gate goes through tanh. A gate says how much, between 0 and 1: sigmoid.")),
        mistake(STEPS, "LSTM-CFORGET", (
            "The old cell is dropped: only what is written now remains. Then nothing lasts longer "
            "than a step.")),
        mistake(STEPS, "LSTM-NOFORGET", (
            "The old cell is kept whole. The forget gate multiplies it. The LSTM of 1997 had no "
            "such gate; it came in 2000.")),
        mistake(STEPS, "LSTM-FLIPPED", (
            "The cell is multiplied by 1 − f. In spite of its name the forget gate says how much "
            "is kept.")),
        mistake(STEPS, "LSTM-COUPLED", (
            "What is kept is 1 − i here. That is another cell with one gate less; the LSTM has a "
            "gate f of its own.")),
        mistake(STEPS, "LSTM-HC", (
            "The two results are not the state and the cell in this order: (h, c). The state is "
            "what the output gate lets through.")),
        mistake(STEPS, "LSTM-SIGMOIDG", (
            "The new value goes through a sigmoid. It is no gate: tanh, so that it can be "
            "negative.")),
        mistake(STEPS, "LSTM-NOTANHC", (
            "The cell is shown as it is. It goes through tanh before the output gate, for a cell "
            "has no bound.")),
        mistake(STEPS, "LSTM-ROWS", (
            "The rows of w are taken for those of h first. Those of x stand above: join x and h in "
            "this order.")),
        mistake(STEPS, "LSTM-NOB", "The bias b is missing."),
    ),
    alternatives=(_sliced, _by_blocks),
)  # fmt: skip
