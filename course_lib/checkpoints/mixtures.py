"""Experts in released checkpoints: one by one or stacked, in full precision or in MXFP4."""

import torch
from jaxtyping import BFloat16, Float, Shaped
from torch import Tensor

from course_lib.checkpoints.names import Checkpoint
from course_lib.config.experts import (
    AffinityMixtureConfig,
    GatedSharedMixtureConfig,
    InputWeightedMixtureConfig,
    MixtureSizes,
    ShareMixtureConfig,
)
from course_lib.number_formats.mxfp4 import mxfp4_dequantize

__all__ = [
    "affinity_mixture",
    "clamped_mixture",
    "gated_mixture",
    "gated_shared_mixture",
    "input_weighted_mixture",
    "share_mixture",
    "unpacked_experts",
]

#: What each release calls the router, and an expert's gate, what it gates, and the way down.
_ONE_BY_ONE = (
    ("mlp.gate", "mlp.experts.{}", ("gate_proj", "up_proj", "down_proj")),  # Qwen3
    ("block_sparse_moe.gate", "block_sparse_moe.experts.{}", ("w1", "w3", "w2")),  # Mixtral
)
#: What holds the bias.
_BIASED = ("mlp.gate", "mlp", "block_sparse_moe")


def gated_mixture(
    source: Checkpoint, config: MixtureSizes, theirs: str
) -> dict[str, Float[Tensor, "..."]]:
    """Take the router and the experts of a SwiGLU mixture, however they are stored.

    Args:
        source: the checkpoint.
        config: how many experts there are.
        theirs: the layer's name in the checkpoint.

    Returns:
        Our names -> tensors: three stacks of E matrices, and the router's.

    Raises:
        ValueError: if the checkpoint has none of the three layouts, or one of its tensors is
            missing.

    Source: the names of Mixtral's and Qwen3's released files, and transformers' of both, in which
    the gate and what it gates are the halves of one matrix.
    """
    stacked = f"{theirs}.mlp.experts.gate_up_proj"
    if stacked in source.tensors:
        router = source.matrix(f"{theirs}.mlp.gate")
        gate, up = source.take(stacked).mT.chunk(2, -1)
        down = source.take(f"{theirs}.mlp.experts.down_proj").mT
    else:
        layouts = [
            layout for layout in _ONE_BY_ONE if f"{theirs}.{layout[0]}.weight" in source.tensors
        ]
        foreign, expert, parts = layouts[0] if layouts else _ONE_BY_ONE[0]
        router = source.matrix(f"{theirs}.{foreign}")
        names = [f"{theirs}.{expert.format(e)}" for e in range(config.num_experts)]
        gate, up, down = (
            torch.stack([source.matrix(f"{name}.{part}") for name in names]) for part in parts
        )
    ours = {"w_router": router, "w_gate": gate, "w_up": up, "w_down": down}
    return {f"feed_forward.{name}": tensor.contiguous() for name, tensor in ours.items()}


def affinity_mixture(
    source: Checkpoint, config: AffinityMixtureConfig, theirs: str
) -> dict[str, Float[Tensor, "..."]]:
    """Take a mixture with a bias that balances its loads, and the experts that all tokens use.

    Args:
        source: the checkpoint.
        config: how many experts there are, and how many are shared.
        theirs: the layer's name in the checkpoint.

    Returns:
        Our names -> tensors, as of ``gated_mixture``, with the bias and the shared network.

    Raises:
        ValueError: if one of its tensors is missing.

    Source: the names of DeepSeek-V3's, GLM-4.5's and MiniMax-M2's released files, and
    transformers' of them.
    """
    ours = gated_mixture(source, config, theirs)
    biases = [f"{theirs}.{name}.e_score_correction_bias" for name in _BIASED]
    found = [name for name in biases if name in source.tensors]
    ours["feed_forward.b_router"] = source.take(found[0] if found else biases[0])
    return ours | _shared(source, f"{theirs}.mlp.shared_experts", config.num_shared)


def share_mixture(
    source: Checkpoint, config: ShareMixtureConfig, theirs: str
) -> dict[str, Float[Tensor, "..."]]:
    """Take a mixture without a bias, and the experts that all tokens use.

    Args:
        source: the checkpoint.
        config: how many experts there are, and how many are shared.
        theirs: the layer's name in the checkpoint.

    Returns:
        Our names -> tensors, as of ``gated_mixture``, with the shared network.

    Raises:
        ValueError: if one of its tensors is missing.

    Source: the names of DeepSeek-V2's released files, and transformers' of them.
    """
    ours = gated_mixture(source, config, theirs)
    return ours | _shared(source, f"{theirs}.mlp.shared_experts", config.num_shared)


