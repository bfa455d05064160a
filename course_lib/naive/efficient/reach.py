"""Who hears of whom, by walking."""

import numpy as np
from jaxtyping import Bool

__all__ = ["density", "reach"]


def density(may_attend: Bool[np.ndarray, "T S"]) -> float:
    """Count the pairs."""
    allowed = 0
    for row in may_attend:
        for entry in row:
            allowed += bool(entry)
    return allowed / int(may_attend.shape[0] * may_attend.shape[1])


def reach(may_attend: Bool[np.ndarray, "T T"], num_layers: int) -> Bool[np.ndarray, "T T"]:
    """From each output, layer by layer, collect all that its readers read."""
    size = len(may_attend)
    result = np.zeros((size, size), dtype=bool)
    for t in range(size):
        known = {t}
        for _ in range(num_layers):
            known |= {s for reader in known for s in range(size) if may_attend[reader, s]}
        for s in known:
            result[t, s] = True
    return result
