"""Who depends on whom, one changed row after another."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

__all__ = ["leak_matrix"]


def leak_matrix(
    f: Callable[[Float[np.ndarray, "T C"]], Float[np.ndarray, "T _"]], x: Float[np.ndarray, "T C"]
) -> Bool[np.ndarray, "T T"]:
    """Change one row of x, and note which rows of the result are no longer what they were."""
    num_rows = len(x)
    plain = f(x)
    found = np.zeros((num_rows, num_rows), dtype=bool)
    for s in range(num_rows):
        for step in (1.0, 1e6, -1e6):
            changed = x.copy()
            for entry in range(x.shape[1]):
                changed[s, entry] += step
            result = f(changed)
            for t in range(num_rows):
                for entry in range(result.shape[1]):
                    if result[t, entry] != plain[t, entry]:
                        found[t, s] = True
    return found
