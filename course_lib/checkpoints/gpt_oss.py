"""The released files of gpt-oss, in both of their layouts, one layer at a time."""

from collections.abc import Iterator, Mapping

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from course_lib.checkpoints.llama import LLAMA_NAMES
from course_lib.checkpoints.mixtures import unpacked_experts
from course_lib.checkpoints.names import Checkpoint
from course_lib.checkpoints.renaming import renamed_parts
from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.decoder import DecoderConfig

__all__ = ["fused_attention", "gpt_oss_parts"]


def gpt_oss_parts(
    tensors: Mapping[str, Shaped[Tensor, "..."]], config: DecoderConfig
) -> Iterator[dict[str, Float[Tensor, "..."]]]:
    """Take a gpt-oss checkpoint apart: the embedding, each layer, what follows.

    The root of the release has Llama's names and a matrix each for queries, keys and values; its
    folder ``original/`` has names of its own and one matrix for all three. Experts are in MXFP4 in
    both, and in bfloat16 where somebody has unpacked them.

    Args:
        tensors: the checkpoint, foreign name -> tensor, such as ``SafetensorsFiles``.
        config: the model that it belongs to.

    Yields:
        Our names -> tensors. Only what was yielded has been read.

    Raises:
        ValueError: if a tensor is missing or left over.

    Source: the names in the index of openai/gpt-oss-20b, and in ``torch/weights.py`` and
    ``torch/model.py`` of its repository.
    """
    source = Checkpoint(tensors)
    if "block.0.attn.norm.scale" not in tensors:
        yield from renamed_parts(source, config, LLAMA_NAMES)
        return
    yield {"embedding": source.take("embedding.weight")}
    for number, layer in enumerate(config.layers):
        yield _layer(source, layer.attention, number)  # no name here holds it while the next comes
    last = {
        "final_norm.gain": source.take("norm.scale"),
        "unembedding": source.matrix("unembedding"),
    }
    source.finish()
    yield last


def _layer(source: Checkpoint, heads: object, number: int) -> dict[str, Tensor]:
    found = fused_attention(source, heads, f"block.{number}.attn")
    found |= _experts(source, f"block.{number}.mlp")
    return {f"blocks.{number}.{name}": tensor for name, tensor in found.items()}


def fused_attention(
    source: Checkpoint, heads: object, theirs: str
) -> dict[str, Float[Tensor, "..."]]:
    """Take the attention of a layer out of the folder ``original/``, and the norm before it.

    Args:
        source: the checkpoint.
        heads: the layer's attention.
        theirs: its name in the checkpoint.

    Returns:
        Our names, as they are inside a block, -> tensors.

    Raises:
        ValueError: if a tensor is missing, the matrix has not (H + 2 G) D columns, or the layer has
            not keys and values of its own.

    Source: ``torch/model.py`` of openai/gpt-oss; openai/privacy-filter names them alike.
    """
    if not isinstance(heads, CausalAttentionConfig):
        raise ValueError(
            "a checkpoint of this kind has keys and values of its own in every layer; "
            f"{theirs} has {type(heads).__name__}"
        )
    wide, narrow = heads.num_heads * heads.head_dim, heads.num_kv_heads * heads.head_dim
    fused = {"w": source.matrix(f"{theirs}.qkv"), "b": source.take(f"{theirs}.qkv.bias")}
    if fused["w"].shape[1] != wide + 2 * narrow:
        raise ValueError(
            "one matrix holds all queries, then all keys, then all values, (H + 2 G) D columns; "
            f"with H={heads.num_heads}, G={heads.num_kv_heads} and D={heads.head_dim} that is "
            f"{wide + 2 * narrow}, and {theirs}.qkv has {fused['w'].shape[1]}"
        )
    ours = {"attention_norm.gain": source.take(f"{theirs}.norm.scale")}
    for kind, tensor in fused.items():
        cut = torch.split(tensor, [wide, narrow, narrow], dim=-1)
        for letter, columns in zip("qkv", cut, strict=True):
            ours[f"attention.{kind}_{letter}"] = columns.contiguous()
    ours |= source.linear("attention.{}_o", f"{theirs}.out", has_bias=True)
    ours["attention.sinks"] = source.take(f"{theirs}.sinks")
    return ours


def _experts(source: Checkpoint, theirs: str) -> dict[str, Tensor]:
    ours = {
        "feed_forward_norm.gain": source.take(f"{theirs}.norm.scale"),
        **source.linear("feed_forward.{}_router", f"{theirs}.gate", has_bias=True),
    }
    for name, foreign in (("gate_up", "mlp1"), ("down", "mlp2")):
        ours[f"feed_forward.b_{name}"] = source.take(f"{theirs}.{foreign}_bias")
        whole = f"{theirs}.{foreign}_weight"
        if {f"{whole}.blocks", f"{whole}.scales"} & set(source.tensors):
            blocks, scales = source.packed(f"{whole}.blocks"), source.packed(f"{whole}.scales")
            turned = unpacked_experts(blocks, scales)
        else:
            turned = source.take(whole).mT.contiguous()  # stored as [E, out, in]
        ours[f"feed_forward.w_{name}"] = turned
    return ours
