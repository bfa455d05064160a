"""Read a task's contract literally: complain of each word that no probe draws."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from grading.asking import Live, draw
from grading.catalogue.contracts import Contract, contract_of
from grading.exercise import Exercise, LeftOut, Probe
from grading.observation.values import Array, Inputs, Randomness, numbers
from grading.verdict.case import REFERENCE, Case
from grading.verdict.late_rules import gradients

__all__ = ["unread_words"]

#: Words of ours, which tell a learner nothing.
JARGON = re.compile(
    r"\b(edge|control|probe|case|sizes? (all )?differ\w*|all sizes|ordinary)\b", re.I
)
#: Axes that "any shape" has, and leading ones that "..." stands for.
ANY_SHAPE, LEADING = (1, 2, 3, 4), (0, 1, 2)


@dataclass(frozen=True, slots=True)
class _Read:
    """An exercise, its contract, and what each probe draws."""

    exercise: Exercise
    contract: Contract
    drawn: tuple[tuple[Probe, Inputs], ...]

    def values(self, name: str) -> list[Any]:
        """Return what the probes hand over for an argument."""
        return [inputs[name] for _, inputs in self.drawn if name in inputs]

    def arrays(self, name: str) -> list[Array]:
        """Return the tensors and arrays among them."""
        return [value for value in self.values(name) if isinstance(value, Array)]


def unread_words(exercise: Exercise, contract: Contract | None = None) -> list[str]:
    """Return what the contract says and no probe draws, one sentence each.

    Args:
        exercise: the task.
        contract: what its notebook says; None reads it. A task without one has no complaints.
    """
    said = contract_of(exercise) if contract is None else contract
    if said is None:
        return []
    read = _Read(exercise, said, tuple((probe, draw(exercise, probe)) for probe in exercise.probes))
    parts = (_signature, _left_out, _axes, _sizes, _broadcast, _any_axis, _numbers, _dtypes, _flow)
    return [words for part in (*parts, _measured, _names) for words in part(read)]


def _signature(read: _Read) -> Iterator[str]:
    theirs = Contract(read.exercise.parameters, read.exercise.defaults)
    mine = Contract(read.contract.parameters, read.contract.defaults)
    if theirs != mine:
        yield f"the notebook's signature is {_written(mine)}, the exercise's {_written(theirs)}"


def _written(one: Contract) -> str:
    names = (f"{n}={one.defaults[n]!r}" if n in one.defaults else n for n in one.parameters)
    return f"({', '.join(names)})"


def _left_out(read: _Read) -> Iterator[str]:
    for name, default in read.contract.defaults.items():
        drawn = read.values(name)
        plain = [numbers(value) for value in drawn if not isinstance(value, LeftOut)]
        same = [value is None or value == default for value in plain if np.ndim(value) == 0]
        if not any(isinstance(value, LeftOut) for value in drawn):
            yield f"{name}: no probe leaves it out, so that its default {default} counts"
        if not any(same):
            yield f"{name}: no probe hands over {default} itself"
        if sum(same) == len(plain):
            yield f"{name}: no probe hands over anything but its default"


def _axes(read: _Read) -> Iterator[str]:
    for name in read.contract.parameters:
        letters, drawn = read.contract.shape(name), read.arrays(name)
        counts = {value.ndim for value in drawn}
        if read.contract.says(name, "any shape"):
            yield from (f"{name}: any shape, and no probe draws {n} axes"
                        for n in ANY_SHAPE if n not in counts)  # fmt: skip
        elif letters and letters[0] == "..." and "broadcast" not in read.contract.arguments[name]:
            leading = {count - len(letters) + 1 for count in counts}
            yield from (f"{name}: no probe draws {n} leading axes"
                        for n in LEADING if n not in leading)  # fmt: skip
        if read.contract.says(name, "or one number") and len(drawn) in (0, len(read.drawn)):
            kind = "a number" if drawn else "a tensor"
            yield f"{name}: no probe draws {kind}"


def _sizes(read: _Read) -> Iterator[str]:
    """Ask for two sizes of each letter, and two numbers where an argument counts something."""
    sizes: dict[str, set[int]] = {}
    for name in read.contract.parameters:
        letters = [letter for letter in read.contract.shape(name) or () if letter != "..."]
        for value in read.arrays(name):
            ends = zip(reversed(letters), reversed(value.shape), strict=False)
            for letter, size in ends:
                sizes.setdefault(letter, set()).add(size)
        counts = {one for one in read.values(name) if isinstance(one, int)}
        if counts and not read.contract.says(name, "one number"):
            sizes.setdefault(name, set()).update(counts)
    for letter, found in sizes.items():
        if len(found) < 2:
            yield f"{letter}: one size alone, {found.pop()}; a constant would do"


def _broadcast(read: _Read) -> Iterator[str]:
    for name in read.contract.parameters:
        letters = read.contract.shape(name)
        if letters is None or not read.contract.says(name, "broadcast"):
            continue
        shapes = [value.shape for value in read.arrays(name)]
        last = len(letters)
        for place, letter in enumerate(letters):
            others = [shape for shape in shapes if len(shape) >= last]
            if not any(shape[place - last] == 1 and max(shape) > 1 for shape in others):
                yield f"{name}: broadcasts, and no probe draws 1 in the place of {letter}"
        leading = [(shape[:-last], shape[-last:]) for shape in shapes]
        for words, is_drawn in (
            ("no leading axis", any(not before for before, _ in leading)),
            ("leading axes of size 1",
             any(1 in before for before, own in leading if own[0] > 1)),
            ("a leading axis of its size",
             any(max(before, default=1) > 1 for before, _ in leading)),
            (f"one leading axis and all of {', '.join(letters)}",
             any(len(before) == 1 and min(own) > 1 for before, own in leading)),
        ):  # fmt: skip
            if not is_drawn:
                yield f"{name}: broadcasts, and no probe draws {words}"


def _any_axis(read: _Read) -> Iterator[str]:
    if "axis" not in read.contract.parameters:
        return
    drawn = {one for one in read.values("axis") if isinstance(one, int)}
    for words, is_drawn in (
        ("the last, as -1", -1 in drawn),
        ("another one from the end", min(drawn, default=0) < -1),
        ("the first, as 0", 0 in drawn),
        ("another one from the front", max(drawn, default=0) > 0),
    ):
        if not is_drawn:
            yield f"axis: any axis, and no probe draws {words}"


def _numbers(read: _Read) -> Iterator[str]:
    floats = [
        value.numbers for name in read.contract.parameters for value in read.arrays(name)
        if value.numbers is not None and value.numbers.dtype.kind == "f"
    ]  # fmt: skip
    text = read.contract.text
    if "every finite input" in text:
        if not any((one >= 1000).any() and np.isfinite(one).all() for one in floats):
            yield "every finite input, and no probe draws 1000 or more"
        if not any((one <= -1000).any() and np.isfinite(one).all() for one in floats):
            yield "every finite input, and no probe draws −1000 or less"
    if r"-\infty" in text and not any(np.isneginf(one).any() for one in floats):
        yield "−∞ is in the contract, and no probe draws it"
    if "exactly 0" in text and not any((one == 0).any() for one in floats):
        yield "exactly 0 is in the contract, and no probe draws it"


def _takes_tensors(read: _Read) -> bool:
    drawn = (value for name in read.contract.parameters for value in read.arrays(name))
    return any(one.kind == "tensor" and one.dtype.startswith("float") for one in drawn)


def _dtypes(read: _Read) -> Iterator[str]:
    if not _takes_tensors(read) or "in float64 alone" in read.contract.text:
        return
    for dtype, flag in (("float32", "single"), ("bfloat16", "half")):
        if not any(getattr(probe, flag) for probe, _ in read.drawn):
            yield f"tensors come in {dtype} too, and no probe is {flag}"


def _flow(read: _Read) -> Iterator[str]:
    judged = [probe for probe, _ in read.drawn if probe.gradient]
    if not judged and _takes_tensors(read) and "Nothing has to flow back" not in read.contract.text:
        yield "no probe judges the gradient, and the contract does not say that none flows"
    is_finite = re.search(r"so is its gradient|finite gradient", read.contract.text)
    if is_finite and not any(probe.control for probe in judged):
        yield "the gradient is finite, and no probe judges it at a limit"
    truth = gradients(Case(read.exercise, Live(read.exercise, REFERENCE)), REFERENCE)
    for probe, grads in zip(judged, truth, strict=True):
        if grads is None or not all(np.isfinite(one).all() for one in grads):
            yield f"{probe.name}: the reference's own gradient is not finite"


def _measured(read: _Read) -> Iterator[str]:
    draws = any(isinstance(value, Randomness) for _, inputs in read.drawn
                for value in inputs.values())  # fmt: skip
    if draws and read.exercise.noise is None:
        yield "who ignores how much to draw is seen by its noise alone, and none is given"


def _names(read: _Read) -> Iterator[str]:
    for probe, _ in read.drawn:
        if found := JARGON.search(probe.name):
            yield f"{probe.name!r}: {found[0]!r} tells a learner nothing about the inputs"
