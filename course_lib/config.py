"""A model's sizes and choices as frozen data: what differs between models, and nothing else.

A variant that computes something else is a class of its own, not a flag. A size that a model does
not have is None, and its docstring says what None means.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from jaxtyping import Float
from torch import Tensor

__all__ = [
    "Activation",
    "Arrangement",
    "AttentionConfig",
    "DecoderConfig",
    "EncoderConfig",
    "EncoderDecoderConfig",
    "FeedForwardConfig",
    "GatedFeedForwardConfig",
    "HeadQKNorm",
    "LayerConfig",
    "LayerNormConfig",
    "LinearScaling",
    "Llama3Scaling",
    "NormConfig",
    "NtkScaling",
    "PlainFeedForwardConfig",
    "ProjectionQKNorm",
    "QKNormConfig",
    "RMSNormConfig",
    "RopeConfig",
    "RopeScaling",
    "UnitOffsetRMSNormConfig",
    "VisionConfig",
    "YarnScaling",
]

Activation = Callable[[Float[Tensor, "*shape"]], Float[Tensor, "*shape"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerNormConfig:
    """Subtract the mean, divide by the standard deviation, scale and shift.

    Attributes:
        eps: added to the variance, at least 0.
    """

    eps: float = 1e-5

    def __post_init__(self) -> None:
        _require_eps(self.eps)


@dataclass(frozen=True, slots=True, kw_only=True)
class RMSNormConfig:
    """Divide by the root of the mean square, times a gain that starts at 1.

    Attributes:
        eps: added to the mean square, at least 0.
    """

    eps: float

    def __post_init__(self) -> None:
        _require_eps(self.eps)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitOffsetRMSNormConfig:
    """Divide by the root of the mean square, times one plus a gain that starts at 0 (Gemma).

    Attributes:
        eps: added to the mean square, at least 0.
    """

    eps: float = 1e-6

    def __post_init__(self) -> None:
        _require_eps(self.eps)


NormConfig = LayerNormConfig | RMSNormConfig | UnitOffsetRMSNormConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadQKNorm:
    """Queries and keys are normalised head by head, with one gain of D entries for all heads.

    Attributes:
        norm: which norm.
    """

    norm: NormConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectionQKNorm:
    """The whole projection is normalised, all heads at once, before it is split.

    Attributes:
        norm: which norm.
    """

    norm: NormConfig


QKNormConfig = HeadQKNorm | ProjectionQKNorm


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearScaling:
    """Position interpolation: all frequencies divided by the factor.

    Attributes:
        factor: by how much the context is stretched, at least 1.
    """

    factor: float

    def __post_init__(self) -> None:
        _require_factor(self.factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class NtkScaling:
    """NTK-aware scaling: a larger base.

    Attributes:
        factor: by how much the context is stretched, at least 1.
    """

    factor: float

    def __post_init__(self) -> None:
        _require_factor(self.factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Llama3Scaling:
    """Llama 3.1's scaling: slow pairs are divided, fast ones kept, with a ramp between.

    Attributes:
        factor: by how much the context is stretched, at least 1.
        low_freq_factor: turns within the context up to which a pair is divided by the factor;
            above 0.
        high_freq_factor: turns from which on a pair is left alone; above low_freq_factor.
        context: tokens, the context of pre-training.
    """

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    context: int

    def __post_init__(self) -> None:
        _require_factor(self.factor)
        _require_positive(context=self.context)
        _require_ramp(low_freq_factor=self.low_freq_factor, high_freq_factor=self.high_freq_factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class YarnScaling:
    """YaRN: a ramp over the pairs, and a concentration on queries and keys.

    Attributes:
        factor: by how much the context is stretched, at least 1.
        context: tokens, the context of pre-training.
        alpha: turns within the context up to which a pair is divided by the factor; above 0.
        beta: turns from which on a pair is left alone; above alpha.
        is_truncated: True where the ramp's ends are rounded outward to whole pairs. Released
            configurations say so themselves ("truncate", false in GPT-OSS), so it is data here.
            No function has it as a flag: it picks ``yarn_inv_freq_truncated`` or
            ``yarn_inv_freq``.
    """

    factor: float
    context: int
    alpha: float
    beta: float
    is_truncated: bool

    def __post_init__(self) -> None:
        _require_factor(self.factor)
        _require_positive(context=self.context)
        _require_ramp(alpha=self.alpha, beta=self.beta)


RopeScaling = LinearScaling | NtkScaling | Llama3Scaling | YarnScaling


@dataclass(frozen=True, slots=True, kw_only=True)
class RopeConfig:
    """Rotary positions.

    Attributes:
        base: theta, the wavelengths' common base; above 0, with YaRN above 1.
        rotary_dim: entries of a head that are rotated, even; D unless the rotation is partial.
            With NTK scaling above 2.
        scaling: how the context is stretched; None means not at all.
    """

    base: float
    rotary_dim: int
    scaling: RopeScaling | None = None

    def __post_init__(self) -> None:
        if self.rotary_dim < 2 or self.rotary_dim % 2:
            raise ValueError(
                "RoPE rotates pairs, so rotary_dim is even and at least 2; "
                f"rotary_dim is {self.rotary_dim}, with base = {self.base}"
            )
        _require_above_zero("base", self.base, "RoPE's frequencies are powers of a base, which")
        if isinstance(self.scaling, NtkScaling) and self.rotary_dim == 2:
            raise ValueError(
                "NTK scaling tells the first pair from the last, so rotary_dim is above 2; "
                f"rotary_dim is {self.rotary_dim}, with base = {self.base}"
            )
        if isinstance(self.scaling, YarnScaling) and self.base <= 1:
            raise ValueError(
                "YaRN's ramp needs pairs that turn ever more slowly, so base > 1; "
                f"base is {self.base}, with rotary_dim = {self.rotary_dim}"
            )


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
        _require_positive(
            num_heads=self.num_heads, num_kv_heads=self.num_kv_heads, head_dim=self.head_dim
        )
        if self.num_heads % self.num_kv_heads:
            raise ValueError(
                "every key/value head serves the same number of query heads, so G divides H; "
                f"num_heads is {self.num_heads} and num_kv_heads {self.num_kv_heads}"
            )
        if self.window is not None:
            _require_positive(window=self.window)
        if self.rope is not None and self.rope.rotary_dim > self.head_dim:
            raise ValueError(
                "RoPE rotates entries of a head, so rotary_dim <= head_dim; "
                f"rotary_dim is {self.rope.rotary_dim} and head_dim {self.head_dim}"
            )
        if self.query_pre_attn_scalar is not None:
            _require_above_zero(
                "query_pre_attn_scalar",
                self.query_pre_attn_scalar,
                "scores are divided by the root of a number, which",
            )
        if self.soft_cap is not None:
            _require_above_zero("soft_cap", self.soft_cap, "a bound on the scores")

    @property
    def num_shared(self) -> int:
        """R, the query heads that share one key/value head."""
        return self.num_heads // self.num_kv_heads


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainFeedForwardConfig:
    """Two matrices with an activation between them.

    Attributes:
        d_ff: F, the width inside.
        activation: what stands between.
        has_bias: True where both matrices have biases.
    """

    d_ff: int
    activation: Activation
    has_bias: bool

    def __post_init__(self) -> None:
        _require_positive(d_ff=self.d_ff)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedFeedForwardConfig:
    """Three matrices: the gate, through its activation, multiplies what goes up.

    Attributes:
        d_ff: F, the width inside.
        activation: the gate's; with SiLU this is SwiGLU.
    """

    d_ff: int
    activation: Activation

    def __post_init__(self) -> None:
        _require_positive(d_ff=self.d_ff)


FeedForwardConfig = PlainFeedForwardConfig | GatedFeedForwardConfig


class Arrangement(Enum):
    """Where a block's norms stand, and whether its two halves stand one after the other."""

    PRE_NORM = "x + f(norm(x))"
    POST_NORM = "norm(x + f(x))"
    INNER_NORM = "x + norm(f(x))"
    SANDWICH_NORM = "x + norm(f(norm(x)))"
    PARALLEL = "x + f(norm(x)) + g(norm(x))"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerConfig:
    """One block: attention and a feed-forward network.

    Attributes:
        attention: the attention.
        feed_forward: the feed-forward network.
        norm: each of the block's norms.
        arrangement: where the norms stand.
    """

    attention: AttentionConfig
    feed_forward: FeedForwardConfig
    norm: NormConfig
    arrangement: Arrangement = Arrangement.PRE_NORM


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderConfig:
    """A decoder-only language model: embedding, L layers, a norm, logits.

    Attributes:
        vocab_size: V, rows of the embedding.
        d_model: C, width of a token's vector.
        context_length: tokens, the most that the model is meant to read at once; with learned
            positions, the rows of their table.
        layers: one entry per layer; layers may differ.
        final_norm: the norm before the logits.
        is_tied: True where the logits use the embedding's own table.
        has_learned_positions: True where a table of positions is added to the embedding.
        embedding_scale: the factor on the embedding, above 0.
        logit_cap: the bound on the logits, cap · tanh(logits / cap), above 0; None means no bound.
    """

    vocab_size: int
    d_model: int
    context_length: int
    layers: tuple[LayerConfig, ...] = field(repr=False)
    final_norm: NormConfig
    is_tied: bool
    has_learned_positions: bool = False
    embedding_scale: float = 1.0
    logit_cap: float | None = None

    def __post_init__(self) -> None:
        _require_positive(
            vocab_size=self.vocab_size, d_model=self.d_model, context_length=self.context_length
        )
        if not self.layers:
            raise ValueError("a decoder has at least one layer; num_layers is 0")
        _require_above_zero("embedding_scale", self.embedding_scale, "a factor on the embedding")
        if self.logit_cap is not None:
            _require_above_zero("logit_cap", self.logit_cap, "a bound on the logits")

    @property
    def num_layers(self) -> int:
        """L, the number of layers."""
        return len(self.layers)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """A stack of blocks in which every position reads every other: BERT, ViT, Vaswani's encoder.

    Attributes:
        d_model: C, width of a token's vector.
        num_heads: H, heads.
        head_dim: D, size of a head.
        num_layers: L, the number of blocks.
        feed_forward: the feed-forward network of each layer.
        norm: each norm.
        has_bias: True where the attention's projections have biases.
    """

    d_model: int
    num_heads: int
    head_dim: int
    num_layers: int
    feed_forward: FeedForwardConfig
    norm: NormConfig
    has_bias: bool

    def __post_init__(self) -> None:
        _require_positive(
            d_model=self.d_model,
            num_heads=self.num_heads,
            head_dim=self.head_dim,
            num_layers=self.num_layers,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderDecoderConfig:
    """Vaswani's Transformer.

    Attributes:
        vocab_size: V, one vocabulary for both languages.
        layers: the sizes of the encoder's blocks, and of the decoder's, which have one more
            attention.
    """

    vocab_size: int
    layers: EncoderConfig

    def __post_init__(self) -> None:
        _require_positive(vocab_size=self.vocab_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class VisionConfig:
    """A vision Transformer: an image is cut into patches, and each is a token.

    Attributes:
        image_size: pixels, height and width of an image.
        patch_size: pixels, height and width of a patch; divides image_size.
        num_channels: numbers per pixel.
        num_classes: classes to tell apart.
        layers: the sizes of the blocks.
    """

    image_size: int
    patch_size: int
    num_channels: int
    num_classes: int
    layers: EncoderConfig

    def __post_init__(self) -> None:
        _require_positive(
            image_size=self.image_size,
            patch_size=self.patch_size,
            num_channels=self.num_channels,
            num_classes=self.num_classes,
        )
        if self.image_size % self.patch_size:
            raise ValueError(
                "an image is cut into whole patches, so patch_size divides image_size; "
                f"image_size is {self.image_size} and patch_size {self.patch_size}"
            )

    @property
    def num_patches(self) -> int:
        """The tokens that one image becomes, the class token not counted."""
        return (self.image_size // self.patch_size) ** 2


def _require_positive(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            given = ", ".join(f"{other} = {value}" for other, value in sizes.items())
            raise ValueError(f"a size counts something, so {name} >= 1; {name} is {size}; {given}")


def _require_above_zero(name: str, number: float, what: str) -> None:
    if not (number > 0 and math.isfinite(number)):
        raise ValueError(f"{what} is positive and finite; {name} is {number}")


def _require_eps(eps: float) -> None:
    if not (eps >= 0 and math.isfinite(eps)):
        raise ValueError(f"eps keeps a root off zero, so it is at least 0 and finite; eps is {eps}")


def _require_factor(factor: float) -> None:
    if not (factor >= 1 and math.isfinite(factor)):
        raise ValueError(f"a context is stretched, so 1 <= factor < infinity; factor is {factor}")


def _require_ramp(**ends: float) -> None:
    (low_name, low), (high_name, high) = ends.items()
    if not (0 < low < high and math.isfinite(high)):
        raise ValueError(
            f"a ramp leads from fewer turns to more, so 0 < {low_name} < {high_name}; "
            f"{low_name} is {low} and {high_name} {high}"
        )
