"""The sizes and choices of one layer's attention."""

from dataclasses import dataclass

from course_lib.config.checks import require_above_zero, require_positive
from course_lib.config.norms import QKNormConfig
from course_lib.config.rope import RopeConfig

__all__ = ["AttentionConfig"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionConfig:
    """Causal self-attention of one layer.

    Attributes:
        num_heads: H, query heads.
        num_kv_heads: G, key/value heads; G divides H. G = H: multi-head; G = 1: multi-query.
        head_dim: D; H · D need not be d_model.
        rope: rotary positions; None means that this layer has none (NoPE, or learned positions).
        window: W, keys within reach, the query's own included; None means all before it.
        query_pre_attn_scalar: what the scores are divided by the root of, above 0; None means D.
        soft_cap: the bound on the scores, cap · tanh(scores / cap), above 0; None means no bound.
        qk_norm: how queries and keys are normalised; None means not at all.
        has_bias: True where the four projections have biases.
        has_sinks: True where each head has a sink logit.
    """

    num_heads: int
    num_kv_heads: int
    head_dim: int
    rope: RopeConfig | None = None
    window: int | None = None
    query_pre_attn_scalar: float | None = None
    soft_cap: float | None = None
    qk_norm: QKNormConfig | None = None
    has_bias: bool = False
    has_sinks: bool = False

    def __post_init__(self) -> None:
        require_positive(
            num_heads=self.num_heads, num_kv_heads=self.num_kv_heads, head_dim=self.head_dim
        )
        if self.num_heads % self.num_kv_heads:
            raise ValueError(
                "every key/value head serves the same number of query heads, so G divides H; "
                f"num_heads is {self.num_heads} and num_kv_heads {self.num_kv_heads}"
            )
        if self.window is not None:
            require_positive(window=self.window)
        if self.rope is not None and self.rope.rotary_dim > self.head_dim:
            raise ValueError(
                "RoPE rotates entries of a head, so rotary_dim <= head_dim; "
                f"rotary_dim is {self.rope.rotary_dim} and head_dim {self.head_dim}"
            )
        if self.query_pre_attn_scalar is not None:
            require_above_zero(
                "query_pre_attn_scalar",
                self.query_pre_attn_scalar,
                "scores are divided by the root of a number, which",
            )
        if self.soft_cap is not None:
            require_above_zero("soft_cap", self.soft_cap, "a bound on the scores")

    @property
    def num_shared(self) -> int:
        """R, the query heads that share one key/value head."""
        return self.num_heads // self.num_kv_heads
