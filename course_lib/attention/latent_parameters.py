"""The matrices of multi-head latent attention that make keys and values, as data."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

__all__ = ["LatentParameters"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentParameters:
    """What makes keys and values; head h owns columns h D to (h + 1) D of w_uk, and so on.

    Attributes:
        w_dkv: projection of x down to the latent vector.
        g_kv: gain of the latent vector's norm.
        w_kr: projection of x to the rotary key that all heads share.
        w_uk: projection of the latent vector up to the keys of all heads, H D columns.
        w_uv: projection of the latent vector up to the values of all heads, H Dv columns.
    """

    w_dkv: Float[Tensor, "C Dc"]
    g_kv: Float[Tensor, " Dc"]
    w_kr: Float[Tensor, "C Dr"]
    w_uk: Float[Tensor, "Dc _"]
    w_uv: Float[Tensor, "Dc _"]
