"""What the doors of most families share: a table of their names, and one walk through the model."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from course_lib.checkpoints.mixtures import (
    affinity_mixture,
    clamped_mixture,
    gated_mixture,
    gated_shared_mixture,
    input_weighted_mixture,
    share_mixture,
)
from course_lib.checkpoints.names import Checkpoint
from course_lib.config.arrangement import Arrangement
from course_lib.config.attention import AlibiAttentionConfig, CausalAttentionConfig
from course_lib.config.attention_parts import Softmax
from course_lib.config.decoder import DecoderConfig, EmbeddingNorm, LayerConfig, LogitBias
from course_lib.config.experts import (
    AffinityMixtureConfig,
    ClampedMixtureConfig,
    GatedMixtureConfig,
    GatedSharedMixtureConfig,
    InputWeightedMixtureConfig,
    ShareMixtureConfig,
)
from course_lib.config.feed_forward import (
    FeedForwardConfig,
    GatedFeedForwardConfig,
    PlainFeedForwardConfig,
)
from course_lib.config.norms import HeadQKNorm, ProjectionQKNorm

__all__ = ["Names", "cut_fused", "renamed", "renamed_parts"]

Heads = CausalAttentionConfig | AlibiAttentionConfig


def cut_fused(fused: Float[Tensor, "*rows _"], heads: Heads) -> dict[str, Float[Tensor, "*rows _"]]:
    """Cut the columns of one matrix into those of queries, keys and values.

    The R queries of a key/value head stand together, then its key, then its value; then the next
    head's. With G = H that is query, key, value of each head; with G = 1, all queries first.

    Args:
        fused: the matrix as [in, out], or its bias.
        heads: H, G and D.

    Returns:
        "q", "k" and "v" -> their columns, one head after the other. NaN and infinity move with
        their columns.

    Raises:
        ValueError: if the columns are not (H + 2 G) D.

    Source: transformers' GPT-NeoX, BLOOM and Falcon models.
    """
    groups, shared = heads.num_kv_heads, heads.num_heads // heads.num_kv_heads
    width = groups * (shared + 2) * heads.head_dim
    if fused.shape[-1] != width:
        raise ValueError(
            "one matrix holds all queries, keys and values, (H + 2 G) D columns; "
            f"with H={heads.num_heads}, G={groups} and D={heads.head_dim} that is {width}, and it "
            f"has {fused.shape[-1]}; its shape is {tuple(fused.shape)}"
        )
    together = fused.reshape(*fused.shape[:-1], groups, shared + 2, heads.head_dim)
    return {
        "q": together[..., :shared, :].flatten(-3),
        "k": together[..., shared, :].flatten(-2),
        "v": together[..., shared + 1, :].flatten(-2),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What a family calls its parts; those of a layer stand behind the layer's own name.

    Attributes:
        embedding: the table of the tokens.
        layer: a layer, before its number.
        attention: our projections, "q", "k", "v" and "o", or "qkv" where one matrix holds three ->
            their linear layers.
        feed_forward: our matrices, such as "in" and "out" -> their linear layers.
        norms: arrangement of a block -> our norms -> theirs.
        final_norm: the norm before the logits.
        logits: the linear layer that makes them.
        embedding_norm: the norm behind the embedding, of a family that has one.
        qk_norm: the norms of queries and keys, of a family that has them; {} is q or k.
        cut: from the columns of one matrix for queries, keys and values, to each one's.
    """

    embedding: str
    layer: str
    attention: Mapping[str, str]
    feed_forward: Mapping[str, str]
    norms: Mapping[type[Arrangement], Mapping[str, str]]
    final_norm: str
    logits: str = "lm_head"
    embedding_norm: str = "embedding_norm"
    qk_norm: str = "self_attn.{}_norm"
    cut: Callable[[Tensor, Heads], Mapping[str, Tensor]] = cut_fused


def renamed(
    source: Checkpoint, config: DecoderConfig, names: Names
) -> dict[str, Float[Tensor, "..."]]:
    """Take every tensor that a model needs out of a checkpoint, and turn its matrices.

    Args:
        source: the checkpoint.
        config: the model. It says what there is: which biases, norms and tables.
        names: what the family calls it.

    Returns:
        Our names -> tensors.

    Raises:
        ValueError: if a tensor is missing or left over, a layer's attention or arrangement is none
            of the family's, or the model is tied and the checkpoint's logits have a table of their
            own.
    """
    ours: dict[str, Tensor] = {}
    for part in renamed_parts(source, config, names):
        ours |= part
    return ours


