"""One block of a decoder in each arrangement of its norms."""

from jaxtyping import Float
from torch import Tensor, nn

from course_lib.cache.protocol import Cache
from course_lib.config.arrangement import (
    InnerNorm,
    Parallel,
    ParallelTwoNorms,
    PostNorm,
    PreNorm,
    SandwichNorm,
    ScaledPreNorm,
)
from course_lib.config.decoder import LayerConfig
from course_lib.model.attention_modules.choice import attention_module
from course_lib.model.feed_forward_modules import feed_forward_module
from course_lib.model.norm_modules import norm_module
from course_lib.model.reading import Reading

__all__ = [
    "Block",
    "InnerNormBlock",
    "ParallelBlock",
    "ParallelTwoNormsBlock",
    "PostNormBlock",
    "PreNormBlock",
    "SandwichNormBlock",
    "ScaledPreNormBlock",
    "TwoNormBlock",
    "block_module",
]


class Block(nn.Module):
    """What all blocks have: attention and a feed-forward network."""

    def __init__(self, config: LayerConfig, d_model: int) -> None:
        super().__init__()
        self.attention = attention_module(config.attention, d_model)
        self.feed_forward = feed_forward_module(config.feed_forward, d_model)

    def forward(
        self, x: Float[Tensor, "B T C"], cache: Cache | None = None, reading: Reading | None = None
    ) -> Float[Tensor, "B T C"]:
        """Carry the residual stream through the block.

        Args:
            x: one row per position; with a cache, only those that it has not seen.
            cache: this block's own; this call appends to it. None means that x is the whole.
            reading: where x stands, from the model; None where the block is called by itself.

        Returns:
            The residual stream after the block.
        """
        raise NotImplementedError("a block is one of the classes that arrange its norms")


class TwoNormBlock(Block):
    """A block with one norm for each half; where it stands is the subclass's."""

    def __init__(self, config: LayerConfig, d_model: int) -> None:
        super().__init__(config, d_model)
        self.attention_norm = norm_module(config.norm, d_model)
        self.feed_forward_norm = norm_module(config.norm, d_model)


class PreNormBlock(TwoNormBlock):
    r"""Normalise what each half reads; the residual stream itself is never normalised.

    .. math:: y = x + f(\mathrm{norm}(x))

    Source: Xiong et al. 2020 (arXiv:2002.04745), fig. 1b; GPT-2, GPT-3, Llama, Mistral, Qwen3,
    SmolLM3.
    """

    def forward(
        self, x: Float[Tensor, "B T C"], cache: Cache | None = None, reading: Reading | None = None
    ) -> Float[Tensor, "B T C"]:
        """Carry the residual stream through the block."""
        x = x + self.attention(self.attention_norm(x), cache, reading)
        y: Tensor = x + self.feed_forward(self.feed_forward_norm(x))
        return y


class PostNormBlock(TwoNormBlock):
    r"""Normalise each sum.

    .. math:: y = \mathrm{norm}(x + f(x))

    Source: Vaswani et al. 2017 (arXiv:1706.03762), sec. 3.1, here without a second sequence; GPT-1.
    """

    def forward(
        self, x: Float[Tensor, "B T C"], cache: Cache | None = None, reading: Reading | None = None
    ) -> Float[Tensor, "B T C"]:
        """Carry the residual stream through the block."""
        x = self.attention_norm(x + self.attention(x, cache, reading))
        y: Tensor = self.feed_forward_norm(x + self.feed_forward(x))
        return y


class InnerNormBlock(TwoNormBlock):
    r"""Normalise what each half writes, before it is added.

    .. math:: y = x + \mathrm{norm}(f(x))

    Source: OLMo 2 (arXiv:2501.00656), sec. 3.3, where it is called reordered norm. It stands after
    the half but inside the residual, so it is not Vaswani's post-norm.
    """

    def forward(
        self, x: Float[Tensor, "B T C"], cache: Cache | None = None, reading: Reading | None = None
    ) -> Float[Tensor, "B T C"]:
        """Carry the residual stream through the block."""
        x = x + self.attention_norm(self.attention(x, cache, reading))
        y: Tensor = x + self.feed_forward_norm(self.feed_forward(x))
        return y


