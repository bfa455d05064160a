"""Checkpoints of Qwen3-Next and Qwen3.5: projections fused head by head, or one by one."""

from collections.abc import Iterator, Mapping
from itertools import pairwise

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from course_lib.checkpoints.mixtures import gated_shared_mixture
from course_lib.checkpoints.names import Checkpoint
from course_lib.config.attention import AttentionConfig, CausalAttentionConfig
from course_lib.config.attention_parts import OutputGate
from course_lib.config.decoder import DecoderConfig, LayerConfig
from course_lib.config.delta_rule import GatedDeltaRuleConfig
from course_lib.config.experts import GatedSharedMixtureConfig
from course_lib.config.norms import HeadQKNorm

__all__ = ["from_qwen3_next", "qwen3_next_parts"]

#: The layer that foretells a second token, and what sees images: the model does without both.
_WITHOUT = ("mtp.", "model.visual.")


def from_qwen3_next(
    tensors: Mapping[str, Shaped[Tensor, "..."]], config: DecoderConfig
) -> dict[str, Float[Tensor, "..."]]:
    """Rename a checkpoint of Qwen3-Next or Qwen3.5, and cut its fused projections.

    Args:
        tensors: the checkpoint, foreign name -> tensor.
        config: the model that it belongs to.

    Returns:
        Our names -> tensors, for ``Decoder.load_state_dict``.

    Raises:
        ValueError: as ``qwen3_next_parts``.

    Source: the names in transformers' Qwen3-Next and Qwen3.5-MoE models.
    """
    ours: dict[str, Tensor] = {}
    for part in qwen3_next_parts(tensors, config):
        ours |= part
    return ours


def qwen3_next_parts(
    tensors: Mapping[str, Shaped[Tensor, "..."]], config: DecoderConfig
) -> Iterator[dict[str, Float[Tensor, "..."]]]:
    """Take a checkpoint of Qwen3-Next or Qwen3.5 apart: the embedding, each layer, what follows.

    One matrix makes what a query head needs, its query and its gate, head after head. In a layer
    with a state one matrix of Qwen3-Next makes queries, keys, values and gates, and one what is
    written and forgotten: each key head's own part, then the next one's. Qwen3.5 has a matrix for
    queries, keys and values, one after the other, and one for each of the rest. Tensors of the
    layer that foretells a second token, and of the part that sees images, are left alone.

    Args:
        tensors: the checkpoint, foreign name -> tensor, such as ``SafetensorsFiles``.
        config: the model that it belongs to.

    Yields:
        Our names -> tensors, for ``load_parts``. Only what was yielded has been read.

    Raises:
        ValueError: if a tensor is missing or left over, a fused matrix has not the columns that the
            heads need, a layer's parts are none of the family's, or the model is tied and the
            checkpoint's logits have a table of their own.

    Source: the names and orders of transformers' Qwen3-Next and Qwen3.5-MoE models, and for the
    experts one by one and the prefix "language_model" its conversion of released files. No
    released file was at hand.
    """
    source = Checkpoint(tensors)
    stem = "model.language_model"
    stem = stem if f"{stem}.embed_tokens.weight" in tensors else "model"
    yield {"embedding": source.take(f"{stem}.embed_tokens.weight")}
    for number, layer in enumerate(config.layers):
        where = f"layer {number} of {config.num_layers}"
        yield {
            f"blocks.{number}.{name}": tensor
            for name, tensor in _layer(source, layer, f"{stem}.layers.{number}", where).items()
        }
    last = source.norm("final_norm", f"{stem}.norm", config.final_norm)
    last |= source.unembedding(f"{stem}.embed_tokens.weight", "lm_head", is_tied=config.is_tied)
    source.finish(ignored=tuple(name for name in tensors if name.startswith(_WITHOUT)))
    yield last


def _layer(source: Checkpoint, layer: LayerConfig, theirs: str, where: str) -> dict[str, Tensor]:
    if not isinstance(layer.feed_forward, GatedSharedMixtureConfig):
        raise ValueError(
            "a checkpoint of this kind has mixtures with a gate on their shared experts; "
            f"{where} has {type(layer.feed_forward).__name__}"
        )
    attention = _attention(source, layer.attention, theirs, where)
    ours = {f"attention.{name}": tensor for name, tensor in attention.items()}
    ours |= gated_shared_mixture(source, layer.feed_forward, theirs)
    ours |= source.norm("attention_norm", f"{theirs}.input_layernorm", layer.norm)
    return ours | source.norm("feed_forward_norm", f"{theirs}.post_attention_layernorm", layer.norm)


