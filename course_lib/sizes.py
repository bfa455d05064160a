"""What a size, a factor and a divisor must be, and what is said of one that cannot be."""

import math

__all__ = ["require_above_zero", "require_factor", "require_positive"]


def require_positive(**sizes: int) -> None:
    """Refuse a size below 1.

    Args:
        **sizes: the sizes by name.

    Returns:
        Nothing, if all count something.

    Raises:
        ValueError: if one does not.
    """
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