class SandwichNormBlock(TwoNormBlock):
    r"""Normalise what each half reads and what it writes.

    .. math:: y = x + \mathrm{norm}_2(f(\mathrm{norm}_1(x)))

    Source: Ding et al. 2021 (arXiv:2105.13290), sec. 2.4; Gemma 2 (arXiv:2408.00118) and Gemma 3.
    """

    def __init__(self, config: LayerConfig, d_model: int) -> None:
        super().__init__(config, d_model)
        self.attention_out_norm = norm_module(config.norm, d_model)
        self.feed_forward_out_norm = norm_module(config.norm, d_model)

    def forward(
        self, x: Float[Tensor, "B T C"], cache: Cache | None = None, reading: Reading | None = None
    ) -> Float[Tensor, "B T C"]:
        """Carry the residual stream through the block."""
        x = x + self.attention_out_norm(self.attention(self.attention_norm(x), cache, reading))
        y: Tensor = x + self.feed_forward_out_norm(self.feed_forward(self.feed_forward_norm(x)))
        return y


class ParallelBlock(Block):
    r"""Let both halves read the same vectors, and add both.

    .. math:: y = x + f(n) + g(n), \qquad n = \mathrm{norm}(x)

    The feed-forward network does not see what the attention of this block found.

    Source: GPT-J (Wang and Komatsuzaki 2021); Falcon 7B (arXiv:2311.16867).
    """

    def __init__(self, config: LayerConfig, d_model: int) -> None:
        super().__init__(config, d_model)
        self.norm = norm_module(config.norm, d_model)

    def forward(
        self, x: Float[Tensor, "B T C"], cache: Cache | None = None, reading: Reading | None = None
    ) -> Float[Tensor, "B T C"]:
        """Carry the residual stream through the block."""
        normalised = self.norm(x)
        y: Tensor = x + self.attention(normalised, cache, reading) + self.feed_forward(normalised)
        return y


class ParallelTwoNormsBlock(TwoNormBlock):
    r"""Let each half read the stream through a norm of its own, and add both.

    .. math:: y = x + f(\mathrm{norm}_1(x)) + g(\mathrm{norm}_2(x))

    Source: Black et al. 2022 (arXiv:2204.06745), sec. 2.1, GPT-NeoX-20B; Falcon 40B
    (arXiv:2311.16867).
    """

    def forward(
        self, x: Float[Tensor, "B T C"], cache: Cache | None = None, reading: Reading | None = None
    ) -> Float[Tensor, "B T C"]:
        """Carry the residual stream through the block."""
        attended = self.attention(self.attention_norm(x), cache, reading)
        y: Tensor = x + attended + self.feed_forward(self.feed_forward_norm(x))
        return y


class ScaledPreNormBlock(TwoNormBlock):
    r"""Normalise what each half reads, and add its result by a factor.

    .. math:: y = x + r\, f(\mathrm{norm}(x))

    Source: Granite, as in transformers' GraniteDecoderLayer, where r is residual_multiplier.
    """

    def __init__(self, config: LayerConfig, d_model: int, factor: float) -> None:
        super().__init__(config, d_model)
        self.factor = factor

    def forward(
        self, x: Float[Tensor, "B T C"], cache: Cache | None = None, reading: Reading | None = None
    ) -> Float[Tensor, "B T C"]:
        """Carry the residual stream through the block."""
        x = x + self.factor * self.attention(self.attention_norm(x), cache, reading)
        y: Tensor = x + self.factor * self.feed_forward(self.feed_forward_norm(x))
        return y


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
        case ParallelTwoNorms():
            return ParallelTwoNormsBlock(config, d_model)
        case ScaledPreNorm(factor=factor):
            return ScaledPreNormBlock(config, d_model, factor)
