"""Handwritten digits: 1,797 small images."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["DIGITS", "load_digits"]

#: Images and labels; their origin: ``data/NOTICE.md``.
DIGITS = Path(__file__).parent.parent / "data" / "digits.npz"


def load_digits() -> tuple[Float[Tensor, "B 1 8 8"], Int[Tensor, " B"]]:
    """Read the images and what they show.

    Returns:
        The images, one channel of 8 x 8 pixels from 0 to 1, and the digit that each shows.

    Source: Alpaydin and Kaynak 1998, the test set, as scikit-learn ships it; ``data/NOTICE.md``.
    """
    with np.load(DIGITS) as arrays:
        images = torch.from_numpy(arrays["images"]).float() / 16
        return images.unsqueeze(1), torch.from_numpy(arrays["labels"]).long()
