"""Results over runs of keys become sums again, are added, and are divided once more."""

import math

import numpy as np
from jaxtyping import Float64

__all__ = ["merge_partials", "merge_sink", "merge_splits"]

Output = Float64[np.ndarray, "T Dv"]
Lse = Float64[np.ndarray, " T"]


def merge_splits(
    outputs: Float64[np.ndarray, "_ T Dv"], lses: Float64[np.ndarray, "_ T"]
) -> tuple[Output, Lse]:
    """Exp(lse) is a run's denominator, and exp(lse) times its output its numerator."""
    output, lse = np.zeros(outputs.shape[1:]), np.full(lses.shape[1], -math.inf)
    for t in range(lses.shape[1]):
        largest = max(float(number) for number in lses[:, t])
        if largest == -math.inf:
            continue
        denominator = 0.0
        for p in range(len(lses)):
            denominator += math.exp(lses[p, t] - largest)
            for d in range(outputs.shape[2]):
                output[t, d] += math.exp(lses[p, t] - largest) * outputs[p, t, d]
        output[t] /= denominator
        lse[t] = largest + math.log(denominator)
    return output, lse


def merge_partials(
    output_1: Output, lse_1: Lse, output_2: Output, lse_2: Lse
) -> tuple[Output, Lse]:
    """Two runs."""
    return merge_splits(np.stack([output_1, output_2]), np.stack([lse_1, lse_2]))


def merge_sink(
    output: Float64[np.ndarray, "H T Dv"],
    lse: Float64[np.ndarray, "H T"],
    sink: Float64[np.ndarray, " H"],
) -> tuple[Float64[np.ndarray, "H T Dv"], Float64[np.ndarray, "H T"]]:
    """Each output is multiplied by the share that the keys keep: 1 / (1 + exp(sink - lse))."""
    result, total = np.zeros(output.shape), np.full(lse.shape, -math.inf)
    for h in range(lse.shape[0]):
        for t in range(lse.shape[1]):
            largest = max(lse[h, t], sink[h])
            if largest > -math.inf:
                keys, extra = math.exp(lse[h, t] - largest), math.exp(sink[h] - largest)
                result[h, t] = output[h, t] * keys / (keys + extra)
                total[h, t] = largest + math.log(keys + extra)
    return result, total
