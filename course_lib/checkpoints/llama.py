"""Checkpoints named as Llama's: Mistral, Qwen, SmolLM3, OLMo, Gemma, Granite, StableLM."""

from collections.abc import Mapping

from jaxtyping import Float, Shaped
from torch import Tensor

from course_lib.checkpoints.names import Checkpoint
from course_lib.checkpoints.renaming import Names, renamed
from course_lib.config.arrangement import (
    InnerNorm,
    Parallel,
    PreNorm,
    SandwichNorm,
    ScaledPreNorm,
)
from course_lib.config.decoder import DecoderConfig

__all__ = ["LLAMA_NAMES", "from_llama"]

_BEFORE = {"attention_norm": "input_layernorm", "feed_forward_norm": "post_attention_layernorm"}
#: What the family calls its parts.
LLAMA_NAMES = Names(
    embedding="model.embed_tokens",
    layer="model.layers",
    attention={letter: f"self_attn.{letter}_proj" for letter in "qkvo"},
    feed_forward={part: f"mlp.{part}_proj" for part in ("gate", "up", "down")},
    norms={
        PreNorm: _BEFORE,
        ScaledPreNorm: _BEFORE,
        InnerNorm: {
            "attention_norm": "post_attention_layernorm",
            "feed_forward_norm": "post_feedforward_layernorm",
        },
        SandwichNorm: {
            "attention_norm": "input_layernorm",
            "attention_out_norm": "post_attention_layernorm",
            "feed_forward_norm": "pre_feedforward_layernorm",
            "feed_forward_out_norm": "post_feedforward_layernorm",
        },
        Parallel: {"norm": "input_layernorm"},
    },
    final_norm="model.norm",
)


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

    Source: the names in transformers' Llama, Qwen 2 and 3, OLMo 2 and 3, Gemma 2 and 3, Granite and
    StableLM models.
    """
    return renamed(Checkpoint(tensors), config, LLAMA_NAMES)
