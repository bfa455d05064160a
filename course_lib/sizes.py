"""What a size, a factor and a divisor must be, and what is said of one that cannot be."""

import math
import operator

__all__ = [
    "require_above_zero",
    "require_eps",
    "require_factor",
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
            if isinstance(number, bool):
                raise TypeError("a truth value counts nothing")
            operator.index(number)  # type: ignore[arg-type]
        except TypeError as error:
            given = ", ".join(f"{other} = {value!r}" for other, value in numbers.items())
            raise ValueError(
                f"{name} counts something, so it is a whole number, an int; "
                f"{name} is {number!r}, of type {type(number).__name__}; {given}"
            ) from error


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


def require_above_zero(name: str, number: float, what: str) -> None:
    """Refuse a number that is not positive and finite.

    Args:
        name: what the number is called.
        number: what came.
        what: what the message begins with: the thing that must be positive.

    Returns:
        Nothing, if the number is positive and finite.

    Raises:
        ValueError: if it is not.
    """
    if not (number > 0 and math.isfinite(number)):
        raise ValueError(f"{what} is positive and finite; {name} is {number}")


def require_eps(eps: float) -> None:
    """Refuse an eps of a norm that is negative, infinite or NaN.

    Args:
        eps: added inside a root.

    Returns:
        Nothing, if it is at least 0 and finite.

    Raises:
        ValueError: if it is not.
    """
    if not (eps >= 0 and math.isfinite(eps)):
        raise ValueError(f"eps keeps a root off zero, so it is at least 0 and finite; eps is {eps}")


def require_factor(factor: float) -> None:
    """Refuse a factor that does not stretch a context.

    Args:
        factor: by how much longer the context becomes.

    Returns:
        Nothing, if the factor is at least 1 and finite.

    Raises:
        ValueError: if it is not.
    """
    if not (factor >= 1 and math.isfinite(factor)):
        raise ValueError(f"a context is stretched, so 1 <= factor < infinity; factor is {factor}")
