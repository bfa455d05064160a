"""Take tensors out of a checkpoint by name, and say clearly what is missing or left over."""

import re
from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor

from course_lib.config.norms import LayerNormConfig, NormConfig, RMSNormWithoutGainConfig

__all__ = ["Checkpoint", "under_new_names"]

#: Causal masks and rotary frequencies: constants that older versions saved among the weights.
_CONSTANTS = r"\.(attn|attention)\.(bias|masked_bias)$|\.rotary_emb\.inv_freq$"


class Checkpoint:
    """A released state dict whose tensors are taken one by one.

    Attributes:
        tensors: foreign name -> tensor.
        taken: the names that were asked for.
    """

    def __init__(self, tensors: Mapping[str, Shaped[Tensor, "..."]]) -> None:
        self.tensors = tensors
        self.taken: set[str] = set()

    def take(self, name: str) -> Float[Tensor, "*shape"]:
        """Return a tensor as it is.

        Args:
            name: its name in the checkpoint.

        Returns:
            The tensor.

        Raises:
            ValueError: if the checkpoint has no such tensor.
        """
        self._require(name)
        return self.tensors[name]

    def packed(self, name: str) -> UInt8[Tensor, "*shape"]:
        """Return a tensor of bytes as it is: numbers of a format that PyTorch does not know.

        Args:
            name: its name in the checkpoint.

        Returns:
            The tensor.

        Raises:
            ValueError: if the checkpoint has no such tensor.
        """
        self._require(name)
        return self.tensors[name]

    def matrix(self, name: str) -> Float[Tensor, "_ _"]:
        """Return the weight of a linear layer, stored as [out, in], as ours: [in, out].

        Args:
            name: the layer's name in the checkpoint, without ".weight".

        Returns:
            The matrix, for x @ w.

        Raises:
            ValueError: if the checkpoint has no such tensor.
        """
        return self.take(f"{name}.weight").T.contiguous()

    def linear(self, ours: str, theirs: str, *, has_bias: bool) -> dict[str, Float[Tensor, "..."]]:
        """Return a linear layer's matrix, and its bias.

        Args:
            ours: our name of both; {} stands where w and b differ.
            theirs: the layer's name in the checkpoint.
            has_bias: True where the model has one.

        Returns:
            Our names -> tensors.

        Raises:
            ValueError: if the checkpoint has no such tensor.
        """
        found: dict[str, Tensor] = {ours.format("w"): self.matrix(theirs)}
        if has_bias:
            found[ours.format("b")] = self.take(f"{theirs}.bias")
        return found

    def norm(self, ours: str, theirs: str, config: NormConfig) -> dict[str, Float[Tensor, " _"]]:
        """Return a norm's gain and its shift, where it has them.

        Args:
            ours: our name of the norm.
            theirs: its name in the checkpoint.
            config: which norm.

        Returns:
            Our names -> tensors.

        Raises:
            ValueError: if the checkpoint has no such tensor.
        """
        if isinstance(config, RMSNormWithoutGainConfig):
            return {}
        found: dict[str, Tensor] = {f"{ours}.gain": self.take(f"{theirs}.weight")}
        if isinstance(config, LayerNormConfig):
            found[f"{ours}.shift"] = self.take(f"{theirs}.bias")
        return found

    def unembedding(
        self, table: str, layer: str, *, is_tied: bool
    ) -> dict[str, Float[Tensor, "_ _"]]:
        """Return the logits' own matrix, or make sure that it is the embedding once more.

        Args:
            table: the embedding's name in the checkpoint.
            layer: the name of the linear layer that makes the logits, without ".weight".
            is_tied: True where the model's logits use the embedding's table. The checkpoint may
                then hold a second copy of it, or none.

        Returns:
            Our name -> the matrix; empty for a tied model.

        Raises:
            ValueError: if the model is tied and the checkpoint's logits have a table of their own,
                or if it is not and they have none.
        """
        if not is_tied:
            return {"unembedding": self.matrix(layer)}
        name = f"{layer}.weight"
        if name in self.tensors:
            ours, theirs = self.take(table), self.take(name)
            if not torch.equal(ours, theirs):
                raise ValueError(
                    "a tied model has one table, so a second copy of it is the same; "
                    f"{name!r} is not {table!r}, so the checkpoint is not tied; shapes "
                    f"{tuple(theirs.shape)} and {tuple(ours.shape)} in {theirs.dtype} and "
                    f"{ours.dtype}"
                )
        return {}

    def finish(self, ignored: tuple[str, ...] = ()) -> None:
        """Make sure that nothing was left over but constants that older versions saved.

        Args:
            ignored: names of tensors which hold nothing that the model needs, such as the numbers
                0, 1, 2, … of BERT's positions.

        Raises:
            ValueError: if the checkpoint has tensors that nobody took.
        """
        left = sorted(set(self.tensors) - self.taken - set(ignored))
        left = [name for name in left if not re.search(_CONSTANTS, name)]
        if left:
            raise ValueError(
                "every tensor of a checkpoint has a place in the model; "
                f"{len(left)} of {len(self.tensors)} have none, the first is {left[0]!r}"
            )

    def _require(self, name: str) -> None:
        if name not in self.tensors:
            raise ValueError(
                "a checkpoint has every tensor that the configuration names; "
                f"{name!r} is missing among {len(self.tensors)} tensors"
            )
        self.taken.add(name)


def under_new_names(
    tensors: Mapping[str, Shaped[Tensor, "..."]], as_today: Callable[[str], str]
) -> dict[str, Shaped[Tensor, "..."]]:
    """Name an older checkpoint's tensors as today's files do.

    Args:
        tensors: the checkpoint, foreign name -> tensor.
        as_today: an older name, or one of today's -> today's.

    Returns:
        Today's names -> the same tensors.

    Raises:
        ValueError: if a tensor is there under two names.
    """
    named: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        today = as_today(name)
        if today in named:
            raise ValueError(
                "a checkpoint has each tensor under one name; "
                f"{name!r} is {today!r} once more, among {len(tensors)} tensors"
            )
        named[today] = tensor
    return named
