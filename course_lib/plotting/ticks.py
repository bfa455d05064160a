"""Ticks that a reader can read: one form of number for all that an axis shows."""

import math
from collections.abc import Iterable
from typing import SupportsFloat

from matplotlib.ticker import Formatter

__all__ = ["OneForm"]


class OneForm(Formatter):
    """Write the ticks of an axis in plain figures, or all of them as powers of ten.

    Powers of ten are taken where a tick is below 0.0001 or not below a million, and every tick is
    one: 10⁻⁸, 10⁻⁴, 10⁰. Else numbers are 65,536, 0.01, 1/16.
    """

    def __call__(self, value: SupportsFloat, pos: int | None = None) -> str:
        """Write one number that stands alone.

        Args:
            value: the number.
            pos: its place among the ticks, which changes nothing.

        Returns:
            Its text.
        """
        return _plain(float(value))

    def format_ticks(self, values: Iterable[SupportsFloat]) -> list[str]:
        """Write all ticks of the axis in the form that those in sight need.

        Args:
            values: the ticks; some may lie beyond the ends of the axis.

        Returns:
            Their texts.
        """
        assert self.axis is not None, "a formatter belongs to an axis"
        low, high = sorted(self.axis.get_view_interval())
        places = [float(value) for value in values]
        seen = [value for value in places if low <= value <= high]
        far = any(value and not 1e-4 <= abs(value) < 1e6 for value in seen)
        write = _raised if far and all(map(_is_power_of_ten, seen)) else _plain
        return [write(place) for place in places]


def _is_power_of_ten(value: float) -> bool:
    return value > 0 and math.isclose(value, 10.0 ** round(math.log10(value)), rel_tol=1e-9)


def _raised(value: float) -> str:
    # Beyond the ends there may be a tick that is no power; nobody sees it.
    if not _is_power_of_ten(value):
        return ""
    power = str(round(math.log10(value)))
    return f"10{power.translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def _plain(value: float) -> str:
    """Write a number as a reader would: 65,536, 0.01, 1/16."""
    if 0 < value < 1 and math.frexp(value)[0] == 0.5:
        return f"1/{1 / value:g}" if value > 1e-6 else f"1/{1 / value:,.0f}"
    return f"{value:,.15f}".rstrip("0").rstrip(".").replace("-", "−")
