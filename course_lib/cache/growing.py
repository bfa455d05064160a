"""The keys and values of all tokens so far."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.cache.buffer import Buffer
from course_lib.masks import causal_mask
from course_lib.shapes import require_axes, require_same_positions

__all__ = ["KVCache"]


class KVCache:
    """The keys and values of all tokens so far.

    It copies what it is given, and serves inference: no gradient passes through it.
    """

    def __init__(self, capacity: int = 0) -> None:
        """Make an empty cache.

        Args:
            capacity: tokens for which to make room at first; beyond it, room doubles.
        """
        self.padding: tuple[int, ...] | None = None
        self._key = Buffer("key", capacity)
        self._value = Buffer("value", capacity)

    @property
    def length(self) -> int:
        """Tokens seen so far: the position of the next one."""
        return self._key.length

    @property
    def nbytes(self) -> int:
        """Bytes held, spare room included."""
        return self._key.nbytes + self._value.nbytes

    def extend(
        self, key: Float[Tensor, "B G T D"], value: Float[Tensor, "B G T Dv"]
    ) -> tuple[Float[Tensor, "B G S D"], Float[Tensor, "B G S Dv"]]:
        """Append T tokens.

        Args:
            key: their keys, already rotated if the model uses RoPE.
            value: their values.

        Returns:
            All S keys and values so far, in the order of time: views of the cache, to be read and
            not written.

        Raises:
            ValueError: if key or value has not the axes B G T D, if the two differ in B, G or T, or
                from what is kept in B, G, D, dtype or device.

        Cost: O(T), for room is doubled when it runs out: S tokens cost fewer than 3 S copies.
        """
        require_axes("key", key, "B G T D")
        require_axes("value", value, "B G T Dv")
        require_same_positions("key", key, "value", value)
        self._key.require(key)
        self._value.require(value)
        return self._key.append(key), self._value.append(value)

    def may_attend(
        self, num_queries: int, num_keys: int, device: torch.device | None = None
    ) -> Bool[Tensor, "T S"]:
        """Say which keys that ``extend`` returned the last T positions may read: all before."""
        return causal_mask(num_queries, num_keys, device=device)
