"""MPT's checkpoints: one matrix for queries, keys and values, no biases, no positions."""

from collections.abc import Mapping

from jaxtyping import Float, Shaped
from torch import Tensor

from course_lib.checkpoints.names import Checkpoint
from course_lib.config.decoder import DecoderConfig

__all__ = ["from_mpt"]


def from_mpt(
    tensors: Mapping[str, Shaped[Tensor, "..."]], config: DecoderConfig
) -> dict[str, Float[Tensor, "..."]]:
    """Rename an MPT checkpoint, and cut its fused projection into three.

    Args:
        tensors: the checkpoint, foreign name -> tensor.
        config: the model that it belongs to.

    Returns:
        Our names -> tensors, for ``Decoder.load_state_dict``.

    Raises:
        ValueError: if a tensor is missing or left over, or the model is tied and the checkpoint's
            logits have a table of their own.

    Source: the names in transformers' MPT model.
    """
    source = Checkpoint(tensors)
    ours = {"embedding": source.take("transformer.wte.weight")}
    for number in range(config.num_layers):
        theirs, block = f"transformer.blocks.{number}", f"blocks.{number}"
        fused = source.matrix(f"{theirs}.attn.Wqkv").chunk(3, dim=1)
        for letter, weight in zip("qkv", fused, strict=True):
            ours[f"{block}.attention.w_{letter}"] = weight
        ours[f"{block}.attention.w_o"] = source.matrix(f"{theirs}.attn.out_proj")
        ours[f"{block}.feed_forward.w_in"] = source.matrix(f"{theirs}.ffn.up_proj")
        ours[f"{block}.feed_forward.w_out"] = source.matrix(f"{theirs}.ffn.down_proj")
        ours[f"{block}.attention_norm.gain"] = source.take(f"{theirs}.norm_1.weight")
        ours[f"{block}.feed_forward_norm.gain"] = source.take(f"{theirs}.norm_2.weight")
    ours["final_norm.gain"] = source.take("transformer.norm_f.weight")
    ours |= source.unembedding("transformer.wte.weight", "lm_head", is_tied=config.is_tied)
    source.finish()
    return ours
