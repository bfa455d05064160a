"""BLOOM's checkpoints: a norm behind the embedding, and ALiBi."""

from collections.abc import Mapping

from jaxtyping import Float, Shaped
from torch import Tensor

from course_lib.checkpoints.names import Checkpoint
from course_lib.checkpoints.renaming import Names, renamed
from course_lib.config.arrangement import PreNorm
from course_lib.config.decoder import DecoderConfig

__all__ = ["from_bloom"]

_NAMES = Names(
    embedding="transformer.word_embeddings",
    embedding_norm="transformer.word_embeddings_layernorm",
    layer="transformer.h",
    attention={"qkv": "self_attention.query_key_value", "o": "self_attention.dense"},
    feed_forward={"in": "mlp.dense_h_to_4h", "out": "mlp.dense_4h_to_h"},
    norms={
        PreNorm: {
            "attention_norm": "input_layernorm",
            "feed_forward_norm": "post_attention_layernorm",
        }
    },
    final_norm="transformer.ln_f",
)


def from_bloom(
    tensors: Mapping[str, Shaped[Tensor, "..."]], config: DecoderConfig
) -> dict[str, Float[Tensor, "..."]]:
    """Rename a BLOOM checkpoint, and cut its fused projection head by head.

    Args:
        tensors: the checkpoint, foreign name -> tensor; the released files have no "transformer."
            before their names, what transformers saves today has.
        config: the model that it belongs to.

    Returns:
        Our names -> tensors, for ``Decoder.load_state_dict``.

    Raises:
        ValueError: if a tensor is missing or left over, the blocks are arranged otherwise, or the
            model is tied and the checkpoint's logits have a table of their own.

    Source: the names in transformers' BLOOM model.
    """
    is_bare = "word_embeddings.weight" in tensors
    current = {
        f"transformer.{name}" if is_bare and not name.startswith("lm_head.") else name: tensor
        for name, tensor in tensors.items()
    }
    return renamed(Checkpoint(current), config, _NAMES)
