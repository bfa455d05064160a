"""A decoder of two layers that finds what followed a symbol the last time."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["INDUCTION_MODEL", "load_induction"]

#: Written by ``data/measure_induction.py``.
INDUCTION_MODEL = Path(__file__).parent.parent / "data" / "induction.npz"


def load_induction() -> dict[str, Float[Tensor, "*_"]]:
    """Read the parameters of a trained decoder of two layers with one head each.

    Returns:
        The parameters by name, in float32, as the decoder of ``INDUCTION`` calls them; the file
        holds float16.
    """
    with np.load(INDUCTION_MODEL) as arrays:
        return {name: torch.from_numpy(arrays[name]).float() for name in arrays}
