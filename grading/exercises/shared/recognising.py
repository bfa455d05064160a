"""Families of mistakes that are recognised by where they fail, and by being right elsewhere."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from grading.observation.seen import Error

__all__ = ["fails_only_on", "is_right"]

Views = Mapping[str, Any]
Numbers = np.ndarray[Any, Any]


def is_right(view: Any, truth: Any) -> bool:
    """Return whether an answer gave all the right numbers on one probe."""
    return _agrees_where_finite(view, truth) and all(np.isfinite(one).all() for one in view)


def _agrees_where_finite(view: Any, truth: Any) -> bool:
    if not (isinstance(view, list) and isinstance(truth, list) and len(view) == len(truth)):
        return False
    return all(
        mine.shape == right.shape
        and bool((np.isclose(mine, right, rtol=1e-5, atol=1e-6) | ~np.isfinite(mine)).all())
        for mine, right in zip(view, truth, strict=True)
    )


def _overflows(view: Any, truth: Any, *, whole_rows: bool) -> bool:
    """Return whether exponentials overflowed there, and nothing else is wrong.

    They raise, or leave no finite number in the place of a row's largest one; what is finite is
    right.
    """
    if isinstance(view, Error):
        return "ArithmeticError" in view.kinds
    if not _agrees_where_finite(view, truth):
        return False
    rows = [_rows(mine, right, whole_rows) for mine, right in zip(view, truth, strict=True)]
    return all(is_allowed for is_allowed, _ in rows) and any(is_broken for _, is_broken in rows)


def _rows(mine: Numbers, right: Numbers, whole_rows: bool) -> tuple[bool, bool]:
    """Return whether rows fail as an overflow makes them fail, and whether any row fails."""
    bad = ~np.isfinite(np.atleast_1d(mine))
    broken = bad.any(-1)
    largest = np.take_along_axis(bad, np.atleast_1d(right).argmax(-1)[..., None], -1)[..., 0]
    allowed = bad.all(-1) if whole_rows else largest
    return bool(allowed[broken].all()), bool(broken.any())


def fails_only_on(
    *names: str, besides: tuple[str, ...] = (), whole_rows: bool = False
) -> Callable[[Views, Views], bool]:
    """Recognise exponentials that overflow on each of the named probes, and are right elsewhere.

    Args:
        names: the probes.
        besides: further probes on which it does not matter.
        whole_rows: True asks for failing rows without any finite number.
    """

    def recognise(seen: Views, truth: Views) -> bool:
        elsewhere = [name for name in seen if name not in (*names, *besides)]
        return all(
            name in seen and _overflows(seen[name], truth[name], whole_rows=whole_rows)
            for name in names
        ) and all(is_right(seen[name], truth[name]) for name in elsewhere)

    return recognise
