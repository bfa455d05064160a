"""The factor on the scores: what it is in published models, and what happens without it."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.kinds import require_integers
from course_lib.sizes import require_above_zero, require_number, require_positive, require_whole
from course_lib.softmax import softmax

__all__ = ["growing_scale", "saturation", "score_variance", "softmax_scale"]

# Trials of `saturation` are drawn in chunks of about this many numbers (32 MiB in float64).
_CHUNK = 2**22


def softmax_scale(
    head_dim: int, query_pre_attn_scalar: float | None = None, yarn_factor: float | None = None
) -> float:
    r"""Return the factor on q · k before the softmax.

    .. math:: \text{scale} = \frac{1}{\sqrt{a}} \, (0.1 \ln f + 1)^2, \qquad
        a = D \text{ unless the model says otherwise}

    YaRN multiplies queries and keys by 0.1 ln f + 1 each, so the factor enters squared.

    Args:
        head_dim: D, the size of a query or key vector.
        query_pre_attn_scalar: a, what some models divide by instead of D (the name in Gemma's
            configuration); None means D.
        yarn_factor: f, by how much YaRN stretches the context, at least 1; None means no YaRN.

    Returns:
        The factor, to be multiplied with the unscaled scores.

    Raises:
        ValueError: if head_dim < 1, query_pre_attn_scalar <= 0, yarn_factor < 1, or one of them is
            infinite or NaN.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), eq. 1; Gemma 2 (arXiv:2408.00118), whose 27B
    divides by √144; YaRN: Peng et al. 2023 (arXiv:2309.00071), whose √(1/t) is 0.1 ln s + 1; their
    s is our f.

    >>> softmax_scale(64)
    0.125
    >>> softmax_scale(128, query_pre_attn_scalar=144) == 1 / 12
    True
    """
    require_whole(head_dim=head_dim)
    if head_dim < 1:
        raise ValueError(f"head_dim counts the entries of a query, so D >= 1; D is {head_dim}")
    given = {"query_pre_attn_scalar": query_pre_attn_scalar, "yarn_factor": yarn_factor}
    require_number(**{name: number for name, number in given.items() if number is not None})
    divisor = head_dim if query_pre_attn_scalar is None else query_pre_attn_scalar
    if not 0 < divisor < math.inf:
        raise ValueError(
            "scores are divided by the root of query_pre_attn_scalar: it is positive and finite; "
            f"it is {query_pre_attn_scalar}, with head_dim = {head_dim}"
        )
    if yarn_factor is not None and not 1 <= yarn_factor < math.inf:
        raise ValueError(
            "YaRN stretches the context, so yarn_factor >= 1 and finite; "
            f"yarn_factor is {yarn_factor}, with head_dim = {head_dim}"
        )
    attention_factor = 1.0 if yarn_factor is None else 0.1 * math.log(yarn_factor) + 1.0
    return attention_factor**2 / math.sqrt(divisor)


def growing_scale(
    positions: Int[Tensor, "*batch T"], floor: int, factor: float
) -> Float[Tensor, "*batch T"]:
    r"""Return by what the scores of a query grow with its position.

    .. math:: g_p = 1 + a \ln\Big(1 + \Big\lfloor \frac{p + 1}{f} \Big\rfloor\Big)

    Over more keys a softmax spreads thinner; larger scores hold against that. Without rotations
    nothing else in a layer depends on where the query stands.

    Args:
        positions: p of each query, from 0.
        floor: f, positions in which nothing grows.
        factor: a, how fast the scores grow.

    Returns:
        A factor on the scores of each query, in float32; 1 up to position f - 2.

    Raises:
        ValueError: if floor is below 1, factor not above 0, or a position no integer.

    Source: Llama 4, as in transformers' Llama4TextAttention, with f = 8192 and a = 0.1, after
    Nakanishi 2025 (arXiv:2501.19399), whose scores grow by the logarithm of the number of keys.

    >>> growing_scale(torch.tensor([0, 2, 3]), floor=4, factor=0.1)
    tensor([1.0000, 1.0000, 1.0693])
    """
    require_integers(positions=positions)
    require_positive(floor=floor)
    require_above_zero("factor", factor, "what makes scores grow")
    steps = (positions + 1).div(floor, rounding_mode="floor")
    return 1.0 + factor * torch.log1p(steps.to(torch.float32))


def score_variance(D: int, n: int, generator: torch.Generator, scale: float) -> float:
    r"""Measure the variance of a score between random vectors.

    For q and k with independent entries of mean 0 and variance 1,

    .. math:: \operatorname{Var}(\text{scale} \cdot q \cdot k) = \text{scale}^2 D

    Args:
        D: the size of the vectors, head_dim.
        n: pairs drawn, at least 2.
        generator: where the randomness comes from.
        scale: the factor on q · k.

    Returns:
        The unbiased sample variance of scale · q · k over n pairs of N(0, 1) vectors; its
        standard error is about scale² · √(2 D (D + 3) / n).

    Raises:
        ValueError: if D < 1, n < 2 or the scale is not finite.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), footnote 4.
    """
    require_whole(D=D, n=n)
    _require_finite(scale)
    if D < 1:
        raise ValueError(f"a vector has at least one entry, so D >= 1; D is {D}, n is {n}")
    if n < 2:
        raise ValueError(f"a variance needs at least two pairs, so n >= 2; n is {n}, D is {D}")
    query = torch.randn(n, D, generator=generator, dtype=torch.float64, device=generator.device)
    key = torch.randn(n, D, generator=generator, dtype=torch.float64, device=generator.device)
    return (scale * (query * key).sum(-1)).var().item()


def saturation(D: int, S: int, scale: float, trials: int, generator: torch.Generator) -> float:
    r"""Measure how much weight the best of S random keys gets.

    .. math:: \mathbb{E} \max_s \mathrm{softmax}(\text{scale} \cdot q K^\top)_s

    Near 1 the softmax is saturated: it reads one key, and its gradient is nearly zero. Near 1/S
    it reads all alike.

    Args:
        D: the size of the vectors, head_dim.
        S: keys that compete.
        scale: the factor on q · k.
        trials: queries drawn, each with S keys of its own.
        generator: where the randomness comes from.

    Returns:
        The mean over the trials of the largest weight, for q and k of N(0, 1) entries.

    Raises:
        ValueError: if D, S or trials is below 1, or the scale is not finite.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), sec. 3.2.1, who suspect it; the figures of the
    chapter are measured.
    Cost: trials · S · D normal numbers; at most some 32 MiB of them are held at a time.
    """
    require_whole(D=D, S=S, trials=trials)
    _require_finite(scale)
    for name, size in (("D", D), ("S", S), ("trials", trials)):
        if size < 1:
            raise ValueError(
                f"saturation needs vectors, keys and trials, so {name} >= 1; {name} is {size}; "
                f"D={D}, S={S}, trials={trials}"
            )
    chunk = max(1, _CHUNK // (S * D))
    total = 0.0
    for start in range(0, trials, chunk):
        count = min(chunk, trials - start)
        shape = (count, S + 1, D)  # row 0 is the query, the others are its keys
        drawn = torch.randn(
            shape, generator=generator, dtype=torch.float64, device=generator.device
        )
        scores = scale * torch.einsum("nd,nsd->ns", drawn[:, 0], drawn[:, 1:])
        total += softmax(scores).amax(-1).sum().item()
    return total / trials


def _require_finite(scale: float) -> None:
    require_number(scale=scale)
    if not math.isfinite(scale):
        raise ValueError(f"scores are multiplied by the scale, so it is finite; scale is {scale}")
