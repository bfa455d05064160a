"""GPT-NeoX's checkpoints: Pythia's, too."""

from collections.abc import Mapping

from jaxtyping import Float, Shaped
from torch import Tensor

from course_lib.checkpoints.names import Checkpoint
from course_lib.checkpoints.renaming import Names, renamed
from course_lib.config.arrangement import ParallelTwoNorms, PreNorm
from course_lib.config.decoder import DecoderConfig

__all__ = ["from_gpt_neox"]

_NORMS = {"attention_norm": "input_layernorm", "feed_forward_norm": "post_attention_layernorm"}
_NAMES = Names(
    embedding="gpt_neox.embed_in",
    layer="gpt_neox.layers",
    attention={"qkv": "attention.query_key_value", "o": "attention.dense"},
    feed_forward={"in": "mlp.dense_h_to_4h", "out": "mlp.dense_4h_to_h"},
    norms={ParallelTwoNorms: _NORMS, PreNorm: _NORMS},
    final_norm="gpt_neox.final_layer_norm",
)


def from_gpt_neox(
    tensors: Mapping[str, Shaped[Tensor, "..."]], config: DecoderConfig
) -> dict[str, Float[Tensor, "..."]]:
    """Rename a GPT-NeoX checkpoint, and cut its fused projection head by head.

    Args:
        tensors: the checkpoint, foreign name -> tensor; the logits' table is called embed_out in
            the released files and lm_head in what transformers saves today.
        config: the model that it belongs to. Its blocks are parallel with two norms, or, where
            ``use_parallel_residual`` is false, one half after the other.

    Returns:
        Our names -> tensors, for ``Decoder.load_state_dict``.

    Raises:
        ValueError: if a tensor is missing or left over, the blocks are arranged otherwise, or the
            model is tied and the checkpoint's logits have a table of their own.

    Source: the names in transformers' GPT-NeoX model.
    """
    current = {name.replace("embed_out.", "lm_head."): tensors[name] for name in tensors}
    return renamed(Checkpoint(current), config, _NAMES)
