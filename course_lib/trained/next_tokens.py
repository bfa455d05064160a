"""What a trained model expects behind some lines: logits over a whole vocabulary."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.tokenizer.bpe import ranks_from_merges
from course_lib.trained.released_tokens import load_shakespeare_merges

__all__ = ["NEXT_TOKENS", "load_next_tokens", "shakespeare_tokens"]

#: Written by ``data/train_next_tokens.py``.
NEXT_TOKENS = Path(__file__).parent.parent / "data" / "next_tokens.npz"


def shakespeare_tokens() -> list[bytes]:
    """Return the vocabulary of the 600 merges.

    Returns:
        The bytes of each token, in the order of the ids.
    """
    ranks = ranks_from_merges(load_shakespeare_merges())
    return sorted(ranks, key=ranks.__getitem__)


def load_next_tokens() -> dict[str, Float[Tensor, " V"]]:
    """Read the logits of the next token behind lines that the model has not seen.

    Returns:
        A line -> the logits, in float32, over the 856 tokens of ``shakespeare_tokens``.
    """
    with np.load(NEXT_TOKENS) as arrays:
        rows = torch.from_numpy(arrays["logits"]).float()
        return dict(zip(arrays["contexts"].tolist(), rows, strict=True))
