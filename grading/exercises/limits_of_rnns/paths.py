"""path_length and sequential_ops: the two columns of a famous table."""

from __future__ import annotations

from typing import Any

from grading.exercise import Exercise, Inputs, LeftOut, Misconception, Output, Probe
from grading.exercises.shared.stepwise import mistake
from grading.late import late
from grading.steps import Instead, Pipeline, Step

__all__ = ["PATH_LENGTH", "SEQUENTIAL_OPS"]

library = late("course_lib.counts.paths")


def _ways(kind: str, i: int, j: int, kernel: Any) -> Probe:
    def draw(generator: Any) -> Inputs:
        return {"kind": kind, "i": i, "j": j, "kernel": kernel}

    width = f", kernel {kernel}" if isinstance(kernel, int) else ""
    sizes = {"i": i, "j": j} | ({"k": kernel} if isinstance(kernel, int) else {})
    return Probe(name=f"{kind}, from {i} to {j}{width}", draw=draw, sizes=sizes)


# -- the steps ------------------------------------------------------------------------------------


def _compose(do: Any) -> Any:
    def path(kind: str, i: int, j: int, kernel: Any = None) -> Any:
        distance = do.distance(i, j)
        if kind == "rnn":
            return do.count(kind, distance)
        if kind == "conv":
            return do.count(kind, do.conv(distance, kernel))
        return do.count(kind, do.attention(distance))

    return path


def _apart(i: int, j: int) -> int:
    return abs(i - j)


