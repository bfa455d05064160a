"""What was found, as the parts of a record: the example, and the matrices beside each other."""

import numpy as np

from grading.exercise import Exercise
from grading.verdict import record
from grading.verdict.case import Numbers
from grading.verdict.contract import SHAPES
from grading.verdict.differing import output_name
from grading.verdict.inputs import shown_input
from grading.verdict.labels import label
from grading.verdict.shrink import Example

__all__ = ["compared", "recorded"]

#: As many rows and columns of a matrix are shown.
MOST = 12


def recorded(exercise: Exercise, one: Example) -> record.Example:
    """Return an example as a record holds it."""
    found = one.difference
    name = "" if found is None else output_name(exercise, found.output)
    return record.Example(
        probe=one.probe.name,
        label=label(exercise.axes, one.inputs),
        smallest=one.smallest,
        inputs={name: shown_input(value) for name, value in one.inputs.items()},
        output=f"shape of {name}" if one.finding.rule == SHAPES else name,
        index=() if found is None else found.index,
        yours=() if found is None else tuple(found.learner.reshape(-1).tolist()),
        expected=() if found is None else tuple(found.expected.reshape(-1).tolist()),
    )


def compared(exercise: Exercise, one: Example) -> record.Comparison | None:
    """Return the first matrix that is wrong, where a picture says more than a row; else None.

    It is taken from the probe itself: of an example that is cut down little is left to see.
    """
    number, (mine, right) = one.finding.output, one.whole or (one.mine, one.right)
    if number is None or exercise.view is not None or not mine.view or not right.view:
        return None
    if len(mine.view) != len(exercise.outputs):  # what a dict holds is no output by itself
        return None
    axes, yours, truth = (
        exercise.outputs[number].axes.split(),
        mine.view[number],
        right.view[number],
    )
    is_a_map = axes[-2:] == ["T", "S"] or exercise.outputs[number].dtype == "bool"
    if not is_a_map or truth.ndim < 2 or min(truth.shape[-2:]) < 2 or yours.ndim < 2:
        return None
    place = _first_wrong(yours, truth)
    grids = [_matrix(value, place) for value in (yours, truth)]
    name = exercise.outputs[number].name
    return record.Comparison(
        title=f"{name}[{', '.join(map(str, place))}]" if place else name,
        axes=tuple(axes[-2:]),
        yours=_rows(grids[0]),
        expected=_rows(grids[1]),
        cut=max(*grids[0].shape, *grids[1].shape) > MOST,
    )


def _first_wrong(yours: Numbers, truth: Numbers) -> tuple[int, ...]:
    """Return where the first matrix stands that is wrong."""
    if yours.shape != truth.shape:
        return (0,) * (truth.ndim - 2)
    wrong = ~np.isclose(yours.astype(float), truth.astype(float), rtol=1e-5, atol=1e-6)
    found = np.argwhere(wrong)
    return tuple(int(index) for index in found[0][:-2]) if len(found) else (0,) * (truth.ndim - 2)


def _matrix(value: Numbers, place: tuple[int, ...]) -> Numbers:
    while value.ndim > 2:
        index = place[-(value.ndim - 2)] if len(place) >= value.ndim - 2 else 0
        value = value[min(index, len(value) - 1)]
    return value


def _rows(grid: Numbers) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(number) for number in row) for row in grid[:MOST, :MOST])
