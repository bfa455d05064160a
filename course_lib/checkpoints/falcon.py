"""Falcon's checkpoints: one matrix holds queries, keys and values, group after group of heads."""

from collections.abc import Mapping

from jaxtyping import Float, Shaped
from torch import Tensor

from course_lib.checkpoints.names import Checkpoint
from course_lib.checkpoints.renaming import Names, renamed
from course_lib.config.arrangement import Parallel, ParallelTwoNorms
from course_lib.config.attention import AlibiAttentionConfig
from course_lib.config.decoder import DecoderConfig

__all__ = ["from_falcon"]

_NAMES = Names(
    embedding="transformer.word_embeddings",
    layer="transformer.h",
    attention={"qkv": "self_attention.query_key_value", "o": "self_attention.dense"},
    feed_forward={"in": "mlp.dense_h_to_4h", "out": "mlp.dense_4h_to_h"},
    norms={
        Parallel: {"norm": "input_layernorm"},
        ParallelTwoNorms: {"attention_norm": "ln_attn", "feed_forward_norm": "ln_mlp"},
    },
    final_norm="transformer.ln_f",
)


def from_falcon(
    tensors: Mapping[str, Shaped[Tensor, "..."]], config: DecoderConfig
) -> dict[str, Float[Tensor, "..."]]:
    """Rename a Falcon checkpoint, and cut its fused projection into three.

    Args:
        tensors: the checkpoint, foreign name -> tensor: of 7B, with one key/value head, or of 40B
            and 180B, with more.
        config: the model that it belongs to.

    Returns:
        Our names -> tensors, for ``Decoder.load_state_dict``.

    Raises:
        ValueError: if a tensor is missing or left over, the blocks are not parallel, a layer
            has ALiBi, or the model is tied and the checkpoint's logits have a table of their own.

    Source: the names in transformers' Falcon model, with ``multi_query`` or
    ``new_decoder_architecture``.
    """
    layers = enumerate(config.layers)
    biased = [i for i, one in layers if isinstance(one.attention, AlibiAttentionConfig)]
    if biased:
        raise ValueError(
            "Falcon divides ALiBi by the root of D as it does the scores, so its biases are not "
            f"ours; {len(biased)} of {config.num_layers} layers have ALiBi, layer {biased[0]} first"
        )
    return renamed(Checkpoint(tensors), config, _NAMES)
