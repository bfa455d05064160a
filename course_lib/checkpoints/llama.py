"""Checkpoints named as Llama's: Mistral, Qwen3, SmolLM3, OLMo 2, Gemma 2 and 3."""

from collections.abc import Mapping

from jaxtyping import Float, Shaped
from torch import Tensor

from course_lib.checkpoints.names import Checkpoint
from course_lib.config.arrangement import InnerNorm, PreNorm, SandwichNorm
from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.decoder import DecoderConfig
from course_lib.config.norms import NoQKNorm

__all__ = ["from_llama"]

#: Arrangement -> our name of a norm -> theirs.
_NORMS = {
    PreNorm(): {
        "attention_norm": "input_layernorm",
        "feed_forward_norm": "post_attention_layernorm",
    },
    InnerNorm(): {
        "attention_norm": "post_attention_layernorm",
        "feed_forward_norm": "post_feedforward_layernorm",
    },
    SandwichNorm(): {
        "attention_norm": "input_layernorm",
        "attention_out_norm": "post_attention_layernorm",
        "feed_forward_norm": "pre_feedforward_layernorm",
        "feed_forward_out_norm": "post_feedforward_layernorm",
    },
}


def from_llama(
    tensors: Mapping[str, Shaped[Tensor, "..."]], config: DecoderConfig
) -> dict[str, Float[Tensor, "..."]]:
    """Rename a checkpoint of Llama's kind, and turn its matrices.

    Args:
        tensors: the checkpoint, foreign name -> tensor.
        config: the model that it belongs to.

    Returns:
        Our names -> tensors, for ``Decoder.load_state_dict``.

    Raises:
        ValueError: if a tensor is missing or left over, the blocks are arranged in a way that no
            such checkpoint has, or the model is tied and the checkpoint's logits have a table of
            their own.

    Source: the names in transformers' Llama, Qwen3, OLMo 2, Gemma 2 and Gemma 3 models.
    """
    source = Checkpoint(tensors)
    ours = {"embedding": source.take("model.embed_tokens.weight")}
    for number, layer in enumerate(config.layers):
        theirs, block = f"model.layers.{number}", f"blocks.{number}"
        if layer.arrangement not in _NORMS:
            raise ValueError(
                "a checkpoint of this kind has norms before, inside or on both sides; "
                f"layer {number} of {config.num_layers} has {type(layer.arrangement).__name__}"
            )
        attention = layer.attention
        if not isinstance(attention, CausalAttentionConfig):
            raise ValueError(
                "a checkpoint of this kind has causal attention in every layer; "
                f"layer {number} of {config.num_layers} has {type(attention).__name__}"
            )
        for letter in "qkvo":
            name = f"{theirs}.self_attn.{letter}_proj"
            ours[f"{block}.attention.w_{letter}"] = source.matrix(name)
            if letter in attention.biases.value:
                ours[f"{block}.attention.b_{letter}"] = source.take(f"{name}.bias")
        if not isinstance(attention.qk_norm, NoQKNorm):
            for letter in "qk":
                gain = source.take(f"{theirs}.self_attn.{letter}_norm.weight")
                ours[f"{block}.attention.norm_{letter}.gain"] = gain
        for part in ("gate", "up", "down"):
            ours[f"{block}.feed_forward.w_{part}"] = source.matrix(f"{theirs}.mlp.{part}_proj")
        for name, foreign in _NORMS[layer.arrangement].items():
            ours[f"{block}.{name}.gain"] = source.take(f"{theirs}.{foreign}.weight")
    ours["final_norm.gain"] = source.take("model.norm.weight")
    ours |= source.unembedding("model.embed_tokens.weight", "lm_head", is_tied=config.is_tied)
    source.finish()
    return ours
