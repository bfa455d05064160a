"""The attention of a whole trained layer (MiniLM): what each of its heads read, found and wrote.

The arrays in ``data/minilm_layer.npz`` are written by ``data/extract_minilm_layer.py`` and are
checked against the released model by ``tests/oracles/test_minilm_layer.py``. Licences:
``data/NOTICE.md``.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["LAYER", "LAYER_DATA", "SENTENCE", "TrainedLayer", "load_trained_layer"]

LAYER_DATA = Path(__file__).parent.parent / "data" / "minilm_layer.npz"

#: The layer, counted from 0, and the sentence that it reads.
LAYER = 3
SENTENCE = "The animal did not cross the street because it was too tired."


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedLayer:
    """The attention of one layer of MiniLM on one sentence: T = 15, H = 12, D = 32, C = 384.

    Attributes:
        tokens: the sentence, [CLS] before it and [SEP] behind it.
        weights: whom each head reads; row t holds the weights of query t.
        outputs: what each head found, the weighted mean of its values, before ``w_o``.
        b_v: the bias of each head's values, which is contained in ``outputs``.
        w_o: the heads' outputs, side by side, -> the width C; stored as ``x @ w_o``.
        b_o: its bias.
        written: what the layer's attention adds to its input.
    """

    tokens: tuple[str, ...]
    weights: Float[Tensor, "H T T"]
    outputs: Float[Tensor, "H T D"]
    b_v: Float[Tensor, "H D"]
    w_o: Float[Tensor, "_ C"]
    b_o: Float[Tensor, " C"]
    written: Float[Tensor, "T C"]


def load_trained_layer() -> TrainedLayer:
    """Load layer 3 of MiniLM, reading "The animal did not cross the street because ...".

    Returns:
        What the twelve heads of the layer did, and the matrix that joins them, in float32.

    Source: sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), see ``data/NOTICE.md``.
    """
    with np.load(LAYER_DATA, allow_pickle=False) as arrays:
        tokens = tuple(str(token) for token in arrays["tokens"])
        numbers = {
            name: torch.from_numpy(arrays[name]) for name in arrays.files if name != "tokens"
        }
    return TrainedLayer(tokens=tokens, **numbers)
