"""Queries and keys of bounded length: scores that cannot explode in training."""

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.attention.dot_product import attention_scores
from course_lib.kinds import require_floats
from course_lib.layers.norms import rms_norm
from course_lib.precision import at_least_float32
from course_lib.sizes import require_number

__all__ = ["cosine_scores", "normalise_heads", "normalise_projections"]


def normalise_heads(
    query: Float[Tensor, "B H T D"],
    key: Float[Tensor, "B G S D"],
    g_q: Float[Tensor, " D"],
    g_k: Float[Tensor, " D"],
    eps: float,
) -> tuple[Float[Tensor, "B H T D"], Float[Tensor, "B G S D"]]:
    r"""Give every query and every key the same root mean square, head by head.

    .. math:: q' = \frac{q}{\sqrt{\frac{1}{D} \sum_d q_d^2 + \varepsilon}} \odot g_Q, \qquad
        k' \text{ alike with } g_K

    It stands after the split into heads and before RoPE; all heads of a layer share the gains.

    Args:
        query: one row per head and position.
        key: one row per key/value head and position.
        g_q: gain of the queries.
        g_k: gain of the keys.
        eps: added to the mean square.

    Returns:
        The queries and keys. With gains of 1 each has length √D at most, so a scaled score is at
        most √D in size. NaN or an infinity makes its vector NaN.

    Raises:
        ValueError: if a gain has not one entry for each of D.

    Source: Qwen3 (arXiv:2505.09388), sec. 2; Gemma 3 (arXiv:2503.19786) with a gain of 1 + g.
    Dehghani et al. 2023 (arXiv:2302.05442), sec. 2.1, used LayerNorm here.
    """
    return rms_norm(query, g_q, eps), rms_norm(key, g_k, eps)


def normalise_projections(
    query: Float[Tensor, "*batch T _"],
    key: Float[Tensor, "*batch S _"],
    g_q: Float[Tensor, " _"],
    g_k: Float[Tensor, " _"],
    eps: float,
) -> tuple[Float[Tensor, "*batch T _"], Float[Tensor, "*batch S _"]]:
    r"""Normalise the projections whole, all heads of a position together, before the split.

    .. math:: q' = \frac{q}{\sqrt{\frac{1}{HD} \sum_{i=1}^{HD} q_i^2 + \varepsilon}} \odot g_Q,
        \qquad k' \text{ alike over its } GD \text{ entries}

    A head may then be louder than the others, which the mean over one head forbids.

    Args:
        query: the projection into queries, H D entries a row.
        key: the projection into keys, G D entries a row.
        g_q: gain of the queries, one per entry.
        g_k: gain of the keys, one per entry.
        eps: added to the mean square.

    Returns:
        The projections, to be split into heads and rotated. NaN or an infinity makes its vector
        NaN.

    Raises:
        ValueError: if a gain has not one entry for each column.

    Source: OLMo 2 (arXiv:2501.00656), sec. 3.3; MiniMax-M2 does the same.
    """
    return rms_norm(query, g_q, eps), rms_norm(key, g_k, eps)


def cosine_scores(
    query: Float[Tensor, "*batch T D"],
    key: Float[Tensor, "*batch S D"],
    scale: Float[Tensor, ""] | float,
) -> Float[Tensor, "*batch T S"]:
    r"""Compare directions alone: the cosine of the angle, times a scale that is learnt.

    .. math:: z_{ts} = g\, \frac{q_t \cdot k_s}{\lVert q_t \rVert\, \lVert k_s \rVert}

    Args:
        query: one row per position that asks.
        key: one row per position that can be read.
        scale: g, which takes the place of 1/√D: a cosine is at most 1, and the softmax needs more.

    Returns:
        Scores from -g to g, in the dtype of the query; half precision is computed in float32 and
        rounded once. A vector of zeros has no direction and scores 0 with everything; no finite
        vector is too long or too short. NaN or an infinity in a vector makes its scores NaN.

    Raises:
        ValueError: if query and key differ in D or in their leading axes, or the scale is neither
            a number nor a tensor.

    Source: Henry et al. 2020 (arXiv:2010.04245), eq. 3; their g starts at log₂(S² - S), S the
    97.5th percentile of the training data's lengths.

    >>> cosine_scores(torch.tensor([[3.0, 4.0]]), torch.tensor([[1.0, 0.0]]), scale=10.0)
    tensor([[6.]])
    """
    require_floats(query=query, key=key)
    if not isinstance(scale, Tensor):
        require_number(scale=scale)
    return (scale * attention_scores(_unit(query), _unit(key))).to(query.dtype)


def _unit(vectors: Tensor) -> Tensor:
    wide = at_least_float32(vectors)
    largest = wide.detach().abs().amax(-1, keepdim=True)
    scaled = wide / largest.masked_fill(largest == 0, 1.0)  # squares neither overflow nor vanish
    length = torch.linalg.vector_norm(scaled, dim=-1, keepdim=True)
    unit: Tensor = scaled / length.masked_fill(length == 0, 1.0)
    return unit