def gated_shared_mixture(
    source: Checkpoint, config: GatedSharedMixtureConfig, theirs: str
) -> dict[str, Float[Tensor, "..."]]:
    """Take a mixture, the experts that all tokens use, and their gate.

    Args:
        source: the checkpoint.
        config: how many experts there are.
        theirs: the layer's name in the checkpoint.

    Returns:
        Our names -> tensors, as of ``gated_mixture``, with the shared network and the gate.

    Raises:
        ValueError: if one of its tensors is missing.

    Source: transformers' Qwen3-Next.
    """
    ours = gated_mixture(source, config, theirs)
    ours |= _shared(source, f"{theirs}.mlp.shared_expert", config.num_shared)
    ours["feed_forward.w_open"] = source.matrix(f"{theirs}.mlp.shared_expert_gate")
    return ours


def _shared(source: Checkpoint, theirs: str, num_shared: int) -> dict[str, Tensor]:
    """The network of the experts that all tokens use, where there are any."""
    names = ("gate", "up", "down") if num_shared else ()
    return {
        f"feed_forward.w_shared_{part}": source.matrix(f"{theirs}.{part}_proj") for part in names
    }


def clamped_mixture(source: Checkpoint, theirs: str) -> dict[str, Float[Tensor, "..."]]:
    """Take the router and the experts of gpt-oss, in bfloat16 or in MXFP4.

    Args:
        source: the checkpoint.
        theirs: the layer's name in the checkpoint.

    Returns:
        Our names -> tensors; of gates and what they gate, the columns stay in turn.

    Raises:
        ValueError: if one of its tensors is missing, or a block has not 16 bytes.

    Source: the index of the files of openai/gpt-oss-20b; transformers' GptOss.
    """
    ours = {
        "w_router": source.matrix(f"{theirs}.mlp.router"),
        "b_router": source.take(f"{theirs}.mlp.router.bias"),
    }
    for name, foreign in (("gate_up", "gate_up_proj"), ("down", "down_proj")):
        whole = f"{theirs}.mlp.experts.{foreign}"
        ours[f"b_{name}"] = source.take(f"{whole}_bias")
        if {f"{whole}_blocks", f"{whole}_scales"} & set(source.tensors):
            # Stored as [E, out, in / 32, 16 bytes].
            blocks, scales = source.packed(f"{whole}_blocks"), source.packed(f"{whole}_scales")
            ours[f"w_{name}"] = unpacked_experts(blocks, scales)
        else:
            ours[f"w_{name}"] = source.take(whole)
    return {f"feed_forward.{name}": tensor for name, tensor in ours.items()}


def input_weighted_mixture(
    source: Checkpoint, config: InputWeightedMixtureConfig, theirs: str
) -> dict[str, Float[Tensor, "..."]]:
    """Take the router, the experts and the shared one of Llama 4.

    Args:
        source: the checkpoint.
        config: how many experts are shared: one, or none.
        theirs: the layer's name in the checkpoint.

    Returns:
        Our names -> tensors.

    Raises:
        ValueError: if one of its tensors is missing.

    Source: the names of transformers' Llama 4.
    """
    gate, up = source.take(f"{theirs}.feed_forward.experts.gate_up_proj").chunk(2, -1)
    ours = {
        "w_router": source.matrix(f"{theirs}.feed_forward.router"),
        "w_gate": gate.contiguous(),
        "w_up": up.contiguous(),
        "w_down": source.take(f"{theirs}.feed_forward.experts.down_proj"),
    }
    named = {f"feed_forward.{name}": tensor for name, tensor in ours.items()}
    return named | _shared(source, f"{theirs}.feed_forward.shared_expert", config.num_shared)


def unpacked_experts(
    blocks: Shaped[Tensor, "..."], scales: Shaped[Tensor, "..."]
) -> BFloat16[Tensor, "E _ _"]:
    """Unpack stacked matrices from MXFP4, and turn them, one expert at a time.

    One expert is unpacked in float32 beside the result, and never all of them.

    Args:
        blocks: bytes, [E, out, in / 32, 16].
        scales: one byte for each block.

    Returns:
        The matrices as [E, in, out], for x @ w. A number of MXFP4 has two significant bits, so
        bfloat16, which has eight and float32's exponents, holds it exactly.

    Raises:
        ValueError: if a block has not 16 bytes, or there is not one scale for each.
        TypeError: if one of the two is not of torch.uint8.

    Source: the index of the files of openai/gpt-oss-20b; ``mxfp4_dequantize``.
    """
    if blocks.ndim != 4 or blocks.shape[:-1] != scales.shape:
        raise ValueError(
            "stacked experts have the axes E, out, in / 32 and 16, and one scale for each block; "
            f"blocks has {tuple(blocks.shape)} and scales {tuple(scales.shape)}"
        )
    num_experts, out, num_blocks, _ = blocks.shape
    turned = torch.empty(
        num_experts, 32 * num_blocks, out, dtype=torch.bfloat16, device=blocks.device
    )
    for expert, (packed, powers) in enumerate(zip(blocks, scales, strict=True)):
        turned[expert] = mxfp4_dequantize(packed, powers).T
    return turned
