"""Slower rotations for longer texts: interpolation, NTK, Llama 3's steps, YaRN."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.kinds import require_floats
from course_lib.positions.rope import rope_inv_freq
from course_lib.positions.rotation_table import require_frequencies
from course_lib.sizes import is_above_zero, require_factor, require_number, require_whole

__all__ = [
    "interpolated_inv_freq",
    "llama3_inv_freq",
    "ntk_inv_freq",
    "yarn_inv_freq",
    "yarn_inv_freq_truncated",
]


def interpolated_inv_freq(inv_freq: Float[Tensor, " _"], factor: float) -> Float[Tensor, " _"]:
    r"""Slow every pair down alike: position s·t turns as far as position t did.

    .. math:: \theta_i' = \theta_i / s

    Args:
        inv_freq: θ, radians per position, one per pair.
        factor: s, how many times longer the context becomes; at least 1.

    Returns:
        The new frequencies.

    Raises:
        ValueError: if the factor is below 1, infinite or NaN, or a frequency infinite or NaN.

    Source: Chen et al. 2023 (arXiv:2306.15595), eq. 4, "position interpolation".

    >>> interpolated_inv_freq(torch.tensor([1.0, 0.5]), 4.0)
    tensor([0.2500, 0.1250])
    """
    require_factor(factor)
    require_floats(inv_freq=inv_freq)
    require_frequencies(inv_freq)
    return inv_freq / factor


def ntk_inv_freq(
    rotary_dim: int, base: float, factor: float, *, device: torch.device | str | None = None
) -> Float[Tensor, " _"]:
    r"""Raise the base, so that fast pairs stay and the slowest is slowed down by the factor.

    .. math:: b' = b \, s^{D/(D-2)}, \qquad \theta_i' = b'^{-2i/D} = \theta_i \, s^{-2i/(D-2)}

    Args:
        rotary_dim: D, the entries of a head that turn; even, above 2.
        base: b, before.
        factor: s, how many times longer the context becomes; at least 1.
        device: where the frequencies live; None is PyTorch's default.

    Returns:
        The new frequencies: the first is 1 as before, the last divided by s.

    Raises:
        ValueError: if rotary_dim is odd or at most 2, base <= 0 or factor < 1, or one infinite, in
            float32 too.

    Source: Peng et al. 2023 (arXiv:2309.00071), sec. 3.1, "NTK-aware" interpolation.

    >>> ntk_inv_freq(4, 100.0, 4.0)
    tensor([1.0000, 0.0250], dtype=torch.float64)
    """
    require_factor(factor)
    require_whole(rotary_dim=rotary_dim)
    if rotary_dim <= 2:
        raise ValueError(
            "NTK scaling tells the first pair from the last, so rotary_dim is above 2; "
            f"rotary_dim is {rotary_dim} and base is {base}"
        )
    kept = rope_inv_freq(rotary_dim, base, device=device)
    share = torch.arange(len(kept), dtype=kept.dtype, device=device) / (len(kept) - 1)
    return kept / float(factor) ** share


def llama3_inv_freq(
    inv_freq: Float[Tensor, " _"],
    factor: float,
    low_freq_factor: float,
    high_freq_factor: float,
    context: int,
) -> Float[Tensor, " _"]:
    r"""Keep pairs that turn often within the context, slow rare ones down, blend in between.

    Pair i makes r turns within the L tokens of the first training:

    .. math:: r_i = \frac{L \theta_i}{2\pi}, \qquad
        \gamma_i = \mathrm{clip}\Big(\frac{r_i - \alpha}{\beta - \alpha}, 0, 1\Big), \qquad
        \theta_i' = \gamma_i \theta_i + (1 - \gamma_i) \, \theta_i / s

    Args:
        inv_freq: θ, radians per position, one per pair.
        factor: s, how much slower the rare pairs become; at least 1; 8 in Llama 3.1.
        low_freq_factor: α, in turns; with fewer a pair is slowed down fully; 1 in Llama 3.1.
        high_freq_factor: β, in turns; with more a pair stays as it is; 4 in Llama 3.1.
        context: L, the context length of the first training, in tokens; 8192 in Llama 3.1.

    Returns:
        The new frequencies.

    Raises:
        ValueError: if the factor is below 1, the context not positive, low_freq_factor not below
            high_freq_factor, or a number or a frequency infinite or NaN.

    Source: Meta's Llama 3.1 code, ``apply_scaling``; the blend is that of Peng et al. 2023
    (arXiv:2309.00071), sec. 3.2, "NTK-by-parts", with other bounds.

    >>> llama3_inv_freq(torch.tensor([1.0, 0.01, 0.001]), 8.0, 1.0, 4.0, 1024)
    tensor([1.0000e+00, 3.0868e-03, 1.2500e-04])
    """
    require_factor(factor)
    require_floats(inv_freq=inv_freq)
    require_frequencies(inv_freq)
    _require_ramp("low_freq_factor", low_freq_factor, "high_freq_factor", high_freq_factor, context)
    turns = context * inv_freq / (2 * math.pi)
    kept = ((turns - low_freq_factor) / (high_freq_factor - low_freq_factor)).clamp(0.0, 1.0)
    return kept * inv_freq + (1.0 - kept) * inv_freq / factor


def yarn_inv_freq(
    rotary_dim: int, base: float, context: int, factor: float, alpha: float, beta: float
) -> tuple[Float[Tensor, " _"], float]:
    r"""Keep fast pairs, slow the slow ones down, and sharpen the softmax a little.

    The pair that makes r turns within the L tokens of the first training has the (fractional)
    index i(r). From i(β) to i(α) a straight ramp leads from "kept" to "slowed down":

    .. math:: i(r) = \frac{D}{2} \, \frac{\ln(L / 2\pi r)}{\ln b}, \qquad
        \gamma_i = \mathrm{clip}\Big(\frac{i - i(\beta)}{i(\alpha) - i(\beta)}, 0, 1\Big)

    .. math:: \theta_i' = (1 - \gamma_i) \, \theta_i + \gamma_i \, \theta_i / s, \qquad
        c = 0.1 \ln s + 1

    Args:
        rotary_dim: D, the entries of a head that turn; even.
        base: b of the frequencies; above 1.
        context: L, the context length of the first training, in tokens.
        factor: s, how many times longer the context becomes; at least 1.
        alpha: α, in turns; a pair with fewer is slowed down fully; usually 1.
        beta: β, in turns; a pair with more stays as it is; usually 32.

    Returns:
        The new frequencies (float64) and the concentration c, a factor on rotated queries and keys
        alike. DeepSeek leaves it out of the rotation and multiplies the scale of the softmax by c²
        instead.

    Raises:
        ValueError: if rotary_dim is odd or below 2, base <= 1, factor < 1, context <= 0, alpha >=
            beta, a number is infinite or NaN, or no pair lies on the ramp's right side.

    Source: Peng et al. 2023 (arXiv:2309.00071), sec. 3.2 to 3.4. The paper's ramp is straight in
    the turns r; ours is straight in the index i, as in their code and in the released models.
    GPT-OSS (arXiv:2508.10925) takes the ends as they are.

    >>> _, concentration = yarn_inv_freq(64, 150000.0, 4096, 32.0, 1.0, 32.0)
    >>> round(concentration, 5)
    1.34657
    """
    low, high = _ramp_ends(rotary_dim, base, context, alpha, beta)
    return _blend(rotary_dim, base, factor, low, high)


def yarn_inv_freq_truncated(
    rotary_dim: int, base: float, context: int, factor: float, alpha: float, beta: float
) -> tuple[Float[Tensor, " _"], float]:
    r"""Compute YaRN with the ends of the ramp rounded outward to whole pairs.

    The ramp starts at the pair at or below i(β) and ends at the pair at or above i(α); all else
    is as in ``yarn_inv_freq``.

    Args:
        rotary_dim: D, the entries of a head that turn; even.
        base: b of the frequencies; above 1.
        context: L, the context length of the first training, in tokens.
        factor: s, how many times longer the context becomes; at least 1.
        alpha: α, in turns; a pair with fewer is slowed down fully; usually 1.
        beta: β, in turns; a pair with more stays as it is; usually 32.

    Returns:
        The new frequencies (float64) and the concentration c.

    Raises:
        ValueError: as ``yarn_inv_freq``.

    Source: the code of Peng et al. 2023 (arXiv:2309.00071); DeepSeek, Qwen and most released models
    follow it, GPT-OSS does not.

    >>> yarn_inv_freq_truncated(8, 10000.0, 64, 4.0, 1.0, 4.0)[0][:3]
    tensor([1.0000, 0.0625, 0.0025], dtype=torch.float64)
    """
    low, high = _ramp_ends(rotary_dim, base, context, alpha, beta)
    return _blend(rotary_dim, base, factor, math.floor(low), math.ceil(high))


def _ramp_ends(
    rotary_dim: int, base: float, context: int, alpha: float, beta: float
) -> tuple[float, float]:
    """The fractional indices of the pairs that make beta and alpha turns within the context."""
    _require_ramp("alpha", alpha, "beta", beta, context)
    require_whole(rotary_dim=rotary_dim)
    require_number(base=base)
    if not 1 < base < math.inf:
        raise ValueError(
            f"later pairs turn more slowly only if 1 < base < infinity; base is {base}"
        )

    def index(turns: float) -> float:
        return rotary_dim / 2 * math.log(context / (2 * math.pi * turns)) / math.log(base)

    return index(beta), index(alpha)


def _blend(
    rotary_dim: int, base: float, factor: float, low: float, high: float
) -> tuple[Tensor, float]:
    require_factor(factor)
    kept = rope_inv_freq(rotary_dim, base)
    # The bounds of the released code; rotary_dim - 1 lies beyond the last pair.
    low, high = max(low, 0), min(high, rotary_dim - 1)
    if low >= high:
        raise ValueError(
            "YaRN's ramp starts before it ends: too short a context leaves it no pair; "
            f"it starts at pair {low:g} and ends at pair {high:g}, for rotary_dim = {rotary_dim}"
        )
    pairs = torch.arange(rotary_dim // 2, dtype=kept.dtype)
    slowed = ((pairs - low) / (high - low)).clamp(0.0, 1.0)
    return (1.0 - slowed) * kept + slowed * kept / factor, 0.1 * math.log(factor) + 1.0


def _require_ramp(low_name: str, low: float, high_name: str, high: float, context: int) -> None:
    require_whole(context=context)
    require_number(**{low_name: low, high_name: high})
    if not (low < high and all(map(is_above_zero, (low, high, context)))):
        raise ValueError(
            f"a ramp leads from fewer turns in a context to more, so 0 < {low_name} < {high_name} "
            "and context > 0, all finite, in float32 too; "
            f"{low_name} is {low}, {high_name} is {high}, context is {context}"
        )
