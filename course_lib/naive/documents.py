"""Several documents in one row, token by token."""

import numpy as np
from jaxtyping import Bool, Int

__all__ = ["document_mask", "document_positions"]


def document_mask(doc_ids: Int[np.ndarray, " T"]) -> Bool[np.ndarray, "T T"]:
    """Walk back from each query for as long as the id stays the same."""
    num_tokens = len(doc_ids)
    mask = np.zeros((num_tokens, num_tokens), dtype=bool)
    for t in range(num_tokens):
        s = t
        while s >= 0 and doc_ids[s] == doc_ids[t]:
            mask[t, s] = True
            s -= 1
    return mask


def document_positions(doc_ids: Int[np.ndarray, " T"]) -> Int[np.ndarray, " T"]:
    """Count on while the id stays the same, and begin again where it changes."""
    positions = np.zeros(len(doc_ids), dtype=np.int64)
    for t in range(1, len(doc_ids)):
        if doc_ids[t] == doc_ids[t - 1]:
            positions[t] = positions[t - 1] + 1
    return positions
