"""Models with an encoder: a stack of blocks, Vaswani's Transformer, a vision Transformer."""

from dataclasses import dataclass

from course_lib.config.feed_forward import FeedForwardConfig
from course_lib.config.norms import NormConfig
from course_lib.sizes import require_positive

__all__ = ["EncoderConfig", "EncoderDecoderConfig", "VisionConfig"]


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
        require_positive(
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
        require_positive(vocab_size=self.vocab_size)


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
        require_positive(
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
