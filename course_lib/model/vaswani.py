"""Attention Is All You Need: the encoder-decoder."""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from course_lib.config.encoder import EncoderConfig, EncoderDecoderConfig
from course_lib.layers.embedding import embed, require_drawn, unembed
from course_lib.masks import causal_mask
from course_lib.model.encoder import Mask, PostNormEncoderBlock, sequence_mask
from course_lib.model.feed_forward_modules import feed_forward_module
from course_lib.model.multi_head import MultiHeadAttention
from course_lib.model.norm_modules import norm_module
from course_lib.positions.absolute import sinusoidal
from course_lib.shapes import require_sequences

__all__ = ["CrossAttentionBlock", "EncoderDecoder"]


class CrossAttentionBlock(nn.Module):
    """A decoder's block: it reads its own past, then the encoder's memory, then thinks."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        sizes = (config.d_model, config.num_heads, config.head_dim)
        self.self_attention = MultiHeadAttention(*sizes, has_bias=config.has_bias)
        self.cross_attention = MultiHeadAttention(*sizes, has_bias=config.has_bias)
        self.feed_forward = feed_forward_module(config.feed_forward, config.d_model)
        self.self_attention_norm = norm_module(config.norm, config.d_model)
        self.cross_attention_norm = norm_module(config.norm, config.d_model)
        self.feed_forward_norm = norm_module(config.norm, config.d_model)

    def forward(
        self,
        x: Float[Tensor, "B T C"],
        memory: Float[Tensor, "B S C"],
        past: Bool[Tensor, "T T"],
        may_read: Mask = None,
    ) -> Float[Tensor, "B T C"]:
        """Carry the target's residual stream through the block; ``past`` masks its own future."""
        x = self.self_attention_norm(x + self.self_attention(x, may_attend=past))
        x = self.cross_attention_norm(x + self.cross_attention(x, memory, may_read))
        y: Tensor = self.feed_forward_norm(x + self.feed_forward(x))
        return y


class EncoderDecoder(nn.Module):
    """The Transformer of 2017: post-norm, sinusoids, one table for both embeddings and the logits.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), sec. 3; without dropout. The embedding is
    multiplied by √C (sec. 3.4). Its matrices are zeros at first, and it refuses to run:
    ``course_lib.model.initialise`` draws them.
    """

    def __init__(self, config: EncoderDecoderConfig) -> None:
        super().__init__()
        self.config = config
        layers = config.layers
        self.embedding = nn.Parameter(torch.zeros(config.vocab_size, layers.d_model))
        self.encoder = nn.ModuleList(PostNormEncoderBlock(layers) for _ in range(layers.num_layers))
        self.decoder = nn.ModuleList(CrossAttentionBlock(layers) for _ in range(layers.num_layers))

    def forward(
        self,
        source: Int[Tensor, "B S"],
        target: Int[Tensor, "B T"],
        source_lengths: Int[Tensor, " B"] | None = None,
    ) -> Float[Tensor, "B T V"]:
        """Compute the logits of the token after each position of the target.

        Args:
            source: tokens to read, padded on the right.
            target: tokens written so far, beginning with the start token.
            source_lengths: tokens of each source; None means that nothing is padded.

        Returns:
            One row of V logits for each position of the target.

        Raises:
            ValueError: if an id is not in the vocabulary, there is not one target and one length
                per source, a length is negative or above S, or the weights were never drawn.
        """
        return self.decode(target, self.encode(source, source_lengths), source_lengths)

    def encode(
        self, source: Int[Tensor, "B S"], source_lengths: Int[Tensor, " B"] | None = None
    ) -> Float[Tensor, "B S C"]:
        """Read the source once; decoding uses the result for every token."""
        x = self.embed(source)
        may_attend = sequence_mask(source_lengths, *source.shape)
        for block in self.encoder:
            x = block(x, may_attend)
        return x

    def decode(
        self,
        target: Int[Tensor, "B T"],
        memory: Float[Tensor, "B S C"],
        source_lengths: Int[Tensor, " B"] | None = None,
    ) -> Float[Tensor, "B T V"]:
        """Compute the logits from what the encoder wrote."""
        if len(target) != len(memory):
            raise ValueError(
                "each source has one target; "
                f"there are {len(memory)} sources and {len(target)} targets; "
                f"shapes {tuple(memory.shape)} (memory) and {tuple(target.shape)} (target)"
            )
        x = self.embed(target)
        may_read = sequence_mask(source_lengths, *memory.shape[:2])
        past = causal_mask(target.shape[1], device=target.device)  # one for all layers
        for block in self.decoder:
            x = block(x, memory, past, may_read)
        return unembed(x, self.embedding)

    def embed(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B T C"]:
        """Look the tokens up, times √C, plus sinusoids."""
        d_model = self.config.layers.d_model
        require_sequences(ids)
        tokens = embed(ids, self.embedding)
        require_drawn(tokens, "embedding", self.embedding)
        positions = sinusoidal(ids.shape[1], d_model, dtype=tokens.dtype, device=tokens.device)
        return tokens * math.sqrt(d_model) + positions
