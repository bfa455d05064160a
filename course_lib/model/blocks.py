"""One block of a decoder in each arrangement of its norms."""

from functools import partial

from jaxtyping import Float
from torch import Tensor, nn

from course_lib.cache.protocol import Cache
from course_lib.config.arrangement import InnerNorm, Parallel, PostNorm, PreNorm, SandwichNorm
from course_lib.config.decoder import LayerConfig
from course_lib.layers.residual import inner_norm, parallel, post_norm, pre_norm, sandwich_norm
from course_lib.model.attention_modules.choice import attention_module
from course_lib.model.feed_forward_modules import feed_forward_module
from course_lib.model.norm_modules import norm_module

__all__ = [
    "Block",
    "InnerNormBlock",
    "ParallelBlock",
    "PostNormBlock",
    "PreNormBlock",
    "SandwichNormBlock",
    "block_module",
]


class Block(nn.Module):
    """What all blocks have: attention, a feed-forward network, and norms of one kind."""

    norm_names: tuple[str, ...]

    def __init__(self, config: LayerConfig, d_model: int) -> None:
        super().__init__()
        self.attention = attention_module(config.attention, d_model)
        self.feed_forward = feed_forward_module(config.feed_forward, d_model)
        for name in self.norm_names:
            self.add_module(name, norm_module(config.norm, d_model))

    def forward(
        self, x: Float[Tensor, "B T C"], cache: Cache | None = None
    ) -> Float[Tensor, "B T C"]:
        """Carry the residual stream through the block; the cache belongs to this block alone."""
        raise NotImplementedError("a block is one of the classes that arrange its norms")


class PreNormBlock(Block):
    """GPT-2, GPT-3, Llama, Mistral, Qwen3, SmolLM3."""

    norm_names = ("attention_norm", "feed_forward_norm")
    attention_norm: nn.Module
    feed_forward_norm: nn.Module

    def forward(
        self, x: Float[Tensor, "B T C"], cache: Cache | None = None
    ) -> Float[Tensor, "B T C"]:
        """Normalise before each half."""
        x = pre_norm(x, partial(self.attention, cache=cache), self.attention_norm)
        return pre_norm(x, self.feed_forward, self.feed_forward_norm)


class PostNormBlock(Block):
    """Vaswani's arrangement, in a decoder without a second sequence (GPT-1)."""

    norm_names = ("attention_norm", "feed_forward_norm")
    attention_norm: nn.Module
    feed_forward_norm: nn.Module

    def forward(
        self, x: Float[Tensor, "B T C"], cache: Cache | None = None
    ) -> Float[Tensor, "B T C"]:
        """Normalise after each sum."""
        x = post_norm(x, partial(self.attention, cache=cache), self.attention_norm)
        return post_norm(x, self.feed_forward, self.feed_forward_norm)


class InnerNormBlock(Block):
    """OLMo 2."""

    norm_names = ("attention_norm", "feed_forward_norm")
    attention_norm: nn.Module
    feed_forward_norm: nn.Module

    def forward(
        self, x: Float[Tensor, "B T C"], cache: Cache | None = None
    ) -> Float[Tensor, "B T C"]:
        """Normalise what each half writes."""
        x = inner_norm(x, partial(self.attention, cache=cache), self.attention_norm)
        return inner_norm(x, self.feed_forward, self.feed_forward_norm)


class SandwichNormBlock(Block):
    """Gemma 2, Gemma 3."""

    norm_names = (
        "attention_norm",
        "attention_out_norm",
        "feed_forward_norm",
        "feed_forward_out_norm",
    )
    attention_norm: nn.Module
    attention_out_norm: nn.Module
    feed_forward_norm: nn.Module
    feed_forward_out_norm: nn.Module

    def forward(
        self, x: Float[Tensor, "B T C"], cache: Cache | None = None
    ) -> Float[Tensor, "B T C"]:
        """Normalise what each half reads and what it writes."""
        attend = partial(self.attention, cache=cache)
        x = sandwich_norm(x, attend, self.attention_norm, self.attention_out_norm)
        return sandwich_norm(
            x, self.feed_forward, self.feed_forward_norm, self.feed_forward_out_norm
        )


class ParallelBlock(Block):
    """Falcon 7B, GPT-J."""

    norm_names = ("norm",)
    norm: nn.Module

    def forward(
        self, x: Float[Tensor, "B T C"], cache: Cache | None = None
    ) -> Float[Tensor, "B T C"]:
        """Let both halves read the same normalised vectors."""
        return parallel(x, partial(self.attention, cache=cache), self.feed_forward, self.norm)


def block_module(config: LayerConfig, d_model: int) -> Block:
    """Make the block that a configuration names.

    Args:
        config: the layer's attention, feed-forward network, norm and arrangement.
        d_model: C, width of the residual stream.

    Returns:
        The block; its matrices are zeros until they are initialised or loaded.
    """
    match config.arrangement:
        case PreNorm():
            return PreNormBlock(config, d_model)
        case PostNorm():
            return PostNormBlock(config, d_model)
        case InnerNorm():
            return InnerNormBlock(config, d_model)
        case SandwichNorm():
            return SandwichNormBlock(config, d_model)
        case Parallel():
            return ParallelBlock(config, d_model)
