"""A tensor that grows along time, and what every cache refuses."""

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.sizes import require_whole

__all__ = ["Buffer", "require_alike"]


class Buffer:
    """One tensor that grows along its axis of time, the last but one.

    Args:
        name: what the tensor is called in messages.
        capacity: tokens for which to make room at first; beyond it, room doubles.
    """

    def __init__(self, name: str, capacity: int) -> None:
        require_whole(capacity=capacity)
        if capacity < 0:
            raise ValueError(f"a capacity counts tokens, so capacity >= 0; capacity is {capacity}")
        self.name = name
        self.capacity = capacity
        self.length = 0
        self._kept: Tensor | None = None

    @property
    def nbytes(self) -> int:
        """Bytes held, spare room included."""
        return 0 if self._kept is None else self._kept.nbytes

    def require(self, new: Float[Tensor, "*batch T _"]) -> None:
        """Refuse a tensor that cannot be appended."""
        require_alike(self.name, self._kept, new)

    def append(self, new: Float[Tensor, "*batch T _"]) -> Float[Tensor, "*batch S _"]:
        """Copy a tensor behind what is kept; return a view of all."""
        end = self.length + new.shape[-2]
        kept = self._kept
        if kept is None or end > kept.shape[-2]:
            self.capacity = max(end, self.capacity if kept is None else 2 * self.capacity)
            shape = (*new.shape[:-2], self.capacity, new.shape[-1])
            with torch.inference_mode(False):  # else no step outside that mode could write
                room = torch.empty(shape, dtype=new.dtype, device=new.device)
            if kept is not None:
                room[..., : self.length, :] = kept[..., : self.length, :]
            kept = self._kept = room
        kept[..., self.length : end, :] = new.detach()
        self.length = end
        return kept[..., :end, :]


def require_alike(
    name: str, kept: Float[Tensor, "*kept"] | None, new: Float[Tensor, "*new"]
) -> None:
    """Refuse a tensor that differs from what a cache keeps, other than in time.

    Args:
        name: what the tensor is called in the message.
        kept: what the cache keeps; None while it is empty.
        new: what is to be appended.

    Returns:
        Nothing, if they differ only in the last axis but one.

    Raises:
        ValueError: if they differ in another axis, in dtype or in device.
    """
    if kept is None:
        return
    same, came = ((*part.shape[:-2], part.shape[-1]) for part in (kept, new))
    if same != came:
        raise ValueError(
            f"what is appended has the batch, heads and sizes of what is kept; "
            f"the kept {name} has {same} and the new one {came}; "
            f"shapes {tuple(kept.shape)} and {tuple(new.shape)}"
        )
    if (kept.dtype, kept.device) != (new.dtype, new.device):
        raise ValueError(
            "a cache keeps numbers of one dtype on one device; "
            f"the kept {name} is {kept.dtype} on {kept.device}, the new one {new.dtype} on "
            f"{new.device}; shapes {tuple(kept.shape)} and {tuple(new.shape)}"
        )
