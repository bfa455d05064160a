"""Heads of a trained model (MiniLM), small enough to be committed: their inputs and weights.

The arrays in ``data/minilm_heads.npz`` are written by ``data/extract_minilm.py`` and are checked
against the released model by ``tests/oracles/test_minilm.py``. Licences: ``data/NOTICE.md``.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.attention.dot_product import project_qkv, scaled_dot_product_attention

__all__ = ["DATA", "HEADS", "SENTENCES", "TrainedHead", "head_attention", "load_trained_head"]

DATA = Path(__file__).parent.parent / "data" / "minilm_heads.npz"

SENTENCES: dict[str, str] = {
    "too-tired": "The animal did not cross the street because it was too tired.",
    "too-wide": "The animal did not cross the street because it was too wide.",
}

#: name -> (layer, head, key of SENTENCES); layers and heads are counted from 0.
HEADS: dict[str, tuple[int, int, str]] = {
    "it-animal": (3, 1, "too-tired"),
    "it-animal-wide": (3, 1, "too-wide"),
    "previous-token": (0, 2, "too-tired"),
    "next-token": (1, 8, "too-tired"),
    "cls-sink": (4, 5, "too-tired"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedHead:
    """One head of MiniLM with what it reads: T tokens, C = 384, D = 32.

    The weights are stored as ``x @ w``: [C D], the transpose of PyTorch's ``nn.Linear.weight``.
    """

    name: str
    layer: int
    head: int
    sentence: str
    tokens: tuple[str, ...]
    inputs: Float[Tensor, "T C"]
    w_q: Float[Tensor, "C D"]
    b_q: Float[Tensor, " D"]
    w_k: Float[Tensor, "C D"]
    b_k: Float[Tensor, " D"]
    w_v: Float[Tensor, "C D"]
    b_v: Float[Tensor, " D"]


def load_trained_head(name: str) -> TrainedHead:
    """Load one of the committed heads.

    Args:
        name: "it-animal" (layer 3, head 1), "it-animal-wide" (the same head reading "too wide"),
            "previous-token" (0, 2), "next-token" (1, 8) or "cls-sink" (4, 5).

    Returns:
        The head's weights and the sentence that it reads, in float32.

    Raises:
        ValueError: if no head of that name is committed.

    Source: sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), see ``data/NOTICE.md``.
    """
    if name not in HEADS:
        raise ValueError(
            f"a trained head is loaded by its name; {name!r} is none; known are {', '.join(HEADS)}"
        )
    layer, head, sentence = HEADS[name]
    with np.load(DATA, allow_pickle=False) as arrays:
        weights = {
            part: torch.from_numpy(arrays[f"layer{layer}.head{head}.{part}"])
            for part in ("w_q", "b_q", "w_k", "b_k", "w_v", "b_v")
        }
        inputs = torch.from_numpy(arrays[f"layer{layer}.inputs.{sentence}"])
        tokens = tuple(str(token) for token in arrays[f"tokens.{sentence}"])
    return TrainedHead(
        name=name,
        layer=layer,
        head=head,
        sentence=SENTENCES[sentence],
        tokens=tokens,
        inputs=inputs,
        **weights,
    )


def head_attention(
    head: TrainedHead,
) -> tuple[Float[Tensor, "T D"], Float[Tensor, "T T"]]:
    r"""Compute what one trained head writes and whom each token reads.

    BERT's projections have biases, so they are added to those of ``project_qkv``:

    .. math:: Q = X W_Q + b_Q, \quad K = X W_K + b_K, \quad V = X W_V + b_V

    Args:
        head: a head from ``load_trained_head``.

    Returns:
        The head's output (before W_O) and its weights; row t holds the weights of query t.

    Source: Devlin et al. 2018 (arXiv:1810.04805); Vaswani et al. 2017 (arXiv:1706.03762), eq. 1.
    """
    query, key, value = project_qkv(head.inputs, head.w_q, head.w_k, head.w_v)
    return scaled_dot_product_attention(query + head.b_q, key + head.b_k, value + head.b_v)
