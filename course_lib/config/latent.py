"""The sizes of multi-head latent attention."""

from dataclasses import dataclass

from course_lib.config.norms import RMSNormConfig
from course_lib.config.rope import RopeConfig
from course_lib.sizes import require_positive

__all__ = ["LatentAttentionConfig"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentAttentionConfig:
    """Causal self-attention whose keys and values are made from one small vector a token.

    Attributes:
        num_heads: H of them.
        head_dim: D, entries of a query and a key that are not rotated.
        value_dim: Dv, entries of a value.
        latent_dim: Dc, entries of what a token leaves behind for all heads.
        rope: how the Dr entries are rotated that a query has beside D, and that a token's one
            rotary key has for all heads; Dr is its rotary_dim.
        query_latent_dim: entries of the vector that queries are made from; None where they are
            made from x itself, as in DeepSeek-V2-Lite.
        norm: of the latent vectors.
    """

    num_heads: int
    head_dim: int
    value_dim: int
    latent_dim: int
    rope: RopeConfig
    query_latent_dim: int | None = None
    norm: RMSNormConfig = RMSNormConfig(eps=1e-6)

    def __post_init__(self) -> None:
        require_positive(
            num_heads=self.num_heads,
            head_dim=self.head_dim,
            value_dim=self.value_dim,
            latent_dim=self.latent_dim,
        )
        if self.query_latent_dim is not None:
            require_positive(query_latent_dim=self.query_latent_dim)
