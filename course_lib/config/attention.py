"""The sizes and choices of one layer's attention."""

from dataclasses import dataclass

from course_lib.config.attention_parts import (
    Biases,
    ByHeadDim,
    Everything,
    OutputGate,
    Reach,
    Scale,
    ScoreStep,
    Softmax,
)
from course_lib.config.delta_rule import GatedDeltaRuleConfig
from course_lib.config.latent import LatentAttentionConfig
from course_lib.config.norms import NoQKNorm, QKNormConfig
from course_lib.config.rope import NoRope, RopeConfig
from course_lib.sizes import require_positive

__all__ = ["AlibiAttentionConfig", "AttentionConfig", "CausalAttentionConfig"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CausalAttentionConfig:
    """Causal self-attention; without further parts it is plain grouped-query attention.

    Attributes:
        num_heads: H, query heads.
        num_kv_heads: G, key/value heads; G divides H. G = H: multi-head; G = 1: multi-query.
        head_dim: D; H · D need not be d_model.
        biases: which projections have a bias.
        qk_norm: how queries and keys are normalised.
        rope: how queries and keys are rotated; not at all where a layer knows no positions (NoPE)
            or the embedding has them.
        scale: what the scores are divided or multiplied by.
        score_steps: what happens to the scores before the mask, in order.
        reach: which keys a position may read.
        softmax: who takes the weight.
        output_gate: what passes of what the heads give.
    """

    num_heads: int
    num_kv_heads: int
    head_dim: int
    biases: Biases = Biases.NONE
    qk_norm: QKNormConfig = NoQKNorm()
    rope: RopeConfig | NoRope = NoRope()
    scale: Scale = ByHeadDim()
    score_steps: tuple[ScoreStep, ...] = ()
    reach: Reach = Everything()
    softmax: Softmax = Softmax.PLAIN
    output_gate: OutputGate = OutputGate.NONE

    def __post_init__(self) -> None:
        _require_heads(self.num_heads, self.num_kv_heads, self.head_dim)
        if isinstance(self.rope, RopeConfig) and self.rope.rotary_dim > self.head_dim:
            raise ValueError(
                "RoPE rotates entries of a head, so rotary_dim <= head_dim; "
                f"rotary_dim is {self.rope.rotary_dim} and head_dim {self.head_dim}"
            )

    @property
    def num_shared(self) -> int:
        """R, the query heads that share one key/value head."""
        return self.num_heads // self.num_kv_heads


@dataclass(frozen=True, slots=True, kw_only=True)
class AlibiAttentionConfig:
    """Causal self-attention whose scores fall with the distance; nothing is rotated.

    Attributes:
        num_heads: H, query heads, each with a slope of its own.
        num_kv_heads: G, key/value heads; G divides H.
        head_dim: D, per head.
        biases: which projections have a bias.
        reach: which keys a position may read.
    """

    num_heads: int
    num_kv_heads: int
    head_dim: int
    biases: Biases = Biases.NONE
    reach: Reach = Everything()

    def __post_init__(self) -> None:
        _require_heads(self.num_heads, self.num_kv_heads, self.head_dim)

    @property
    def without_slopes(self) -> CausalAttentionConfig:
        """The same attention without ALiBi: the slopes are constants, so it is as large."""
        return CausalAttentionConfig(
            num_heads=self.num_heads,
            num_kv_heads=self.num_kv_heads,
            head_dim=self.head_dim,
            biases=self.biases,
            reach=self.reach,
        )


#: What a layer lets its tokens learn from each other by; the last of them keeps no keys.
AttentionConfig = (
    CausalAttentionConfig | LatentAttentionConfig | AlibiAttentionConfig | GatedDeltaRuleConfig
)


def _require_heads(num_heads: int, num_kv_heads: int, head_dim: int) -> None:
    require_positive(num_heads=num_heads, num_kv_heads=num_kv_heads, head_dim=head_dim)
    if num_heads % num_kv_heads:
        raise ValueError(
            "every key/value head serves the same number of query heads, so G divides H; "
            f"num_heads is {num_heads} and num_kv_heads {num_kv_heads}"
        )
