"""What a size, a factor and a divisor must be, and what is said of one that cannot be."""

import math
import operator

__all__ = [
    "is_above_zero",
    "require_above_zero",
    "require_count",
    "require_eps",
    "require_factor",
    "require_number",
    "require_positive",
    "require_whole",
]


def require_whole(**numbers: object) -> None:
    """Refuse 2.5, 2.0, True and None where something is counted.

    Args:
        **numbers: what counts, by name: an int, one of NumPy, or a tensor of one integer.

    Returns:
        Nothing, if all are whole numbers.

    Raises:
        ValueError: if one is not.
    """
    for name, number in numbers.items():
        try:
            if _is_truth(number):
                raise TypeError("a truth value counts nothing")
            operator.index(number)  # type: ignore[arg-type]
        except TypeError as error:
            given = ", ".join(f"{other} = {value!r}" for other, value in numbers.items())
            raise ValueError(
                f"{name} counts something, so it is a whole number, an int; "
                f"{name} is {number!r}, of type {type(number).__name__}; {given}"
            ) from error


def require_number(**numbers: object) -> None:
    """Refuse True, text, None and lists where a formula multiplies, divides or compares.

    Args:
        **numbers: what enters the formula, by name: an int, a float, one of NumPy, or a tensor of
            one number.

    Returns:
        Nothing, if each is one number; NaN and infinity are.

    Raises:
        ValueError: if one is not, or is an int beyond every float.
    """
    for name, number in numbers.items():
        try:
            if _is_truth(number) or isinstance(number, str | bytes):
                raise TypeError("neither a truth value nor a text is a number")
            float(number)  # type: ignore[arg-type]
        except (TypeError, ValueError, RuntimeError, OverflowError) as error:
            raise ValueError(
                f"{name} enters a formula, so it is one number, a float or an int; "
                f"{name} is {number!r}, of type {type(number).__name__}"
            ) from error


def require_count(**counts: int) -> None:
    """Refuse a count below 0.

    Args:
        **counts: what is counted, from 0, by name.

    Returns:
        Nothing, if all are at least 0.

    Raises:
        ValueError: if one is not, or is no whole number.
    """
    require_whole(**counts)
    for name, count in counts.items():
        if count < 0:
            given = ", ".join(f"{other} = {value}" for other, value in counts.items())
            raise ValueError(f"a count starts at 0, so {name} >= 0; {name} is {count}; {given}")


def require_positive(**sizes: int) -> None:
    """Refuse a size below 1.

    Args:
        **sizes: the sizes by name.

    Returns:
        Nothing, if all count something.

    Raises:
        ValueError: if one does not, or is no whole number.
    """
    require_whole(**sizes)
    for name, size in sizes.items():
        if size < 1:
            given = ", ".join(f"{other} = {value}" for other, value in sizes.items())
            raise ValueError(f"a size counts something, so {name} >= 1; {name} is {size}; {given}")


def is_above_zero(number: float) -> bool:
    """Say whether a number is positive and finite, also when float32 holds it.

    There the smallest float64 is 0 and the largest is infinite: 0 divided by the one, or times the
    other, is NaN.

    Args:
        number: what tensors are divided by or multiplied with.

    Returns:
        True, if it is one of float32's normal numbers.
    """
    return 2.0**-126 <= number < 2.0**128


def require_above_zero(name: str, number: float, what: str) -> None:
    """Refuse a number that is not positive and finite, in float32 too.

    Args:
        name: what the number is called.
        number: what came.
        what: what the message begins with: the thing that must be positive.

    Returns:
        Nothing, if the number is positive and finite.

    Raises:
        ValueError: if it is not.
    """
    require_number(**{name: number})
    if not is_above_zero(number):
        where = ", in float32 too" if 0 < number < math.inf else ""
        raise ValueError(f"{what} is positive and finite{where}; {name} is {number}")


def require_eps(eps: float) -> None:
    """Refuse an eps of a norm that is negative, infinite or NaN.

    Args:
        eps: added inside a root.

    Returns:
        Nothing, if it is at least 0 and finite.

    Raises:
        ValueError: if it is not.
    """
    require_number(eps=eps)
    if not (eps >= 0 and math.isfinite(eps)):
        raise ValueError(f"eps keeps a root off zero, so it is at least 0 and finite; eps is {eps}")


def require_factor(factor: float) -> None:
    """Refuse a factor that does not stretch a context, or that float32 cannot hold.

    Args:
        factor: by how much longer the context becomes.

    Returns:
        Nothing, if the factor is at least 1 and finite, in float32 too.

    Raises:
        ValueError: if it is not.
    """
    require_number(factor=factor)
    if not (factor >= 1 and is_above_zero(factor)):
        end = "2**128, infinity in float32" if 1 <= factor < math.inf else "infinity"
        raise ValueError(f"a context is stretched, so 1 <= factor < {end}; factor is {factor}")


def _is_truth(number: object) -> bool:
    """Say whether it is True or False, of Python, NumPy or a tensor."""
    return isinstance(number, bool) or str(getattr(number, "dtype", "")).endswith("bool")
