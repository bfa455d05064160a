"""A decoder-only language model as a list of layers."""

from dataclasses import dataclass, field
from enum import Enum

from course_lib.config.arrangement import Arrangement, PreNorm
from course_lib.config.attention import AttentionConfig
from course_lib.config.attention_parts import SoftCap
from course_lib.config.feed_forward import FeedForwardConfig
from course_lib.config.norms import NormConfig
from course_lib.sizes import require_above_zero, require_positive

__all__ = [
    "DecoderConfig",
    "EmbeddingNorm",
    "EmbeddingScale",
    "EmbeddingStep",
    "LayerConfig",
    "LearnedPositions",
    "LogitBias",
    "LogitFactor",
    "LogitStep",
    "Unembedding",
]


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
    arrangement: Arrangement = PreNorm()


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedPositions:
    """A table with a row for each of context_length positions is added."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingScale:
    """A token's vector is multiplied by a number, which is rounded to the weights' dtype first.

    Attributes:
        factor: the number, above 0.
    """

    factor: float

    def __post_init__(self) -> None:
        require_above_zero("embedding_scale", self.factor, "a factor on the embedding")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingNorm:
    """A token's vector is normalised (BLOOM).

    Attributes:
        norm: which norm.
    """

    norm: NormConfig


#: What may happen to a token's vector before the first block, one after another.
EmbeddingStep = LearnedPositions | EmbeddingScale | EmbeddingNorm


@dataclass(frozen=True, slots=True, kw_only=True)
class LogitFactor:
    """The logits are multiplied by a number (Cohere; Granite divides by its inverse).

    Attributes:
        factor: the number, above 0.
    """

    factor: float

    def __post_init__(self) -> None:
        require_above_zero("logit_factor", self.factor, "a factor on the logits")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogitBias:
    """Each token of the vocabulary has a bias, which is added to its logit (GPT-J, Phi)."""


#: What may happen to the logits, one after another.
LogitStep = SoftCap | LogitFactor | LogitBias


class Unembedding(Enum):
    """Which table the last vectors are compared with."""

    TIED = "the embedding"
    OWN = "a table of its own"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderConfig:
    """A decoder-only language model: embedding, L layers, a norm, logits.

    Attributes:
        vocab_size: V, rows of the embedding.
        d_model: C, width of a token's vector.
        context_length: tokens, the most that the model is meant to read at once; with learned
            positions, the rows of their table.
        embedding_steps: what happens to a token's vector before the first layer, in order.
        layers: one entry per layer; layers may differ.
        final_norm: the norm before the logits.
        unembedding: which table the logits use.
        logit_steps: what happens to the logits, in order.
    """

    vocab_size: int
    d_model: int
    context_length: int
    embedding_steps: tuple[EmbeddingStep, ...] = ()
    layers: tuple[LayerConfig, ...] = field(repr=False)
    final_norm: NormConfig
    unembedding: Unembedding
    logit_steps: tuple[LogitStep, ...] = ()

    def __post_init__(self) -> None:
        require_positive(
            vocab_size=self.vocab_size, d_model=self.d_model, context_length=self.context_length
        )
        if not self.layers:
            raise ValueError("a decoder has at least one layer; num_layers is 0")
        for name, steps in (("embedding", self.embedding_steps), ("logit", self.logit_steps)):
            kinds = [type(step).__name__ for step in steps]
            twice = [kind for kind in kinds if kinds.count(kind) > 1]
            if twice:
                raise ValueError(
                    "a step has parameters of its own, so each kind is there once; "
                    f"{twice[0]} is there {len(twice)} times among {len(kinds)} {name} steps"
                )

    @property
    def num_layers(self) -> int:
        """L, the number of layers."""
        return len(self.layers)

    @property
    def is_tied(self) -> bool:
        """True where the logits use the embedding's own table."""
        return self.unembedding is Unembedding.TIED
