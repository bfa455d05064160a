"""A model that labels tokens: a decoder's layers, read both ways."""

from dataclasses import dataclass, field

from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.attention_parts import Chunk, GrowingScale
from course_lib.config.decoder import LayerConfig
from course_lib.config.norms import NormConfig
from course_lib.sizes import require_positive

__all__ = ["TokenClassifierConfig"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenClassifierConfig:
    """A label for each token, by layers in which a position reads both ways (privacy-filter).

    The layers are a decoder's, and privacy-filter's were trained as one first. What changes is who
    may read whom: a layer without a window reads the whole sequence, and one whose window is W
    reads W - 1 keys on each side of the query's own.

    Attributes:
        vocab_size: V, rows of the embedding.
        d_model: C, width of a token's vector.
        context_length: tokens, the most that the model is meant to read at once.
        layers: one entry per layer, each with keys and values of its own.
        final_norm: the norm before the labels.
        num_labels: the labels to choose from.
    """

    vocab_size: int
    d_model: int
    context_length: int
    layers: tuple[LayerConfig, ...] = field(repr=False)
    final_norm: NormConfig
    num_labels: int

    def __post_init__(self) -> None:
        require_positive(
            vocab_size=self.vocab_size,
            d_model=self.d_model,
            context_length=self.context_length,
            num_labels=self.num_labels,
        )
        if not self.layers:
            raise ValueError("a classifier has at least one layer; num_layers is 0")
        for number, layer in enumerate(self.layers):
            match layer.attention:
                case (
                    CausalAttentionConfig(reach=Chunk())
                    | CausalAttentionConfig(scale=GrowingScale())
                ):
                    wrong = "chunks, or scores that grow with the position"
                case CausalAttentionConfig():
                    continue
                case other:
                    wrong = type(other).__name__
            raise ValueError(
                "a layer that is read both ways has keys and values of its own, and at most a "
                f"window; layer {number} of {self.num_layers} has {wrong}"
            )

    @property
    def num_layers(self) -> int:
        """L, the number of layers."""
        return len(self.layers)
