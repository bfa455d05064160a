"""A decoder-only language model as a list of layers."""

from dataclasses import dataclass, field
from enum import Enum

from course_lib.config.attention import AttentionConfig
from course_lib.config.checks import require_above_zero, require_positive
from course_lib.config.feed_forward import FeedForwardConfig
from course_lib.config.norms import NormConfig

__all__ = ["Arrangement", "DecoderConfig", "LayerConfig"]


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
        require_positive(
            vocab_size=self.vocab_size, d_model=self.d_model, context_length=self.context_length
        )
        if not self.layers:
            raise ValueError("a decoder has at least one layer; num_layers is 0")
        require_above_zero("embedding_scale", self.embedding_scale, "a factor on the embedding")
        if self.logit_cap is not None:
            require_above_zero("logit_cap", self.logit_cap, "a bound on the logits")

    @property
    def num_layers(self) -> int:
        """L, the number of layers."""
        return len(self.layers)
