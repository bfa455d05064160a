"""silu, a warm-up, and swiglu: the feed-forward network of most models of today."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grading.exercise import Exercise, Inputs, Misconception, Output, Probe
from grading.exercises.shared.drawing import normal
from grading.exercises.shared.single import single
from grading.exercises.shared.stepwise import mistake
from grading.exercises.transformer_block.forbidden import ACTIVATIONS
from grading.late import Tensor, late, torch
from grading.steps import Instead, Pipeline, Step

__all__ = ["GATED_STEPS", "SILU", "SWIGLU"]

activations = late("course_lib.layers.activations")
library = late("course_lib.layers.feed_forward")
Way = Callable[..., Any]


def _numbers(*shape: int) -> Any:
    return lambda generator: {"x": 2 * normal(generator, *shape)}


def _far(generator: torch.Generator) -> Inputs:
    """Draw a row of ordinary numbers between two that are far from 0."""
    x = normal(generator, 2, 5)
    x[0, 0], x[0, 3], x[1, 2], x[1, 4] = 1000.0, -1000.0, -60.0, 0.0
    return {"x": x}


def _of_a_softmax(x: Tensor) -> Tensor:
    return x * torch.stack([x, torch.zeros_like(x)], -1).softmax(-1)[..., 0]


def _by_tanh(x: Tensor) -> Tensor:
    return x / 2 * (1 + torch.tanh(x / 2))


def _by_log_sigmoid(x: Tensor) -> Tensor:
    return x * torch.nn.functional.logsigmoid(x).exp()


SILU = Exercise(
    name="silu", slug="transformer-block", task="warm-up-silu", title="Warm-up: a soft switch",
    kind="warm-up", points=0.25, difficulty=1, importance=2, minutes=5, parameters=("x",),
    outputs=(Output(name="y", axes="..."),), axes={"x": "..."},
    reference=lambda x: activations.silu(x), equation="eq-bends",
    part="course_lib.layers.activations.silu", forbidden=ACTIVATIONS,
    next_rung="Far above 0 it is x, far below it is 0, and between them it dips to −0.28.",
    probes=(
        Probe(name="a matrix", draw=_numbers(3, 4), gradient=True, single=True, half=True,
              sizes={"T": 3, "C": 4}),
        Probe(name="four axes", draw=_numbers(2, 3, 5, 4), sizes={"B": 2, "H": 3, "T": 5, "C": 4}),
        Probe(name="three axes", draw=_numbers(2, 4, 3), sizes={"B": 2, "T": 4, "C": 3}),
        Probe(name="one row", draw=_numbers(6), sizes={"C": 6}),
        Probe(name="numbers as far from 0 as 1000", draw=_far, control=True, gradient=True,
              sizes={"T": 2, "C": 5}),
    ),
    misconceptions=(
        Misconception(code="SILU-SIG", wrong=lambda x: x.sigmoid(), sentence=(
            "This is σ(x), a number between 0 and 1. SiLU multiplies x by it.")),
        Misconception(code="SILU-RELU", wrong=lambda x: x.clamp(min=0), sentence=(
            "This cuts off at 0, as ReLU does. SiLU lets a little through below 0.")),
        Misconception(code="SILU-GELU", wrong=lambda x: torch.nn.functional.gelu(x), also=(
            lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
            lambda x: x * torch.sigmoid(1.702 * x)), sentence=(
            "This is GELU, or near it: its switch is steeper. SiLU takes σ(x) itself.")),
        Misconception(code="SILU-SIGN", wrong=lambda x: x * torch.sigmoid(-x), sentence=(
            "The switch is closed where it has to be open: x is multiplied by σ(−x).")),
        Misconception(code="SILU-ROW", wrong=lambda x: x * x.softmax(-1), also=(
            lambda x: x * x.softmax(0),), sentence=(
            "x is multiplied by a softmax over its own entries, so each entry changes the others. "
            "The softmax is that of two scores, x and 0, for each entry by itself.")),
        Misconception(code="SILU-TANH", wrong=lambda x: x * x.tanh(), sentence=(
            "x is multiplied by tanh(x), which lies between −1 and 1. σ lies between 0 and 1.")),
        Misconception(code="SILU-OVERFLOW", wrong=lambda x: x * x.exp() / (1 + x.exp()), sentence=(
            "e to a large number is infinite, and infinity over infinity is NaN. Write σ(x) so "
            "that no exponential can overflow, as the softmax does.")),
        Misconception(code="SILU-NANGRAD", wrong=lambda x: x / (1 + (-x).exp()), shows="gradient",
                      sentence=(
            "The values are right. Far below 0 the exponential is infinite, and its gradient is "
            "NaN: infinity times 0. torch.sigmoid has a gradient everywhere.")),
    ),
    alternatives=(_of_a_softmax, _by_tanh, _by_log_sigmoid),
)  # fmt: skip


def _layer(*leading: int, C: int, F: int, size: float = 1.0) -> Any:
    def draw(generator: torch.Generator) -> Inputs:
        w_gate, w_up = (normal(generator, C, F) / C**0.5 for _ in range(2))
        x = size * normal(generator, *leading, C)
        return {"x": x, "w_gate": w_gate, "w_up": w_up, "w_down": normal(generator, F, C) / F**0.5}

    return draw


def _network(do: Any) -> Way:
    """Put the steps in a row."""

    def network(x: Tensor, w_gate: Tensor, w_up: Tensor, w_down: Tensor) -> Any:
        gate, up = do.project(x, w_gate, w_up)
        return do.back(do.join(do.bend(gate), up), w_down, x)

    return network


def _silu(gate: Tensor) -> Tensor:
    return gate * torch.sigmoid(gate)


def _same(gate: Tensor) -> Tensor:
    return gate


GATED_STEPS = Pipeline(
    compose=_network,
    steps=(
        Step(name="project", right=lambda x, w_gate, w_up: (x @ w_gate, x @ w_up), wrong={
            "SWI-GATESWAP": (lambda x, w_gate, w_up: (x @ w_up, x @ w_gate),),
        }),
        Step(name="bend", right=_silu, wrong={
            "SWI-SIG": (lambda gate: gate.sigmoid(),),
            "SWI-GELU": (lambda gate: torch.nn.functional.gelu(gate),),
        }),
        Step(name="join", right=lambda bent, up: bent * up, wrong={
            "SWI-ADD": (lambda bent, up: bent + up,),
            "SWI-PRODUCT": (Instead(lambda gate, up: _silu(gate * up), bend=_same),),
        }),
        Step(name="back", right=lambda hidden, w_down, x: hidden @ w_down, wrong={
            "SWI-NODOWN": (lambda hidden, w_down, x: hidden,),
        }),
    ),
)  # fmt: skip


def _with(**ways: Way) -> Way:
    return GATED_STEPS.answer(ways)


def _by_half_angles(x: Tensor, w_gate: Tensor, w_up: Tensor, w_down: Tensor) -> Any:
    """Take both products at once, and the switch from a hyperbolic tangent."""
    gate, up = (x @ torch.cat([w_gate, w_up], -1)).chunk(2, -1)
    return torch.einsum("...f,...f,fc->...c", gate / 2 + gate / 2 * (gate / 2).tanh(), up, w_down)


def _column_by_column(x: Tensor, w_gate: Tensor, w_up: Tensor, w_down: Tensor) -> Any:
    """Add up what each of the F hidden numbers writes."""
    total = torch.zeros_like(x)
    for gate, up, down in zip(w_gate.unbind(-1), w_up.unbind(-1), w_down, strict=True):
        hidden = torch.nn.functional.silu(x @ gate) * (x @ up)
        total = total + hidden[..., None] * down
    return total


SWIGLU = Exercise(
    name="swiglu", slug="transformer-block", task="swiglu", title="A gated feed-forward network",
    kind="implement", points=0.5, difficulty=2, importance=3, minutes=10,
    parameters=("x", "w_gate", "w_up", "w_down"), outputs=(Output(name="y", axes="... C"),),
    axes={"x": "... C", "w_gate": "C F", "w_up": "C F", "w_down": "F C"},
    reference=lambda *inputs: library.swiglu(*inputs), equation="eq-swiglu",
    part="course_lib.layers.feed_forward.swiglu",
    next_rung="With w_up of zeros nothing passes, whatever the gate says; and the other way round.",
    probes=(
        Probe(name="a batch of sequences", draw=_layer(2, 3, C=5, F=7), gradient=True, single=True,
              half=True, sizes={"B": 2, "T": 3, "C": 5, "F": 7}),
        Probe(name="one sequence, four times the numbers", draw=_layer(4, C=6, F=3, size=4.0),
              sizes={"T": 4, "C": 6, "F": 3}),
        Probe(name="two leading axes", draw=_layer(3, 2, 5, C=4, F=8),
              sizes={"B": 3, "H": 2, "T": 5, "C": 4, "F": 8}),
        Probe(name="one vector", draw=_layer(C=3, F=4), sizes={"C": 3, "F": 4}),
        Probe(name="as wide inside as outside", draw=_layer(2, C=2, F=2), edge=True),
    ),
    misconceptions=(
        mistake(GATED_STEPS, "SWI-GATESWAP", (
            "The switch acts on the other branch: SiLU is taken of x @ w_up. It belongs to "
            "x @ w_gate, and x @ w_up is what it lets through.")),
        single("SWI-ONEMATRIX", (
            "w_up is not used: gate and what is gated come from one matrix."),
            _with(project=lambda x, w_gate, w_up: (x @ w_gate, x @ w_gate)),
            lambda x, w_gate, w_up, w_down: (x @ w_up).sigmoid() * (x @ w_up).square() @ w_down),
        mistake(GATED_STEPS, "SWI-SIG", (
            "The gate is σ(x @ w_gate), as in the first gated unit, GLU. SwiGLU takes SiLU: the "
            "product times its sigmoid.")),
        mistake(GATED_STEPS, "SWI-GELU", (
            "The gate is bent by GELU, or by something near it: that is GEGLU. SwiGLU takes SiLU."),
            *(lambda x, w_gate, w_up, w_down, bend=bend: bend(x @ w_gate) * (x @ w_up) @ w_down
              for bend in (lambda z: torch.nn.functional.gelu(z, approximate="tanh"),
                           lambda z: z * torch.sigmoid(1.702 * z)))),
        single("SWI-RELU", (
            "The gate is cut off at 0: that is ReGLU. SwiGLU takes SiLU, which is smooth."),
            _with(bend=lambda gate: gate.clamp(min=0))),
        single("SWI-NOACT", (
            "Nothing bends the gate: two linear maps are multiplied. Take SiLU of x @ w_gate."),
            _with(bend=_same)),
        mistake(GATED_STEPS, "SWI-ADD", (
            "Gate and what is gated are added. A gate multiplies: at 0 it lets nothing through.")),
        single("SWI-NOUP", (
            "Nothing is gated: this is a plain network with SiLU between two matrices, and w_up is "
            "not used."), _with(join=lambda bent, up: bent)),
        mistake(GATED_STEPS, "SWI-PRODUCT", (
            "SiLU is taken of the product of both branches. It is taken of x @ w_gate alone, "
            "before the product.")),
        single("SWI-BOTH", (
            "SiLU is taken of both branches. What is gated, x @ w_up, stays linear."),
            _with(join=lambda bent, up: bent * _silu(up))),
        mistake(GATED_STEPS, "SWI-NODOWN", (
            "w_down is missing: F numbers come back for each vector, before they go back to C.")),
        single("SWI-RESIDUAL", (
            "x is added. That is the block's business; the network gives what is to be added."),
            _with(back=lambda hidden, w_down, x: x + hidden @ w_down)),
    ),
    steps=GATED_STEPS,
    alternatives=(_by_half_angles, _column_by_column),
)  # fmt: skip
