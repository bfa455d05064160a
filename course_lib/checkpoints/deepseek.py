"""DeepSeek's checkpoints: latent attention, its heads fused, its rotated pairs side by side."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from course_lib.checkpoints.mixtures import affinity_mixture, share_mixture
from course_lib.checkpoints.names import Checkpoint
from course_lib.config.decoder import DecoderConfig
from course_lib.config.experts import AffinityMixtureConfig, ShareMixtureConfig
from course_lib.config.feed_forward import FeedForwardConfig, GatedFeedForwardConfig
from course_lib.config.latent import LatentAttentionConfig
from course_lib.positions.rope import interleaved_to_halves

__all__ = ["from_deepseek"]


def from_deepseek(
    tensors: Mapping[str, Shaped[Tensor, "..."]], config: DecoderConfig
) -> dict[str, Float[Tensor, "..."]]:
    """Rename a checkpoint of DeepSeek's kind, and cut its fused projections.

    Args:
        tensors: the checkpoint, foreign name -> tensor.
        config: the model that it belongs to.

    Returns:
        Our names -> tensors, for ``Decoder.load_state_dict``. Entry 2i of a rotated vector pairs
        with 2i + 1 there and with n + i here, so the columns that make it are reordered.

    Raises:
        ValueError: if a tensor is missing or left over, a layer's attention is not latent, its
            feed-forward network is none of the family's, or the model is tied and the checkpoint's
            logits have a table of their own.

    Source: the names in transformers' DeepSeek-V2 and V3 models, which
    Kimi K2 uses too.
    """
    source = Checkpoint(tensors)
    ours = {"embedding": source.take("model.embed_tokens.weight")}
    for number, layer in enumerate(config.layers):
        theirs, block = f"model.layers.{number}", f"blocks.{number}"
        if not isinstance(layer.attention, LatentAttentionConfig):
            raise ValueError(
                "a checkpoint of this kind has latent attention in every layer; "
                f"layer {number} of {config.num_layers} has {type(layer.attention).__name__}"
            )
        attention = _attention(source, f"{theirs}.self_attn", layer.attention)
        ours |= {f"{block}.attention.{name}": tensor for name, tensor in attention.items()}
        network = _feed_forward(source, layer.feed_forward, theirs, f"layer {number}")
        ours |= {f"{block}.{name}": tensor for name, tensor in network.items()}
        for name, foreign in (
            ("attention_norm", "input_layernorm"),
            ("feed_forward_norm", "post_attention_layernorm"),
        ):
            ours[f"{block}.{name}.gain"] = source.take(f"{theirs}.{foreign}.weight")
    ours["final_norm.gain"] = source.take("model.norm.weight")
    ours |= source.unembedding("model.embed_tokens.weight", "lm_head", is_tied=config.is_tied)
    source.finish()
    return ours


def _feed_forward(
    source: Checkpoint, network: FeedForwardConfig, theirs: str, where: str
) -> dict[str, Tensor]:
    match network:
        case GatedFeedForwardConfig():
            return {
                f"feed_forward.w_{part}": source.matrix(f"{theirs}.mlp.{part}_proj")
                for part in ("gate", "up", "down")
            }
        case AffinityMixtureConfig():
            return affinity_mixture(source, network, theirs)
        case ShareMixtureConfig():
            return share_mixture(source, network, theirs)
        case _:
            raise ValueError(
                "a checkpoint of this kind has SwiGLU networks, and mixtures by affinities or "
                f"shares; {where} has {type(network).__name__}"
            )


def _attention(source: Checkpoint, layer: str, config: LatentAttentionConfig) -> dict[str, Tensor]:
    """Our names within the attention -> tensors."""
    rotary = config.rope.rotary_dim
    ours: dict[str, Tensor] = {}
    if config.query_latent_dim is None:
        up = source.matrix(f"{layer}.q_proj")
    else:
        up = source.matrix(f"{layer}.q_b_proj")
        ours["w_dq"] = source.matrix(f"{layer}.q_a_proj")
        ours["g_q"] = source.take(f"{layer}.q_a_layernorm.weight")
    w_q, w_qr = _parts(up, config.num_heads, config.head_dim)
    down = source.matrix(f"{layer}.kv_a_proj_with_mqa")
    w_dkv, w_kr = down[:, : config.latent_dim], down[:, config.latent_dim :]
    w_uk, w_uv = _parts(source.matrix(f"{layer}.kv_b_proj"), config.num_heads, config.head_dim)
    return ours | {
        "w_q": w_q,
        "w_qr": interleaved_to_halves(w_qr, rotary),
        "w_dkv": w_dkv,
        "w_kr": interleaved_to_halves(w_kr, rotary),
        "w_uk": w_uk,
        "w_uv": w_uv,
        "g_kv": source.take(f"{layer}.kv_a_layernorm.weight"),
        "w_o": source.matrix(f"{layer}.o_proj"),
    }


def _parts(fused: Tensor, num_heads: int, first: int) -> tuple[Tensor, Tensor]:
    """The first columns of each head, all heads side by side, and the other columns."""
    heads = torch.unflatten(fused, 1, (num_heads, -1))
    return heads[..., :first].flatten(1), heads[..., first:].flatten(1)
