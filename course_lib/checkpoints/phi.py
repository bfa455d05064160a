"""Phi's checkpoints: Phi-1, Phi-1.5 and Phi-2."""

from collections.abc import Mapping

from jaxtyping import Float, Shaped
from torch import Tensor

from course_lib.checkpoints.names import Checkpoint
from course_lib.checkpoints.renaming import Names, renamed
from course_lib.config.arrangement import Parallel
from course_lib.config.decoder import DecoderConfig

__all__ = ["from_phi"]

_NAMES = Names(
    embedding="model.embed_tokens",
    layer="model.layers",
    attention={letter: f"self_attn.{letter}_proj" for letter in "qkv"} | {"o": "self_attn.dense"},
    feed_forward={"in": "mlp.fc1", "out": "mlp.fc2"},
    norms={Parallel: {"norm": "input_layernorm"}},
    final_norm="model.final_layernorm",
)


def from_phi(
    tensors: Mapping[str, Shaped[Tensor, "..."]], config: DecoderConfig
) -> dict[str, Float[Tensor, "..."]]:
    """Rename a Phi checkpoint, and turn its matrices.

    Args:
        tensors: the checkpoint, foreign name -> tensor.
        config: the model that it belongs to.

    Returns:
        Our names -> tensors, for ``Decoder.load_state_dict``.

    Raises:
        ValueError: if a tensor is missing or left over, the blocks are arranged otherwise, or the
            model is tied and the checkpoint's logits have a table of their own.

    Source: the names in transformers' Phi model.
    """
    return renamed(Checkpoint(tensors), config, _NAMES)
