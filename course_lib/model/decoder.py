"""The decoder-only language model: token ids -> logits."""

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from course_lib.attention.score_steps import soft_cap
from course_lib.cache.protocol import Cache
from course_lib.config.attention_parts import SoftCap
from course_lib.config.decoder import (
    DecoderConfig,
    EmbeddingNorm,
    EmbeddingScale,
    LearnedPositions,
    LogitBias,
    LogitFactor,
)
from course_lib.kinds import require_integers
from course_lib.layers.embedding import embed, require_drawn, unembed
from course_lib.model.attention_modules.interface import AttentionModule
from course_lib.model.blocks import Block, block_module
from course_lib.model.norm_modules import norm_module
from course_lib.model.padded_reading import PaddedReading, require_same_padding
from course_lib.model.reading import Reading
from course_lib.positions.absolute import learned
from course_lib.shapes import require_sequences

__all__ = ["Decoder"]


class Decoder(nn.Module):
    r"""Embed, run L blocks, normalise, compare with every token of the vocabulary.

    .. math:: \text{logits} = \mathrm{norm}(x_L)\, W_U, \qquad x_{l+1} = \mathrm{block}_l(x_l),
        \quad x_0 = \mathrm{embed}(\text{ids})

    Its matrices are zeros at first, and it refuses to run: ``course_lib.model.initialise`` draws
    them, and ``course_lib.checkpoints`` loads released ones.

    Source: Radford et al. 2019 (GPT-2); the parts are those of the configuration.
    """

    positions: nn.Parameter
    embedding_norm: nn.Module
    unembedding: nn.Parameter
    logit_bias: nn.Parameter

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Parameter(torch.zeros(config.vocab_size, config.d_model))
        for step in config.embedding_steps:
            match step:
                case LearnedPositions():
                    self.positions = nn.Parameter(
                        torch.zeros(config.context_length, config.d_model)
                    )
                case EmbeddingNorm(norm=norm):
                    self.embedding_norm = norm_module(norm, config.d_model)
                case EmbeddingScale():
                    pass
        self.blocks = nn.ModuleList(block_module(layer, config.d_model) for layer in config.layers)
        self.final_norm = norm_module(config.final_norm, config.d_model)
        if not config.is_tied:
            self.unembedding = nn.Parameter(torch.zeros(config.d_model, config.vocab_size))
        if LogitBias() in config.logit_steps:
            self.logit_bias = nn.Parameter(torch.zeros(config.vocab_size))

    def forward(
        self,
        ids: Int[Tensor, "B T"],
        caches: Sequence[Cache] | None = None,
        padding: Int[Tensor, " B"] | None = None,
    ) -> Float[Tensor, "B T V"]:
        """Compute the logits of the token after each position.

        Args:
            ids: tokens; with caches, only those which the caches have not seen.
            caches: one per layer, from ``new_caches``, extended by this call; None means that ids
                is the whole sequence.
            padding: for rows of different lengths that end together: how many ids, any tokens, only
                fill each row up on its left. Nobody reads them. With caches it counts from the
                first id that they saw, and is the same in every call. None means that no row is
                filled up.

        Returns:
            One row of V logits for each of the T new positions; those of padding mean nothing, the
            others are what each row gives alone.

        Raises:
            ValueError: if an id is not in the vocabulary, the weights were never drawn, learned
                positions run out, padding is not one count per row that leaves a token or has
                changed since the caches' first call, or the caches do not fit: one per layer, none
                twice, of one length, and none that forgets what its layer can read.
        """
        return self.logits(self.hidden(ids, caches, padding))

    def hidden(
        self,
        ids: Int[Tensor, "B T"],
        caches: Sequence[Cache] | None = None,
        padding: Int[Tensor, " B"] | None = None,
    ) -> Float[Tensor, "B T C"]:
        """Compute what the final norm hands to the logits."""
        if caches is not None:
            self._require_caches(caches)
        require_sequences(ids)
        start = 0 if caches is None else caches[0].length
        reading = _reading(ids, start, padding)  # one for all layers
        if caches is not None:
            require_same_padding(caches, padding)
        x = self.embed(ids, reading)
        for layer, block in enumerate(self.blocks):
            x = block(x, None if caches is None else caches[layer], reading)
        normalised: Tensor = self.final_norm(x)
        return normalised

    def embed(self, ids: Int[Tensor, "B T"], reading: Reading) -> Float[Tensor, "B T C"]:
        """Look the tokens up; then what the configuration adds."""
        x = embed(ids, self.embedding)
        require_drawn(x, "embedding", self.embedding)
        for step in self.config.embedding_steps:
            match step:
                case LearnedPositions():
                    x = x + learned(self.positions, reading.token_positions)
                case EmbeddingScale(factor=factor):
                    # Rounded to the weights' dtype first, as the released models were trained.
                    x = x * torch.tensor(factor, dtype=x.dtype, device=x.device)
                case EmbeddingNorm():
                    x = self.embedding_norm(x)
        return x

    def logits(self, hidden: Float[Tensor, "B T C"]) -> Float[Tensor, "B T V"]:
        """Compare each vector with every token; then what the configuration adds."""
        table = self.embedding if self.config.is_tied else self.unembedding.mT
        logits = unembed(hidden, table)
        for step in self.config.logit_steps:
            match step:
                case SoftCap(cap=cap):
                    logits = soft_cap(logits, cap)
                case LogitFactor(factor=factor):
                    logits = logits * factor
                case LogitBias():
                    logits = logits + self.logit_bias
        return logits

    def new_caches(self) -> list[Cache]:
        """Make one empty cache per layer, each of the kind that its attention extends."""
        return [attention.new_cache() for attention in self._attentions()]

    def _attentions(self) -> list[AttentionModule]:
        return [cast("Block", block).attention for block in self.blocks]

    def _require_caches(self, caches: Sequence[Cache]) -> None:
        num_layers = self.config.num_layers
        if len(caches) != num_layers:
            raise ValueError(
                "each layer has a cache of its own; "
                f"num_layers is {num_layers} and {len(caches)} caches came"
            )
        first = [next(i for i, other in enumerate(caches) if other is cache) for cache in caches]
        for layer, earlier in enumerate(first):
            if layer != earlier:
                raise ValueError(
                    "each layer has a cache of its own; "
                    f"layers {earlier} and {layer} were given the same one; "
                    f"num_layers is {num_layers} and {len(set(first))} different caches came"
                )
        lengths = [cache.length for cache in caches]
        if len(set(lengths)) > 1:
            raise ValueError(
                "the layers of a model have seen the same tokens, so their caches are of one "
                f"length; the shortest has {min(lengths)} tokens and the longest {max(lengths)}"
            )
        for attention, cache in zip(self._attentions(), caches, strict=True):
            attention.require_cache(cache)


def _reading(ids: Tensor, start: int, padding: Tensor | None) -> Reading:
    if padding is None:
        return Reading(start, ids.shape[1], ids.device)
    require_integers(padding=padding)
    if padding.shape != ids.shape[:1]:
        raise ValueError(
            "each row has one count of padding; "
            f"ids has B={ids.shape[0]} rows and padding {padding.numel()} counts; "
            f"shapes {tuple(ids.shape)} and {tuple(padding.shape)}"
        )
    return PaddedReading(padding, start, ids.shape[1], ids.device)