def _layers(distance: int, kernel: int) -> int:
    return -(-distance // (kernel - 1))


def _one(distance: int) -> int:
    return 1


def _logarithm(distance: int, kernel: int) -> Any:
    """Return the least number of layers whose kernel to that power reaches the distance."""
    layers = 0
    while kernel**layers < distance:
        layers += 1
    return layers


def _more(*kinds: str) -> Any:
    return lambda kind, steps: steps + (kind in kinds)


STEPS = Pipeline(
    steps=(
        Step(name="distance", right=_apart, wrong={
            "PATH-SIGN": (lambda i, j: j - i, lambda i, j: i - j)}),
        Step(name="conv", right=_layers, wrong={
            "PATH-CONVLOG": (
                Instead(_logarithm, distance=_apart),
                Instead(lambda distance, kernel: _logarithm(distance + 1, kernel),
                        distance=_apart)),
            "PATH-KERNEL": (lambda distance, kernel: -(-distance // kernel),
                            lambda distance, kernel: distance // kernel),
            "PATH-FLOOR": (lambda distance, kernel: distance // (kernel - 1),),
            "PATH-CENTRED": (lambda distance, kernel: -(-2 * distance // (kernel - 1)),),
            "PATH-CONV1": (lambda distance, kernel: 1,),
        }),
        Step(name="attention", right=_one, wrong={
            "PATH-ATT0": (lambda distance: 0,), "PATH-ATTFAR": (lambda distance: distance,)}),
        Step(name="count", right=lambda kind, steps: steps, wrong={
            "PATH-OFF1": (
                _more("rnn"), _more("rnn", "conv"),
                Instead(_more("rnn", "conv", "attention"), attention=_one))}),
    ),
    compose=_compose,
)  # fmt: skip


def _by_match(kind: str, i: int, j: int, kernel: Any = None) -> Any:
    match kind:
        case "rnn":
            return max(i, j) - min(i, j)
        case "conv":
            return int((abs(i - j) + kernel - 2) // (kernel - 1))
        case _:
            return 1


def _by_walking(kind: str, i: int, j: int, kernel: Any = None) -> int:
    late_one, early = (i, j) if i > j else (j, i)
    stride = {"rnn": 1, "attention": late_one}.get(kind) or kernel - 1
    steps = 0
    while late_one > early:
        late_one -= stride
        steps += 1
    return steps


PATH_LENGTH = Exercise(
    name="path_length", slug="limits-of-rnns", task="paths", title="The way between two positions",
    kind="implement", points=0.75, difficulty=2, importance=3, minutes=15,
    parameters=("kind", "i", "j", "kernel"), defaults={"kernel": None},
    outputs=(Output(name="steps", kind="int"),),
    reference=lambda kind, i, j, kernel: library.path_length(kind, i, j, kernel),
    equation="eq-path", part="course_lib.counts.paths.path_length", steps=STEPS,
    next_rung="Doubling the text doubles two of the three. Attention's stays 1.",
    probes=(
        _ways("rnn", 4, 11, LeftOut()), _ways("rnn", 9, 3, None), _ways("rnn", 6, 12, 3),
        _ways("conv", 2, 13, 4), _ways("conv", 12, 5, 3), _ways("conv", 0, 20, 5),
        _ways("conv", 31, 1, 7), _ways("conv", 8, 9, 2),
        _ways("attention", 12, 2, LeftOut()), _ways("attention", 3, 17, None),
        _ways("attention", 1, 18, 4),
    ),
    misconceptions=(
        mistake(STEPS, "PATH-SIGN", (
            "The distance has a sign. A way is as long in one direction as in the other: take "
            "|i − j|.")),
        mistake(STEPS, "PATH-OFF1", (
            "The positions on the way are counted, both ends included. Count the steps between "
            "them: from 4 to 5 it is one.")),
        mistake(STEPS, "PATH-CONVLOG", (
            "This is the logarithm, which belongs to dilated convolutions. Without dilation each "
            "layer reaches the same few positions further: the way grows with the distance.")),
        mistake(STEPS, "PATH-KERNEL", (
            "The distance is divided by the kernel's size. A kernel of k positions reads its own "
            "and k − 1 before it, so a layer reaches k − 1 further.")),
        mistake(STEPS, "PATH-FLOOR", (
            "The quotient is rounded down. What is left over needs one more layer.")),
        mistake(STEPS, "PATH-CENTRED", (
            "The kernel reads on both sides here, (k − 1)/2 on each. A causal one reads its own "
            "position and the k − 1 before it.")),
        mistake(STEPS, "PATH-CONV1", (
            "One layer of the convolution is taken to reach everything. It reaches k − 1 positions "
            "back; what lies further needs more layers.")),
        mistake(STEPS, "PATH-ATT0", (
            "Attention reads another position in one step, and not in none.")),
        mistake(STEPS, "PATH-ATTFAR", (
            "Attention's way does not grow with the distance: every position reads every other in "
            "one layer.")),
    ),
    alternatives=(_by_match, _by_walking),
)  # fmt: skip


def _length(kind: str, T: int) -> Probe:
    return Probe(
        name=f"{kind}, {T} positions",
        draw=lambda generator: {"kind": kind, "T": T},
        sizes={"T": T},
    )


def _table(rnn: Any, conv: Any, attention: Any) -> Any:
    counts = {"rnn": rnn, "conv": conv, "attention": attention}
    return lambda kind, T: counts[kind](T)


def _all(T: int) -> int:
    return T


def _square(T: int) -> int:
    return T * T


def _doublings(T: int) -> int:
    return (T - 1).bit_length()


SEQUENTIAL_OPS = Exercise(
    name="sequential_ops", slug="limits-of-rnns", task="sequential", title="Steps that wait",
    kind="implement", points=0.25, difficulty=1, importance=3, minutes=5,
    parameters=("kind", "T"), outputs=(Output(name="steps", kind="int"),),
    reference=lambda kind, T: library.sequential_ops(kind, T),
    equation="eq-path", part="course_lib.counts.paths.sequential_ops",
    next_rung="More processors shorten the work of a step. They cannot shorten a chain of steps.",
    probes=(
        _length("rnn", 7), _length("rnn", 512), _length("conv", 9), _length("conv", 100),
        _length("attention", 6), _length("attention", 300), _length("rnn", 1),
    ),
    misconceptions=(
        Misconception(code="OPS-CONFUSE", wrong=_table(_all, _one, _square), also=(
            _table(_all, _one, _all), _table(_square, _one, _square), _table(_all, _all, _square),
            _table(_all, _all, _all), _table(_all, _one, lambda T: T * (T + 1) // 2)), sentence=(
            "Work is counted here, and not waiting. Attention compares T · T pairs, but no pair "
            "needs the result of another: all run side by side, in one step.")),
        Misconception(code="OPS-CONV", wrong=_table(_all, _all, _one), also=(
            _table(_all, _doublings, _one),), sentence=(
            "A convolution's positions do not wait for each other: each reads inputs alone. One "
            "layer is one step, however long the sequence is.")),
        Misconception(code="OPS-RNN1", wrong=lambda kind, T: 1, sentence=(
            "The recurrent layer is taken to run in one step. Each state needs the state before "
            "it, so its T steps stand in a row.")),
        Misconception(code="OPS-OFF1", wrong=_table(lambda T: T - 1, _one, _one), also=(
            _table(lambda T: T + 1, _one, _one),), sentence=(
            "It is one step off for the recurrent layer. The first state is made by a step as "
            "well, from h0: T states, T steps.")),
        Misconception(code="OPS-LOGRNN", wrong=_table(_doublings, _one, _one), sentence=(
            "This is a logarithm. A sum can be added up in a tree, but the tanh of each step has "
            "to be known before the next begins.")),
    ),
    alternatives=(
        lambda kind, T: T if kind == "rnn" else 1,
        lambda kind, T: {"rnn": T, "conv": 1, "attention": 1}[kind],
    ),
)  # fmt: skip
