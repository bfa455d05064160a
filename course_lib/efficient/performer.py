"""Random features whose kernel is the softmax's on the average."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.attention.fitting import require_key_values, require_same_batch
from course_lib.efficient.kernel_attention import causal_kernel_attention, kernel_attention
from course_lib.kinds import require_same_dtype
from course_lib.precision import at_least_float32
from course_lib.shapes import require_axes
from course_lib.sizes import require_positive

__all__ = ["orthogonal_projections", "performer_attention", "performer_features"]


def performer_features(
    x: Float[Tensor, "*batch T D"], w: Float[Tensor, "_ D"]
) -> Float[Tensor, "*batch T _"]:
    r"""Turn queries or keys into positive features whose products estimate exp(q · k / √D).

    .. math:: \phi(x)_m = \frac{1}{\sqrt{M}} \exp\big( w_m \cdot y - \|y\|^2 / 2 \big), \qquad
        y = x / D^{1/4}

    For w of N(0, 1) entries the mean of φ(q) · φ(k) over draws is exp(q · k / √D), exactly.

    Args:
        x: queries or keys, unscaled: D^¼ here and there makes √D.
        w: M random rows, the same for queries and keys; ``orthogonal_projections`` draws them.

    Returns:
        M features per row, never negative, in the dtype of x. They overflow where ‖w‖² is large,
        and round to 0 where ‖y‖² is: ``performer_attention`` divides by the largest first.

    Raises:
        ValueError: if x and w differ in D or in dtype, or there is no row of w.

    Source: Choromanski et al. 2020 (arXiv:2009.14794), lemma 1 and eq. 7; no maximum is subtracted
    and no ε added, as their code does.

    >>> performer_features(torch.zeros(1, 4), torch.ones(4, 4))
    tensor([[0.5000, 0.5000, 0.5000, 0.5000]])
    """
    return (_log_features(x, w).exp() / math.sqrt(len(w))).to(x.dtype)


def performer_attention(
    query: Float[Tensor, "*batch T D"],
    key: Float[Tensor, "*batch S D"],
    value: Float[Tensor, "*batch S Dv"],
    w: Float[Tensor, "_ D"],
    causal: bool,
) -> Float[Tensor, "*batch T Dv"]:
    r"""Estimate softmax attention by M random features, in a time that grows with T + S.

    .. math:: O_t = \frac{\phi(q_t)^\top \sum_s \phi(k_s) v_s^\top}
        {\phi(q_t)^\top \sum_s \phi(k_s)}

    Args:
        query: one row per position that asks.
        key: one row per position that can be read.
        value: one per key.
        w: M random rows.
        causal: True lets position t read its own key and those before it, and needs T = S.

    Returns:
        One mean of values per query. The largest exponent of each query, and of all keys of a head,
        is subtracted: it cancels, so no feature overflows. Features have at least float32. A key
        whose features are all smaller than the largest by more than that holds is not read, and
        where that holds for every key that a query may read, its row is NaN.

    Raises:
        ValueError: if sizes, leading axes or dtypes do not fit, there is no key or no row of w, or
            T and S differ where causal is True.

    Source: Choromanski et al. 2020 (arXiv:2009.14794), sec. 2.2 and 2.3.
    Cost: 2 (T + S) M (D + Dv) FLOPs; (T + S) M features and M Dv sums are held.
    """
    require_same_batch(query, value, "value")
    require_key_values(key, value)
    by_query, by_key = _log_features(query, w), _log_features(key, w)
    # Detached: what cancels has no gradient.
    by_query = by_query - _largest(by_query, -1).detach()
    by_key = by_key - _largest(_largest(by_key, -1), -2).detach()
    # In float16 a feature below 6e-8 would be 0, and a query that has no other key NaN.
    parts = by_query.exp(), by_key.exp(), at_least_float32(value)
    if not causal:
        return kernel_attention(*parts).to(value.dtype)
    chunk = min(max(len(w), 16), 64)
    return causal_kernel_attention(*parts, chunk).to(value.dtype)


def orthogonal_projections(
    num_features: int, head_dim: int, generator: torch.Generator
) -> Float[Tensor, "_ D"]:
    r"""Draw random rows that are orthogonal within each D of them, as long as normal ones.

    Each row alone is N(0, 1) in every entry, so the estimate stays right on the average; rows that
    do not repeat each other's direction make it vary less.

    Args:
        num_features: M, at least 1; more than D are drawn in groups of D.
        head_dim: D, the entries of a row.
        generator: where the randomness comes from.

    Returns:
        M rows of D entries, in float64.

    Raises:
        ValueError: if a size is below 1.

    Source: Choromanski et al. 2020 (arXiv:2009.14794), sec. 2.4.
    """
    require_positive(num_features=num_features, head_dim=head_dim)
    groups = -(-num_features // head_dim)
    shape = (2, groups, head_dim, head_dim)
    drawn = torch.randn(shape, generator=generator, dtype=torch.float64, device=generator.device)
    q, r = torch.linalg.qr(drawn[0])
    # A QR's signs follow a convention: without those of R the directions would not be even.
    directions: Tensor = q * r.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)
    lengths: Tensor = torch.linalg.vector_norm(drawn[1], dim=-1, keepdim=True)
    return (directions.mT * lengths).flatten(0, 1)[:num_features]


def _log_features(x: Tensor, w: Tensor) -> Tensor:
    """The logarithms of the features, but for √M."""
    require_axes("x", x, "*batch T D")
    require_axes("w", w, "M D")
    require_same_dtype(x=x, w=w)
    if w.shape[0] == 0 or w.shape[1] != x.shape[-1]:
        raise ValueError(
            "each feature has a row of w with one entry for each of x, and there is one at least; "
            f"w has {w.shape[0]} rows of D={w.shape[1]} and x D={x.shape[-1]}; "
            f"shapes {tuple(w.shape)} and {tuple(x.shape)}"
        )
    y = at_least_float32(x) / math.sqrt(math.sqrt(x.shape[-1]))
    return y @ at_least_float32(w).mT - y.square().sum(-1, keepdim=True) / 2


def _largest(x: Tensor, axis: int) -> Tensor:
    return x.amax(axis, keepdim=True)