def _attention(
    source: Checkpoint, attention: AttentionConfig, theirs: str, where: str
) -> dict[str, Tensor]:
    match attention:
        case CausalAttentionConfig(output_gate=OutputGate.PER_ENTRY, qk_norm=HeadQKNorm(norm=norm)):
            return _gated_attention(source, attention, f"{theirs}.self_attn") | {
                name: tensor
                for letter in "qk"
                for name, tensor in source.norm(
                    f"norm_{letter}", f"{theirs}.self_attn.{letter}_norm", norm
                ).items()
            }
        case GatedDeltaRuleConfig():
            return _delta_rule(source, attention, f"{theirs}.linear_attn")
        case _:
            raise ValueError(
                "a checkpoint of this kind has layers with a gated delta rule, and attention with "
                f"norms on queries and keys and a gate; {where} has {type(attention).__name__}"
            )


def _gated_attention(
    source: Checkpoint, heads: CausalAttentionConfig, theirs: str
) -> dict[str, Tensor]:
    fused, size = source.matrix(f"{theirs}.q_proj"), heads.head_dim
    query, gate = _cut(fused, heads.num_heads, (size, size), f"{theirs}.q_proj")
    ours = {"w_q": query, "w_gate": gate}
    return ours | {f"w_{letter}": source.matrix(f"{theirs}.{letter}_proj") for letter in "kvo"}


def _delta_rule(source: Checkpoint, config: GatedDeltaRuleConfig, theirs: str) -> dict[str, Tensor]:
    is_fused = f"{theirs}.in_proj_qkvz.weight" in source.tensors
    ours = (_fused if is_fused else _one_by_one)(source, config, theirs)
    return ours | {
        "kernel": source.take(f"{theirs}.conv1d.weight").squeeze(1).T.contiguous(),
        "log_rate": source.take(f"{theirs}.A_log"),
        "b_alpha": source.take(f"{theirs}.dt_bias"),
        "g_o": source.take(f"{theirs}.norm.weight"),
        "w_o": source.matrix(f"{theirs}.out_proj"),
    }


def _fused(source: Checkpoint, config: GatedDeltaRuleConfig, theirs: str) -> dict[str, Tensor]:
    """Qwen3-Next: a key head's query, key, values and gates side by side, then the next one's."""
    groups, shared = config.num_key_heads, config.num_shared
    size, values = config.head_dim, shared * config.value_dim
    name = f"{theirs}.in_proj_qkvz"
    parts = _cut(source.matrix(name), groups, (size, size, values, values), name)
    name = f"{theirs}.in_proj_ba"
    parts += _cut(source.matrix(name), groups, (shared, shared), name)
    return dict(zip(("w_q", "w_k", "w_v", "w_gate", "w_beta", "w_alpha"), parts, strict=True))


def _one_by_one(source: Checkpoint, config: GatedDeltaRuleConfig, theirs: str) -> dict[str, Tensor]:
    """Qwen3.5: all queries, all keys, all values; then a matrix for each of the rest."""
    name = f"{theirs}.in_proj_qkv"
    query, key, value = _cut(source.matrix(name), 1, config.convolved, name)
    rest = {"w_gate": "z", "w_beta": "b", "w_alpha": "a"}
    return {"w_q": query, "w_k": key, "w_v": value} | {
        ours: source.matrix(f"{theirs}.in_proj_{letter}") for ours, letter in rest.items()
    }


def _cut(fused: Tensor, num_heads: int, sizes: tuple[int, ...], name: str) -> list[Tensor]:
    """The columns of each part, all heads side by side, out of those of each head."""
    if fused.shape[1] != num_heads * sum(sizes):
        raise ValueError(
            f"a fused matrix has the columns {sizes} for each of {num_heads} heads, "
            f"{num_heads * sum(sizes)} in all; {name} has {fused.shape[1]}"
        )
    heads = torch.unflatten(fused, 1, (num_heads, sum(sizes)))
    ends = [sum(sizes[:i]) for i in range(len(sizes) + 1)]
    return [heads[..., start:end].flatten(1) for start, end in pairwise(ends)]
