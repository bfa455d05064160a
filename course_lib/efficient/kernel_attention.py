"""A kernel in the softmax's place: then the sum over keys is made once, for all queries."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.attention.dot_product import attention_scores
from course_lib.attention.fitting import require_key_values, require_same_batch, require_same_size
from course_lib.kinds import require_floats
from course_lib.masks import require_mask
from course_lib.precision import at_least_float32
from course_lib.sizes import require_positive

__all__ = [
    "causal_kernel_attention",
    "elu_features",
    "kernel_attention",
    "kernel_attention_by_scores",
]


def elu_features(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    r"""Make the entries of queries and keys positive.

    .. math:: \phi(x) = \mathrm{elu}(x) + 1 = \begin{cases} x + 1 & x > 0 \\ e^x & x \le 0
        \end{cases}

    Args:
        x: queries or keys.

    Returns:
        The features, in the dtype of x; an entry below -745 (float64) rounds to 0.

    Raises:
        ValueError: if x does not hold floating-point numbers.

    Source: Katharopoulos et al. 2020 (arXiv:2006.16236), eq. 7.

    >>> elu_features(torch.tensor([-1.0, 0.0, 2.0]))
    tensor([0.3679, 1.0000, 3.0000])
    """
    require_floats(x=x)
    wide = at_least_float32(x)
    # Above 0 it is x + e⁰: no exponential that is not wanted can overflow.
    return (wide.clamp(max=0.0).exp_() + torch.relu(wide)).to(x.dtype)


def kernel_attention(
    query_features: Float[Tensor, "*batch T D"],
    key_features: Float[Tensor, "*batch S D"],
    value: Float[Tensor, "*batch S Dv"],
) -> Float[Tensor, "*batch T Dv"]:
    r"""Read all keys through their sum of features times values (two-sided).

    .. math:: O_t = \frac{\phi(q_t)^\top \sum_s \phi(k_s) v_s^\top}
        {\phi(q_t)^\top \sum_s \phi(k_s)}

    The brackets are what changes: (φ(Q) φ(K)ᵀ) V makes T S numbers, φ(Q) (φ(K)ᵀ V) makes D Dv.

    Args:
        query_features: φ(q), positive; D counts features here.
        key_features: φ(k), positive.
        value: one per key.

    Returns:
        One mean of values per query. NaN where all features of a query, or of the keys, are 0.
        Keys are summed before any query looks: a NaN or an infinity reaches all.

    Raises:
        ValueError: if the features differ in D, keys and values in S, any two in their leading
            axes or in dtype, or if there is no key.

    Source: Katharopoulos et al. 2020 (arXiv:2006.16236), eq. 4 to 6; no ε is added.
    Cost: 2 (T + S) D (Dv + 1) FLOPs; D (Dv + 1) numbers are held beyond inputs and output.
    """
    _require_features(query_features, key_features, value)
    query, key, values = map(at_least_float32, (query_features, key_features, value))
    state = key.mT @ values
    normaliser = query @ key.sum(-2).unsqueeze(-1)
    return (query @ state / normaliser).to(value.dtype)


def kernel_attention_by_scores(
    query_features: Float[Tensor, "*batch T D"],
    key_features: Float[Tensor, "*batch S D"],
    value: Float[Tensor, "*batch S Dv"],
    may_attend: Bool[Tensor, "*#batch #T #S"] | None = None,
) -> Float[Tensor, "*batch T Dv"]:
    r"""The same mean with every weight made: the form that takes any mask.

    .. math:: P_{ts} = \frac{M_{ts}\, \phi(q_t) \cdot \phi(k_s)}
        {\sum_r M_{tr}\, \phi(q_t) \cdot \phi(k_r)}, \qquad O = P V

    Args:
        query_features: φ(q), positive; D counts features here.
        key_features: φ(k), positive.
        value: one per key.
        may_attend: True where query t may read key s; None allows every pair.

    Returns:
        One mean of values per query; zeros where nothing may be read. NaN or an infinity in a value
        reaches all queries: 0 · NaN is NaN.

    Raises:
        ValueError: if features, values or mask do not fit, or there is no key.
        TypeError: if may_attend is not of torch.bool.

    Source: Katharopoulos et al. 2020 (arXiv:2006.16236), eq. 3 and 8.
    Cost: 2 T S (D + Dv) FLOPs, as the softmax has; T S scores are held.
    """
    _require_features(query_features, key_features, value)
    query, key, values = map(at_least_float32, (query_features, key_features, value))
    scores = attention_scores(query, key)
    if may_attend is None:
        may_attend = torch.ones(1, 1, dtype=torch.bool, device=scores.device)
    require_mask(may_attend, scores)
    scores = scores.masked_fill(~may_attend, 0.0)
    reads = may_attend.expand_as(scores).any(-1, keepdim=True)
    normaliser = scores.sum(-1, keepdim=True).masked_fill(~reads, 1.0)
    return (scores / normaliser @ values).to(value.dtype)


def causal_kernel_attention(
    query_features: Float[Tensor, "*batch T D"],
    key_features: Float[Tensor, "*batch T D"],
    value: Float[Tensor, "*batch T Dv"],
    chunk: int,
) -> Float[Tensor, "*batch T Dv"]:
    r"""Read one's own key and all before it: scores within a chunk, a running sum before it.

    .. math:: O_t = \frac{\phi(q_t)^\top Z_c + \sum_{s=c}^{t} w_{ts} v_s^\top}
        {\phi(q_t)^\top n_c + \sum_{s=c}^{t} w_{ts}}

    .. math:: w_{ts} = \phi(q_t) \cdot \phi(k_s)

    .. math:: Z_c = \sum_{s < c} \phi(k_s) v_s^\top, \quad n_c = \sum_{s < c} \phi(k_s)

    c is the first position of t's chunk.

    Args:
        query_features: φ(q), positive; D counts features here.
        key_features: φ(k) of the same positions.
        value: one per key.
        chunk: positions of a chunk; the last one may be shorter. With T of them all weights are
            made, as in ``kernel_attention_by_scores``; with 1, it is ``linear_attention_step``.

    Returns:
        One mean of values per query, whatever the chunk. NaN or an infinity reaches its own chunk
        and all later ones.

    Raises:
        ValueError: if the chunk is below 1, queries and keys differ in number, features or values
            do not fit, or there is no position.

    Source: Katharopoulos et al. 2020 (arXiv:2006.16236), eq. 9 to 12; in chunks: Hua et al. 2022
    (arXiv:2202.10447), sec. 3.3.
    Cost: 2 T (D + Dv) chunk + 4 T D Dv FLOPs; chunk² + D (Dv + 1) numbers are held at a time.
    """
    require_positive(chunk=chunk)
    _require_features(query_features, key_features, value)
    if query_features.shape[-2] != key_features.shape[-2]:
        raise ValueError(
            "each position reads itself and what came before, so there are as many queries as "
            f"keys; T is {query_features.shape[-2]} and S is {key_features.shape[-2]}; "
            f"shapes {tuple(query_features.shape)} and {tuple(key_features.shape)}"
        )
    query, key, values = map(at_least_float32, (query_features, key_features, value))
    state = key.new_zeros(*key.shape[:-2], key.shape[-1], values.shape[-1])
    normaliser = key.new_zeros(*key.shape[:-2], key.shape[-1], 1)
    outputs = []
    parts = (torch.split(tensor, chunk, dim=-2) for tensor in (query, key, values))
    for q, k, v in zip(*parts, strict=True):
        scores = (q @ k.mT).tril()
        total = q @ normaliser + scores.sum(-1, keepdim=True)
        outputs.append((q @ state + scores @ v) / total)
        state, normaliser = state + k.mT @ v, normaliser + k.sum(-2).unsqueeze(-1)
    return torch.cat(outputs, dim=-2).to(value.dtype)


def _require_features(query: Tensor, key: Tensor, value: Tensor) -> None:
    require_same_batch(query, key, "key")
    require_same_batch(query, value, "value")
    require_same_size(query, key)
    require_key_values(key, value)
