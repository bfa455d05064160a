"""Falcon 7B's checkpoint: H queries, one key and one value in one matrix."""

from collections.abc import Mapping

from jaxtyping import Float, Shaped
from torch import Tensor

from course_lib.checkpoints.names import Checkpoint
from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.decoder import DecoderConfig

__all__ = ["from_falcon"]


def from_falcon(
    tensors: Mapping[str, Shaped[Tensor, "..."]], config: DecoderConfig
) -> dict[str, Float[Tensor, "..."]]:
    """Rename a Falcon 7B checkpoint, and cut its fused projection into three.

    Args:
        tensors: the checkpoint, foreign name -> tensor.
        config: the model that it belongs to.

    Returns:
        Our names -> tensors, for ``Decoder.load_state_dict``.

    Raises:
        ValueError: if a tensor is missing or left over, or the model is tied and the checkpoint's
            logits have a table of their own.

    Source: the names in transformers' Falcon model with one key/value head.
    """
    source = Checkpoint(tensors)
    ours = {"embedding": source.take("transformer.word_embeddings.weight")}
    for number, layer in enumerate(config.layers):
        theirs, block = f"transformer.h.{number}", f"blocks.{number}"
        heads = layer.attention
        if not isinstance(heads, CausalAttentionConfig):
            raise ValueError(
                "a checkpoint of this kind has causal attention in every layer; "
                f"layer {number} of {config.num_layers} has {type(heads).__name__}"
            )
        wide, narrow = heads.num_heads * heads.head_dim, heads.num_kv_heads * heads.head_dim
        fused = source.matrix(f"{theirs}.self_attention.query_key_value")
        cuts = {"q": (0, wide), "k": (wide, narrow), "v": (wide + narrow, narrow)}
        for letter, (start, length) in cuts.items():
            ours[f"{block}.attention.w_{letter}"] = fused.narrow(1, start, length)
        ours[f"{block}.attention.w_o"] = source.matrix(f"{theirs}.self_attention.dense")
        ours[f"{block}.feed_forward.w_in"] = source.matrix(f"{theirs}.mlp.dense_h_to_4h")
        ours[f"{block}.feed_forward.w_out"] = source.matrix(f"{theirs}.mlp.dense_4h_to_h")
        ours[f"{block}.norm.gain"] = source.take(f"{theirs}.input_layernorm.weight")
        ours[f"{block}.norm.shift"] = source.take(f"{theirs}.input_layernorm.bias")
    ours["final_norm.gain"] = source.take("transformer.ln_f.weight")
    ours["final_norm.shift"] = source.take("transformer.ln_f.bias")
    table = "transformer.word_embeddings.weight"
    ours |= source.unembedding(table, "lm_head", is_tied=config.is_tied)
    source.finish()
    return ours
