"""Families of mistakes that are recognised by where they fail."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from grading.observation.seen import Error

__all__ = ["fails", "fails_only_on"]


def fails(view: Any, *, whole_rows: bool = False) -> bool:
    """Return whether an answer overflowed there, with an error or with what is no finite number.

    Args:
        view: what was observed on one probe.
        whole_rows: True asks for a row without any finite number.
    """
    if not isinstance(view, list):
        return isinstance(view, Error) and "ArithmeticError" in view.kinds
    bad = [~np.isfinite(value) for value in view]
    return any(bool(one.all(-1).any() if whole_rows and one.ndim else one.any()) for one in bad)


def fails_only_on(
    *names: str, besides: tuple[str, ...] = (), whole_rows: bool = False
) -> Callable[[Mapping[str, Any]], bool]:
    """Recognise an answer that fails on each of the named probes and is finite on the others.

    Args:
        names: the probes.
        besides: further probes on which it does not matter.
        whole_rows: True asks for rows without any finite number on the named probes.
    """

    def recognise(seen: Mapping[str, Any]) -> bool:
        elsewhere = [view for name, view in seen.items() if name not in (*names, *besides)]
        there = [seen[name] for name in names if name in seen]
        return (
            len(there) == len(names)
            and all(fails(view, whole_rows=whole_rows) for view in there)
            and all(isinstance(view, list) and not fails(view) for view in elsewhere)
        )

    return recognise
