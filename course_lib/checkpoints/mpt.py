"""MPT's checkpoints: one matrix for queries, keys and values, no biases, no positions."""

from collections.abc import Mapping

from jaxtyping import Float, Shaped
from torch import Tensor

from course_lib.checkpoints.names import Checkpoint
from course_lib.checkpoints.renaming import Heads, Names, renamed
from course_lib.config.arrangement import PreNorm
from course_lib.config.decoder import DecoderConfig

__all__ = ["from_mpt"]


def _in_thirds(fused: Tensor, heads: Heads) -> dict[str, Tensor]:
    """Queries stand first, those of all heads, then all keys, then all values."""
    return dict(zip("qkv", fused.chunk(3, dim=-1), strict=True))


_NAMES = Names(
    embedding="transformer.wte",
    layer="transformer.blocks",
    attention={"qkv": "attn.Wqkv", "o": "attn.out_proj"},
    feed_forward={"in": "ffn.up_proj", "out": "ffn.down_proj"},
    norms={PreNorm: {"attention_norm": "norm_1", "feed_forward_norm": "norm_2"}},
    final_norm="transformer.norm_f",
    cut=_in_thirds,
)


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
        ValueError: if a tensor is missing or left over, the blocks are arranged otherwise, or the
            model is tied and the checkpoint's logits have a table of their own.

    Source: the names in transformers' MPT model.
    """
    return renamed(Checkpoint(tensors), config, _NAMES)
