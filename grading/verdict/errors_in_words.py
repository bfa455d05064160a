"""Say in a learner's words what went wrong when their function raised an error."""

import itertools
import math
import re
from collections.abc import Iterator, Mapping

from grading.observation.seen import Error

__all__ = ["error_message"]

#: What a message of Python or PyTorch means here, where the message alone would not tell.
_MEANINGS = (
    (r"Boolean value of Tensor with more than one value|truth value of an array",
     "A whole tensor stands where Python wants one yes or no. `torch.where` decides entry by "
     "entry; whether an argument was given is asked by `is None`."),
    (r"torch\.return_types", "Along an axis, `max`, `min` and `median` give a pair: the numbers, "
     "and where they stand. Take the first, `.values`, or use `amax` and `amin`."),
    (r"shape of the mask .* does not match|boolean index did not match",
     "A mask in square brackets has to have the shape of what it stands behind; `torch.where` and "
     "`masked_fill` broadcast it."),
    (r"cannot be converted to type .* without overflow",
     "That number is too large for the inputs' dtype, whose limits are `torch.finfo(x.dtype)`."),
    (r"must be Tensor, not (?:int|float)",
     "A plain number stands where PyTorch wants a tensor; `math` has functions of numbers."),
    (r"same dtype|Found dtype|expected scalar type",
     "Two dtypes meet. A tensor that you make yourself has float32 unless you say otherwise; "
     "give it the dtype of the inputs."),
    (r"maximum recursion depth", "The function calls itself without an end."),
    (r"Can't call numpy\(\)|can't convert .* to numpy|Tensor that requires grad",
     "On its way through NumPy a tensor loses its gradient; stay with PyTorch's operations."),
    (r"view size is not compatible", "The numbers do not lie in memory in that order: "
     "`reshape` copies where `view` cannot."),
    (r"in-?place operation", "A number that the gradient needs was overwritten in place."),
    (r"math range error|Result too large|Numerical result out of range",
     "An exponential became too large for a floating-point number."),
    (r"NoneType", "One of the values is None. An optional argument may be "
     "None, and so is the result of a function without `return`."),
)  # fmt: skip

#: Pairs of sizes that did not fit each other, in the messages of PyTorch and NumPy.
_PAIRS = (
    r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)",
    r"shapes cannot be multiplied \(\d+x(\d+) and (\d+)x\d+\)",
    r"Expected size (\d+) but got size (\d+)",
    r"has size (\d+) for operand .* previously seen size (\d+)",
    r"\(size (\d+) is different from (\d+)\)",
    r"not aligned: (\d+) \(dim \d+\) != (\d+) \(dim",
    r"expanded size of the tensor \((\d+)\) must match the existing size \((\d+)\)",
    r"index (\d+) is out of bounds for (?:axis|dimension) \d+ with size (\d+)",
    r"size mismatch, got input \(\d+\), mat \(\d+x(\d+)\), vec \((\d+)\)",
    r"inconsistent tensor size, expected tensor \[(\d+)\] and src \[(\d+)\]",
)
#: Two whole shapes: the first sizes that differ, from the last axis, are the pair.
_SHAPES = (
    r"to be: \[([\d, ]+)\] but got: \[([\d, ]+)\]",
    r"shapes \(([\d, ]+)\) ?(?:and )?\(([\d, ]+)\)",
    r"equal size, but got \[([\d, ]+)\] at entry 0 and \[([\d, ]+)\]",
    r"shape mismatch: objects cannot be broadcast.* \(([\d, ]+)\).* \(([\d, ]+)\)",
    r"original->remapped\]: \[[\d, ]+\]->\[([\d, ]+)\] \[[\d, ]+\]->\[([\d, ]+)\]",
    r"expand\(.*\[([\d, ]+)\]\).*size=\[([\d, ]+)\]",
)


#: As much of a line of code as a message shows.
LINE = 80


def error_message(error: Error, sizes: Mapping[str, int]) -> str:
    """Return what was raised and where, what it means, and which axes were confused.

    Args:
        error: what the learner's function raised.
        sizes: what each letter was when it was raised, all different; empty where they coincide.
    """
    if "SystemExit" in error.kinds:
        return "Your function tried to leave Python with exit() or quit(). It has to return."
    if "KeyboardInterrupt" in error.kinds:
        return "Your function was interrupted before it came to its end."
    line, text = error.line, error.first_line
    where = f" in line {line[0]}, `{_short(line[1].strip())}`" if line and line[1] else ""
    kind = f"{error.kinds[0]}{f': {text}' if text else ''}"
    meant = next((f" {words}" for pattern, words in _MEANINGS if re.search(pattern, text)), "")
    return f"Your function raised an error{where}: {kind}.{meant}{_axes(text, sizes)}"


def _short(code: str) -> str:
    return code if len(code) <= LINE else code[: LINE - 1] + "…"


def _axes(text: str, sizes: Mapping[str, int]) -> str:
    pair = next(_pairs(text), None)
    if pair is None or not sizes or (pair[0] == pair[1] and "index" not in text):
        return ""
    names = [_named(number, sizes) for number in pair]
    listed = ", ".join(f"{letter} = {size}" for letter, size in sizes.items())
    if "" in names:
        return f" The sizes were {listed}."
    if "out of bounds" in text:
        return f" The sizes were {listed}: an index ran past the end of the axis {names[1]}."
    return f" The sizes were {listed}: an axis of size {names[0]} met one of size {names[1]}."


def _pairs(text: str) -> Iterator[tuple[int, int]]:
    for pattern in _PAIRS:
        if found := re.search(pattern, text):
            yield int(found[1]), int(found[2])
    for pattern in _SHAPES:
        if found := re.search(pattern, text):
            shapes = [[int(n) for n in re.findall(r"\d+", part)] for part in found.groups()]
            backwards = zip(reversed(shapes[0]), reversed(shapes[1]), strict=False)
            yield from (pair for pair in backwards if pair[0] != pair[1] and 1 not in pair)


def _named(number: int, sizes: Mapping[str, int]) -> str:
    """Return the letter of a size, or the letters of axes that were merged into one."""
    for count in (1, 2, 3):
        for letters in itertools.combinations(sizes, count):
            if math.prod(sizes[letter] for letter in letters) == number:
                return "·".join(letters)
    return ""