def renamed_parts(
    source: Checkpoint, config: DecoderConfig, names: Names
) -> Iterator[dict[str, Float[Tensor, "..."]]]:
    """Take a model's tensors as ``renamed`` does, but one part at a time.

    Args:
        source: the checkpoint.
        config: the model.
        names: what the family calls it.

    Yields:
        Our names -> tensors: of the embedding, of each layer, of what follows. What was yielded may
        be let go of before the next is asked for.

    Raises:
        ValueError: as ``renamed``; a tensor that is left over is told at the end.
    """
    table = f"{names.embedding}.weight"
    yield _first(source, config, names, table)  # no name here holds a part while the next comes
    for number, layer in enumerate(config.layers):
        where = f"layer {number} of {config.num_layers}"
        yield {
            f"blocks.{number}.{name}": tensor
            for name, tensor in _layer(
                source, layer, names, f"{names.layer}.{number}", where
            ).items()
        }
    ours = source.norm("final_norm", names.final_norm, config.final_norm)
    ours |= source.unembedding(table, names.logits, is_tied=config.is_tied)
    if LogitBias() in config.logit_steps:
        ours["logit_bias"] = source.take(f"{names.logits}.bias")
    source.finish()
    yield ours


def _first(
    source: Checkpoint, config: DecoderConfig, names: Names, table: str
) -> dict[str, Tensor]:
    ours = {"embedding": source.take(table)}
    for step in config.embedding_steps:
        if isinstance(step, EmbeddingNorm):
            ours |= source.norm("embedding_norm", names.embedding_norm, step.norm)
    return ours


def _layer(
    source: Checkpoint, layer: LayerConfig, names: Names, theirs: str, where: str
) -> dict[str, Tensor]:
    """One block; a refusal says where it stands."""
    heads = layer.attention
    if not isinstance(heads, Heads):
        raise ValueError(
            "a checkpoint of this kind has keys and values of its own in every layer; "
            f"{where} has {type(heads).__name__}"
        )
    if type(layer.arrangement) not in names.norms:
        known = ", ".join(arrangement.__name__ for arrangement in names.norms)
        raise ValueError(
            f"a checkpoint of this kind has names for the norms of {known}; "
            f"{where} has {type(layer.arrangement).__name__}"
        )
    ours = _attention(source, heads, names, theirs)
    ours |= _feed_forward(source, layer.feed_forward, names, theirs)
    for name, foreign in names.norms[type(layer.arrangement)].items():
        ours |= source.norm(name, f"{theirs}.{foreign}", layer.norm)
    return ours


def _feed_forward(
    source: Checkpoint, network: FeedForwardConfig, names: Names, theirs: str
) -> dict[str, Tensor]:
    match network:
        case PlainFeedForwardConfig(has_bias=has_bias):
            pass
        case GatedFeedForwardConfig():
            has_bias = False
        case GatedMixtureConfig():
            return gated_mixture(source, network, theirs)
        case GatedSharedMixtureConfig():
            return gated_shared_mixture(source, network, theirs)
        case ClampedMixtureConfig():
            return clamped_mixture(source, theirs)
        case AffinityMixtureConfig():
            return affinity_mixture(source, network, theirs)
        case ShareMixtureConfig():
            return share_mixture(source, network, theirs)
        case InputWeightedMixtureConfig():
            return input_weighted_mixture(source, network, theirs)
    ours: dict[str, Tensor] = {}
    for part, foreign in names.feed_forward.items():
        name = f"{theirs}.{foreign}"
        ours |= source.linear(f"feed_forward.{{}}_{part}", name, has_bias=has_bias)
    return ours


def _attention(source: Checkpoint, heads: Heads, names: Names, theirs: str) -> dict[str, Tensor]:
    ours: dict[str, Tensor] = {}
    for letters, foreign in names.attention.items():
        if letters == "qkv":
            fused = {"w": source.matrix(f"{theirs}.{foreign}")}
            if "q" in heads.biases.value:
                fused["b"] = source.take(f"{theirs}.{foreign}.bias")
            for kind, tensor in fused.items():
                for letter, columns in names.cut(tensor, heads).items():
                    ours[f"attention.{kind}_{letter}"] = columns
        else:
            has_bias = letters in heads.biases.value
            ours |= source.linear(
                f"attention.{{}}_{letters}", f"{theirs}.{foreign}", has_bias=has_bias
            )
    match heads:
        case CausalAttentionConfig(qk_norm=HeadQKNorm() | ProjectionQKNorm() as qk_norm):
            for letter in "qk":
                name = f"{theirs}.{names.qk_norm.format(letter)}"
                ours |= source.norm(f"attention.norm_{letter}", name, qk_norm.norm)
    match heads:
        case CausalAttentionConfig(softmax=Softmax.WITH_SINKS):
            ours["attention.sinks"] = source.take(f"{theirs}.self_attn.sinks")
    return ours
