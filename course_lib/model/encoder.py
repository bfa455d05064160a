"""Blocks in which every position reads every other, and BERT made of them."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from course_lib.config.encoder import EncoderConfig
from course_lib.kinds import require_integers
from course_lib.layers.embedding import embed, require_drawn
from course_lib.masks import padding_mask
from course_lib.model.feed_forward_modules import feed_forward_module
from course_lib.model.multi_head import MultiHeadAttention
from course_lib.model.norm_modules import norm_module
from course_lib.positions.absolute import learned
from course_lib.shapes import require_sequences
from course_lib.sizes import require_count, require_positive

__all__ = [
    "BertEncoder",
    "EncoderBlock",
    "PostNormEncoderBlock",
    "PreNormEncoderBlock",
    "sequence_mask",
]

# One mask for all heads: B 1 T S, or anything that broadcasts to it.
Mask = Bool[Tensor, "*#mask #T #S"] | None


class EncoderBlock(nn.Module):
    """What both forms have: attention, a feed-forward network and two norms."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(
            config.d_model, config.num_heads, config.head_dim, has_bias=config.has_bias
        )
        self.feed_forward = feed_forward_module(config.feed_forward, config.d_model)
        self.attention_norm = norm_module(config.norm, config.d_model)
        self.feed_forward_norm = norm_module(config.norm, config.d_model)

    def forward(self, x: Float[Tensor, "B T C"], may_attend: Mask = None) -> Float[Tensor, "B T C"]:
        """Carry the residual stream through the block."""
        raise NotImplementedError("a block is one of the classes that arrange its norms")


class PostNormEncoderBlock(EncoderBlock):
    """Vaswani's encoder, BERT."""

    def forward(self, x: Float[Tensor, "B T C"], may_attend: Mask = None) -> Float[Tensor, "B T C"]:
        """Normalise after each sum."""
        x = self.attention_norm(x + self.attention(x, may_attend=may_attend))
        y: Tensor = self.feed_forward_norm(x + self.feed_forward(x))
        return y


class PreNormEncoderBlock(EncoderBlock):
    """ViT."""

    def forward(self, x: Float[Tensor, "B T C"], may_attend: Mask = None) -> Float[Tensor, "B T C"]:
        """Normalise before each half."""
        x = x + self.attention(self.attention_norm(x), may_attend=may_attend)
        y: Tensor = x + self.feed_forward(self.feed_forward_norm(x))
        return y


class BertEncoder(nn.Module):
    """BERT: three embeddings, a norm, L blocks; one vector per token.

    Source: Devlin et al. 2018 (arXiv:1810.04805), sec. 3; without the pooler and the heads of
    pre-training, and without dropout. Its matrices are zeros at first, and it refuses to run:
    ``course_lib.model.initialise`` draws them, ``course_lib.checkpoints.bert`` loads released ones.
    """

    def __init__(self, config: EncoderConfig, vocab_size: int, context_length: int) -> None:
        require_positive(vocab_size=vocab_size, context_length=context_length)
        super().__init__()
        self.embedding = nn.Parameter(torch.zeros(vocab_size, config.d_model))
        self.positions = nn.Parameter(torch.zeros(context_length, config.d_model))
        self.segments = nn.Parameter(torch.zeros(2, config.d_model))
        self.embedding_norm = norm_module(config.norm, config.d_model)
        self.blocks = nn.ModuleList(PostNormEncoderBlock(config) for _ in range(config.num_layers))

    def forward(
        self, ids: Int[Tensor, "B T"], lengths: Int[Tensor, " B"] | None = None
    ) -> Float[Tensor, "B T C"]:
        """Encode sentences of one segment.

        Args:
            ids: tokens, padded on the right to a common length.
            lengths: tokens of each sentence; None means that nothing is padded.

        Returns:
            One vector per position; those of the padding mean nothing.

        Raises:
            ValueError: if an id is not in the vocabulary, a sentence is longer than the table of
                positions, the weights were never drawn, or as ``sequence_mask``.
        """
        return self.hidden_states(ids, lengths)[-1]

    def hidden_states(
        self, ids: Int[Tensor, "B T"], lengths: Int[Tensor, " B"] | None = None
    ) -> list[Float[Tensor, "B T C"]]:
        """Return what each of the L blocks reads, and what the last one writes."""
        require_sequences(ids)
        may_attend = sequence_mask(lengths, *ids.shape)
        where = torch.arange(ids.shape[1], device=ids.device)
        tokens = embed(ids, self.embedding)
        require_drawn(tokens, "embedding", self.embedding)
        embedded = tokens + learned(self.positions, where) + self.segments[0]
        states: list[Tensor] = [self.embedding_norm(embedded)]
        for block in self.blocks:
            states.append(block(states[-1], may_attend))
        return states


def sequence_mask(
    lengths: Int[Tensor, " B"] | None, num_sequences: int, num_keys: int
) -> Bool[Tensor, "B 1 1 S"] | None:
    r"""Hide the padding of a batch from every head and every query.

    .. math:: M_{bhts} = [\, s \le S_b \,]

    Args:
        lengths: S_b, the tokens of each sequence, from 0 to S; None means that nothing is padded.
        num_sequences: B, the sequences of the batch.
        num_keys: S, the length to which they are padded.

    Returns:
        ``padding_mask`` with an axis for the heads, or None.

    Raises:
        ValueError: if there is not one length per sequence, or as ``padding_mask``. One length for
            several sequences is not taken to be the length of all.
    """
    if lengths is None:
        return None
    require_count(num_sequences=num_sequences)
    require_integers(lengths=lengths)
    if lengths.shape != (num_sequences,):
        raise ValueError(
            "each sequence of the batch has one length; "
            f"there are B={num_sequences} sequences and {lengths.numel()} lengths; "
            f"the shape of lengths is {tuple(lengths.shape)}"
        )
    return padding_mask(lengths, num_keys)[:, None]
