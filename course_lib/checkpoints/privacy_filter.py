"""The released files of privacy-filter, in both of their layouts, one layer at a time."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from course_lib.checkpoints.gpt_oss import fused_attention
from course_lib.checkpoints.llama import LLAMA_NAMES
from course_lib.checkpoints.names import Checkpoint
from course_lib.checkpoints.renaming import renamed_parts
from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.classifier import TokenClassifierConfig
from course_lib.config.decoder import DecoderConfig, LayerConfig, LogitBias, Unembedding
from course_lib.config.rope import RopeConfig
from course_lib.positions.rope import interleaved_to_halves

__all__ = ["privacy_filter_parts"]

_NAMES = replace(LLAMA_NAMES, logits="score")


def privacy_filter_parts(
    tensors: Mapping[str, Shaped[Tensor, "..."]], config: TokenClassifierConfig
) -> Iterator[dict[str, Float[Tensor, "..."]]]:
    r"""Take a privacy-filter checkpoint apart: the embedding, each layer, what follows.

    Two orders of columns are not ours, and are settled here, so that the layers are gpt-oss's:
    rotary pairs are neighbours, 2i and 2i + 1, and become i and n + i; an expert's gates are one
    half and what they gate is the other, and they become neighbours. The folder ``original/`` has
    sinks to the base 2, which are multiplied by ln 2, and no biases of the labels, which become 0.

    Args:
        tensors: the checkpoint, foreign name -> tensor, such as ``SafetensorsFiles``.
        config: the model that it belongs to.

    Yields:
        Our names -> tensors, for ``load_classifier_parts``. Only what was yielded has been read.

    Raises:
        ValueError: if a tensor is missing or left over, or its columns are no whole number of
            heads.

    Source: the names and orders of transformers' OpenAIPrivacyFilter model; ``original/`` as
    transformers' script that converts it reads it. No released file was at hand.
    """
    source = Checkpoint(tensors)
    is_original = "block.0.attn.norm.scale" in tensors
    parts = _original(source, config) if is_original else _root(source, config)
    yield next(parts)
    for number, layer in enumerate(config.layers):
        yield _reordered(next(parts), layer, f"blocks.{number}")
    yield next(parts)


def _root(source: Checkpoint, config: TokenClassifierConfig) -> Iterator[dict[str, Tensor]]:
    """Read it as a decoder whose logits, each with a bias, are over labels."""
    as_decoder = DecoderConfig(
        vocab_size=config.vocab_size,
        d_model=config.d_model,
        context_length=config.context_length,
        layers=config.layers,
        final_norm=config.final_norm,
        unembedding=Unembedding.OWN,
        logit_steps=(LogitBias(),),
    )
    ours = {"unembedding": "w_labels", "logit_bias": "b_labels"}
    for part in renamed_parts(source, as_decoder, _NAMES):
        yield {ours.get(name, name): tensor for name, tensor in part.items()}


def _original(source: Checkpoint, config: TokenClassifierConfig) -> Iterator[dict[str, Tensor]]:
    yield {"embedding": source.take("embedding.weight")}
    for number, layer in enumerate(config.layers):
        theirs = f"block.{number}"
        found = fused_attention(source, layer.attention, f"{theirs}.attn")
        found["attention.sinks"] = found["attention.sinks"].float() * math.log(2)
        found["feed_forward_norm.gain"] = source.take(f"{theirs}.mlp.norm.scale")
        found |= source.linear("feed_forward.{}_router", f"{theirs}.mlp.gate", has_bias=True)
        for name, foreign in (("gate_up", "swiglu"), ("down", "out")):
            found[f"feed_forward.w_{name}"] = source.take(f"{theirs}.mlp.{foreign}.weight")
            found[f"feed_forward.b_{name}"] = source.take(f"{theirs}.mlp.{foreign}.bias")
        yield {f"blocks.{number}.{name}": tensor for name, tensor in found.items()}
    w_labels = source.matrix("unembedding")
    last = {
        "final_norm.gain": source.take("norm.scale"),
        "w_labels": w_labels,
        "b_labels": torch.zeros(w_labels.shape[1], dtype=w_labels.dtype),
    }
    source.finish()
    yield last


def _reordered(part: dict[str, Tensor], layer: LayerConfig, block: str) -> dict[str, Tensor]:
    """Bring the columns of one layer into our order; each matrix takes its old one's place."""
    heads = layer.attention
    if isinstance(heads, CausalAttentionConfig) and isinstance(heads.rope, RopeConfig):
        for name in ("w_q", "w_k", "b_q", "b_k"):
            whole = f"{block}.attention.{name}"
            part[whole] = interleaved_to_halves(part[whole], heads.head_dim, heads.rope.rotary_dim)
    for name in ("w_gate_up", "b_gate_up"):
        whole = f"{block}.feed_forward.{name}"
        part[whole] = torch.stack(part[whole].chunk(2, -1), -1).flatten(-2)
    return part
