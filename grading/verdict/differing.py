"""What differs, where, and by how much, in a sentence."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from grading.exercise import Exercise, Tolerance
from grading.observation.values import Array, Inputs
from grading.verdict.compare import close

__all__ = [
    "difference_in_words",
    "gradient_in_words",
    "in_digits",
    "order_of",
    "output_name",
    "told_apart",
]

Numbers = np.ndarray[Any, Any]


def order_of(exercise: Exercise, count: int) -> list[int]:
    """Return the numbers of so many outputs: what is made of another one stands behind it."""
    made = [bool(output.made_from) for output in exercise.outputs]
    made += [False] * (count - len(made))
    return sorted(range(count), key=lambda number: made[number])


def output_name(exercise: Exercise, number: int) -> str:
    """Return how an output is called; what a view shows besides has the last one's name."""
    return exercise.outputs[min(number, len(exercise.outputs) - 1)].name


def in_digits(value: Any, digits: int) -> str:
    """Return a number as text; a count, which so many digits would round, has all of its own."""
    if not isinstance(value, float):
        return str(value)
    if value.is_integer() and 10**digits <= abs(value) < 2**53:
        return f"{value:.0f}"
    return f"{value + 0:.{digits}g}"  # 0 is added so that no zero is shown as negative


def told_apart(mine: Any, right: Any) -> tuple[str, str]:
    """Return two numbers as text, with as many digits as it takes to see that they differ."""
    texts = (str(mine), str(right))
    if isinstance(mine, float) and isinstance(right, float):
        for digits in (4, 6, 9, 17):
            texts = (in_digits(mine, digits), in_digits(right, digits))
            if texts[0] != texts[1]:
                break
    mine, right = (text.replace("nan", "NaN") for text in texts)
    return mine, right


@np.errstate(all="ignore")  # infinities are subtracted as well
def difference_in_words(name: str, mine: Numbers, right: Numbers, tolerance: Tolerance) -> str:
    """Say how many numbers of an output differ, where the first one is, and by how much."""
    wrong = np.atleast_1d(~close(mine, right, tolerance))
    place = tuple(int(index) for index in np.argwhere(wrong)[0]) if mine.ndim else ()
    where = f"{name}[{', '.join(map(str, place))}]" if place else name
    got, wanted = told_apart(mine[place].item(), right[place].item())
    count, size = int(wrong.sum()), wrong.size
    first = f"{where} is {got} and has to be {wanted}"
    if size == 1:
        return f"{first}."
    many = f"{count} of the {size}" if count < size else "Both" if size == 2 else f"All {size}"
    text = f"{many} numbers of {name} {'is' if count == 1 else 'are'} wrong: {first}"
    apart = np.abs(mine.astype(np.float64) - right.astype(np.float64))[wrong.reshape(mine.shape)]
    if count == 1 or not np.isfinite(apart).all():
        return f"{text}."
    return f"{text}; the largest error is {apart.max():.2g}."


@np.errstate(all="ignore")
def gradient_in_words(
    inputs: Inputs, mine: Sequence[Numbers], right: Sequence[Numbers], tolerance: Tolerance
) -> str:
    """Say with respect to which input a gradient is wrong, in how many numbers, by how much."""
    names = [
        name
        for name, value in inputs.items()
        if isinstance(value, Array)
        and value.numbers is not None
        and value.numbers.dtype.kind == "f"
    ]
    for name, one, truth in zip(names, mine, right, strict=False):
        if one.shape != truth.shape:
            continue
        wrong = ~close(one, truth, tolerance)
        if not wrong.any():
            continue
        text = f"the gradient with respect to `{name}` is not: {int(wrong.sum())} of its "
        text += f"{wrong.size} numbers are wrong"
        if not np.isfinite(one).all():
            return f"{text}, and {int((~np.isfinite(one)).sum())} of them NaN or infinite."
        return f"{text}, by up to {np.abs(one - truth).max():.2g}."
    return "the gradient with respect to the inputs is not."
