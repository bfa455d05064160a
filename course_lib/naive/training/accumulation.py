"""How many tokens a batch asks for, one by one."""

import numpy as np
from jaxtyping import Int64

__all__ = ["num_predicted"]


def num_predicted(tokens: Int64[np.ndarray, "B T"], ignore: int = -100) -> int:
    """Every token but the first of its sequence, unless it is ignored."""
    counted = 0
    for sequence in tokens:
        for t in range(1, len(sequence)):
            if sequence[t] != ignore:
                counted += 1
    return counted
