"""BERT's checkpoints, such as MiniLM's."""

import re
from collections.abc import Mapping

from jaxtyping import Float, Shaped
from torch import Tensor

from course_lib.checkpoints.names import Checkpoint, under_new_names
from course_lib.sizes import require_positive

__all__ = ["from_bert"]

#: Our name of a part -> theirs, inside a layer.
_MATRICES = {
    "attention.{}_q": "attention.self.query",
    "attention.{}_k": "attention.self.key",
    "attention.{}_v": "attention.self.value",
    "attention.{}_o": "attention.output.dense",
    "feed_forward.{}_in": "intermediate.dense",
    "feed_forward.{}_out": "output.dense",
}
_NORMS = {
    "attention_norm": "attention.output.LayerNorm",
    "feed_forward_norm": "output.LayerNorm",
}


def from_bert(
    tensors: Mapping[str, Shaped[Tensor, "..."]], num_layers: int
) -> dict[str, Float[Tensor, "..."]]:
    """Rename a BERT checkpoint, and turn its matrices; the pooler is left out.

    Args:
        tensors: the checkpoint, foreign name -> tensor; older files name a norm's numbers gamma and
            beta.
        num_layers: L blocks.

    Returns:
        Our names -> tensors, for ``BertEncoder.load_state_dict``.

    Raises:
        ValueError: if a tensor is missing, left over or there under two names, or there is no
            layer.

    Source: the names in transformers' BERT model.
    """
    require_positive(num_layers=num_layers)
    source = Checkpoint(under_new_names(tensors, _as_today))
    ours = {
        "embedding": source.take("embeddings.word_embeddings.weight"),
        "positions": source.take("embeddings.position_embeddings.weight"),
        "segments": source.take("embeddings.token_type_embeddings.weight"),
        "embedding_norm.gain": source.take("embeddings.LayerNorm.weight"),
        "embedding_norm.shift": source.take("embeddings.LayerNorm.bias"),
    }
    for number in range(num_layers):
        theirs, block = f"encoder.layer.{number}", f"blocks.{number}"
        for name, foreign in _MATRICES.items():
            ours[f"{block}.{name.format('w')}"] = source.matrix(f"{theirs}.{foreign}")
            ours[f"{block}.{name.format('b')}"] = source.take(f"{theirs}.{foreign}.bias")
        for name, foreign in _NORMS.items():
            ours[f"{block}.{name}.gain"] = source.take(f"{theirs}.{foreign}.weight")
            ours[f"{block}.{name}.shift"] = source.take(f"{theirs}.{foreign}.bias")
    source.finish(ignored=("pooler.dense.weight", "pooler.dense.bias", "embeddings.position_ids"))
    return ours


def _as_today(name: str) -> str:
    """Name a tensor as today's files do."""
    return re.sub(r"Norm\.beta$", "Norm.bias", re.sub(r"Norm\.gamma$", "Norm.weight", name))
