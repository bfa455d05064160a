"""Checkpoints whose rotary pairs are neighbours, 2i and 2i + 1: GPT-J, Cohere and Llama 4.

Our rotation pairs entry i with entry n + i. Which entries of a query and a key are a pair is a
matter of the order of columns, so it is settled here, once: no model computes anything else for it.
"""

from collections.abc import Mapping
from dataclasses import replace

from jaxtyping import Float, Shaped
from torch import Tensor

from course_lib.checkpoints.llama import LLAMA_NAMES, from_llama
from course_lib.checkpoints.names import Checkpoint
from course_lib.checkpoints.renaming import Names, renamed
from course_lib.config.arrangement import Parallel
from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.decoder import DecoderConfig
from course_lib.config.norms import NoQKNorm
from course_lib.config.rope import RopeConfig
from course_lib.positions.rope import interleaved_to_halves

__all__ = ["from_cohere", "from_gptj", "from_llama4"]

_GPTJ = Names(
    embedding="transformer.wte",
    layer="transformer.h",
    attention={letter: f"attn.{letter}_proj" for letter in "qkv"} | {"o": "attn.out_proj"},
    feed_forward={"in": "mlp.fc_in", "out": "mlp.fc_out"},
    norms={Parallel: {"norm": "ln_1"}},
    final_norm="transformer.ln_f",
)

_LLAMA4 = replace(
    LLAMA_NAMES,
    feed_forward={part: f"feed_forward.{part}_proj" for part in ("gate", "up", "down")},
)


def from_gptj(
    tensors: Mapping[str, Shaped[Tensor, "..."]], config: DecoderConfig
) -> dict[str, Float[Tensor, "..."]]:
    """Rename a GPT-J checkpoint, and bring the columns of queries and keys into our order.

    Args:
        tensors: the checkpoint, foreign name -> tensor.
        config: the model that it belongs to.

    Returns:
        Our names -> tensors, for ``Decoder.load_state_dict``.

    Raises:
        ValueError: if a tensor is missing or left over, the blocks are arranged otherwise, or the
            model is tied and the checkpoint's logits have a table of their own.

    Source: the names in transformers' GPT-J model.
    """
    return _halved(renamed(Checkpoint(tensors), config, _GPTJ), config)


def from_cohere(
    tensors: Mapping[str, Shaped[Tensor, "..."]], config: DecoderConfig
) -> dict[str, Float[Tensor, "..."]]:
    """Rename a Cohere checkpoint, and bring the columns of queries and keys into our order.

    Args:
        tensors: the checkpoint, foreign name -> tensor.
        config: the model that it belongs to.

    Returns:
        Our names -> tensors, for ``Decoder.load_state_dict``.

    Raises:
        ValueError: if a layer normalises its queries and keys (Command R+: a gain for each head,
            which no configuration here has), or as ``from_llama``.

    Source: the names in transformers' Cohere model, which are Llama's.
    """
    for number, layer in enumerate(config.layers):
        heads = layer.attention
        if isinstance(heads, CausalAttentionConfig) and not isinstance(heads.qk_norm, NoQKNorm):
            raise ValueError(
                "Cohere's norms of queries and keys have a gain for each head, and are not read; "
                f"layer {number} of {config.num_layers} has {type(heads.qk_norm).__name__}"
            )
    return _halved(from_llama(tensors, config), config)


def from_llama4(
    tensors: Mapping[str, Shaped[Tensor, "..."]], config: DecoderConfig
) -> dict[str, Float[Tensor, "..."]]:
    """Rename a Llama 4 checkpoint, and bring the columns of queries and keys into our order.

    Args:
        tensors: the text half, foreign name -> tensor; in the released files its names begin with
            "language_model.".
        config: the model that it belongs to.

    Returns:
        Our names -> tensors, for ``Decoder.load_state_dict``.

    Raises:
        ValueError: as ``from_llama``.

    Source: the names in transformers' Llama 4 model.
    """
    bare = {name.removeprefix("language_model."): tensor for name, tensor in tensors.items()}
    return _halved(renamed(Checkpoint(bare), config, _LLAMA4), config)


def _halved(ours: dict[str, Tensor], config: DecoderConfig) -> dict[str, Tensor]:
    """Reorder what makes queries and keys, in every layer that rotates them."""
    for number, layer in enumerate(config.layers):
        heads = layer.attention
        if isinstance(heads, CausalAttentionConfig) and isinstance(heads.rope, RopeConfig):
            for part in ("w_q", "w_k", "b_q", "b_k"):
                name = f"blocks.{number}.attention.{part}"
                if name in ours:
                    ours[name] = interleaved_to_halves(
                        ours[name], heads.head_dim, heads.rope.rotary_dim
                    )
    return ours
