"""What a model is given at one step of training: what it reads, and what it is asked."""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from course_lib.kinds import require_integers
from course_lib.training.loss import IGNORE

__all__ = ["Batch", "joined"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One batch, for a decoder or for an encoder-decoder: ``model(*inputs)`` gives the logits.

    Attributes:
        inputs: what the model reads: the tokens, or the source and the target.
        targets: the last of the inputs, with ``IGNORE`` in place of the tokens that the model is
            not asked for.
    """

    inputs: tuple[Int[Tensor, "B _"], ...]
    targets: Int[Tensor, "B T"]

    def __post_init__(self) -> None:
        read = self.inputs[-1]
        require_integers(**{"the last input": read, "targets": self.targets})
        if read.shape != self.targets.shape:
            raise ValueError(
                "the targets are the last input, some tokens of it ignored; "
                f"it has {read.numel()} tokens and targets {self.targets.numel()}; "
                f"shapes {tuple(read.shape)} and {tuple(self.targets.shape)}"
            )


def joined(batch: Batch) -> Batch:
    """Turn source and target into one sequence, which a decoder can read.

    The target's first token, the start, stands between the two.

    Args:
        batch: the inputs are source and target.

    Returns:
        The source, then the target, as one input; nothing of the source is asked for.

    Raises:
        ValueError: if the inputs are not two.
    """
    if len(batch.inputs) != 2:
        raise ValueError(
            f"a source and a target can be joined, which are 2 inputs; there are "
            f"{len(batch.inputs)}; shapes {[tuple(tokens.shape) for tokens in batch.inputs]}"
        )
    source, target = batch.inputs
    unasked = torch.full_like(source, IGNORE)
    return Batch(
        inputs=(torch.cat([source, target], dim=1),),
        targets=torch.cat([unasked, batch.targets], dim=1),
    )
