"""The loss of a language model, token by token."""

import numpy as np
from jaxtyping import Float64, Int64

from course_lib.naive.softmax import log_softmax

__all__ = ["lm_loss", "token_accuracy"]

Logits = Float64[np.ndarray, "B T V"]
Tokens = Int64[np.ndarray, "B T"]


def lm_loss(logits: Logits, tokens: Tokens, ignore: int = -100) -> float:
    """Each counted token's surprise, from the row before it; the sum over their number."""
    total = 0.0
    counted = 0
    for b in range(len(tokens)):
        for t in range(1, len(tokens[b])):
            if tokens[b, t] != ignore:
                total -= log_softmax(logits[b, t - 1])[tokens[b, t]]
                counted += 1
    return float(total / counted)


def token_accuracy(logits: Logits, tokens: Tokens, ignore: int = -100) -> float:
    """The counted tokens that no other token of the row before them beats."""
    right = 0
    counted = 0
    for b in range(len(tokens)):
        for t in range(1, len(tokens[b])):
            if tokens[b, t] != ignore:
                best = 0
                for v in range(logits.shape[2]):
                    if logits[b, t - 1, v] > logits[b, t - 1, best]:
                        best = v
                if best == tokens[b, t]:
                    right += 1
                counted += 1
    return right / counted
