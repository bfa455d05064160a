"""GPT-2's checkpoints, old and new: one matrix for queries, keys and values, as [in, out]."""

import re
from collections.abc import Mapping

from jaxtyping import Float, Shaped
from torch import Tensor

from course_lib.checkpoints.names import Checkpoint, under_new_names
from course_lib.config.decoder import DecoderConfig

__all__ = ["from_gpt2"]


def from_gpt2(
    tensors: Mapping[str, Shaped[Tensor, "..."]], config: DecoderConfig
) -> dict[str, Float[Tensor, "..."]]:
    """Rename a GPT-2 checkpoint, and cut its fused projection into three.

    Args:
        tensors: the checkpoint, foreign name -> tensor. Older files are read, too: names without
            "transformer." before them, with g, w and b or TensorFlow's gamma and beta at their
            ends; and the masks that such files hold (attn.bias, attn.masked_bias), which are
            constants and left out.
        config: the model that it belongs to.

    Returns:
        Our names -> tensors, for ``Decoder.load_state_dict``.

    Raises:
        ValueError: if a tensor is missing, left over or there under two names, or the model is tied
            and the checkpoint's logits have a table of their own.

    Source: the names in transformers' GPT-2 model and its older versions; openai/gpt-2
    ``src/model.py`` stores its matrices as [in, out], too.
    """
    source = Checkpoint(under_new_names(tensors, _as_today))
    ours = {
        "embedding": source.take("transformer.wte.weight"),
        "positions": source.take("transformer.wpe.weight"),
    }
    for number in range(config.num_layers):
        theirs, block = f"transformer.h.{number}", f"blocks.{number}"
        fused = source.take(f"{theirs}.attn.c_attn.weight").chunk(3, dim=1)
        biases = source.take(f"{theirs}.attn.c_attn.bias").chunk(3)
        for letter, weight, bias in zip("qkv", fused, biases, strict=True):
            ours[f"{block}.attention.w_{letter}"] = weight
            ours[f"{block}.attention.b_{letter}"] = bias
        for end, foreign in (
            ("attention.{}_o", "attn.c_proj"),
            ("feed_forward.{}_in", "mlp.c_fc"),
            ("feed_forward.{}_out", "mlp.c_proj"),
        ):
            ours[f"{block}.{end.format('w')}"] = source.take(f"{theirs}.{foreign}.weight")
            ours[f"{block}.{end.format('b')}"] = source.take(f"{theirs}.{foreign}.bias")
        for name, foreign in (("attention_norm", "ln_1"), ("feed_forward_norm", "ln_2")):
            ours[f"{block}.{name}.gain"] = source.take(f"{theirs}.{foreign}.weight")
            ours[f"{block}.{name}.shift"] = source.take(f"{theirs}.{foreign}.bias")
    ours["final_norm.gain"] = source.take("transformer.ln_f.weight")
    ours["final_norm.shift"] = source.take("transformer.ln_f.bias")
    ours |= source.unembedding("transformer.wte.weight", "lm_head", is_tied=config.is_tied)
    source.finish()
    return ours


def _as_today(name: str) -> str:
    """Name a tensor as today's files do."""
    whole = re.sub(r"^(?=(wte|wpe|h|ln_f)\.)", "transformer.", name)
    return re.sub(r"\.(b|beta)$", ".bias", re.sub(r"\.(g|w|gamma)$", ".weight", whole))
