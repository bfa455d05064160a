"""The keys and values of the last W tokens: in the order of time, and as a ring."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.cache.buffer import require_alike
from course_lib.masks import window_mask
from course_lib.shapes import require_axes, require_same_positions
from course_lib.sizes import require_whole

__all__ = ["RollingKVCache", "rolling_write"]


class RollingKVCache:
    """The keys and values of the last W tokens: a window never reads more."""

    def __init__(self, window: int) -> None:
        """Make an empty cache.

        Args:
            window: W, the keys within reach, the query's own included; at least 1.
        """
        require_whole(window=window)
        if window < 1:
            raise ValueError(
                "a window holds at least the query's own position, so window >= 1; "
                f"window is {window}"
            )
        self.window = window
        self.padding: tuple[int, ...] | None = None
        self._length = 0
        self._key: Tensor | None = None
        self._value: Tensor | None = None

    @property
    def length(self) -> int:
        """Tokens seen so far, forgotten ones included: the position of the next one."""
        return self._length

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        kept = (part for part in (self._key, self._value) if part is not None)
        return sum(part.untyped_storage().nbytes() for part in kept)

    def extend(
        self, key: Float[Tensor, "B G T D"], value: Float[Tensor, "B G T Dv"]
    ) -> tuple[Float[Tensor, "B G S D"], Float[Tensor, "B G S Dv"]]:
        """Append T tokens, and forget what no later token can reach.

        Args:
            key: their keys, already rotated if the model uses RoPE.
            value: their values.

        Returns:
            What the T tokens can reach, in the order of time: the last W - 1 keys and values of
            before (or as many as there were), then the new ones; to be read and not written. Of a
            first call with more than W tokens it is what was given, uncopied.

        Raises:
            ValueError: if key or value has not the axes B G T D, if the two differ in B, G or T, or
                from what is kept in B, G, D, dtype or device.

        Cost: O(W + T); a first call copies W tokens at most.
        """
        require_axes("key", key, "B G T D")
        require_axes("value", value, "B G T Dv")
        require_same_positions("key", key, "value", value)
        require_alike("key", self._key, key)
        require_alike("value", self._value, value)
        keys, self._key = _roll(self._key, key.detach(), self.window)
        values, self._value = _roll(self._value, value.detach(), self.window)
        self._length += key.shape[-2]
        return keys, values

    def may_attend(
        self, num_queries: int, num_keys: int, device: torch.device | None = None
    ) -> Bool[Tensor, "T S"]:
        """Say which keys that ``extend`` returned the last T positions may read: W each."""
        return window_mask(num_queries, num_keys, self.window, device=device)


def _roll(kept: Tensor | None, new: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """What the new positions can reach, and a copy of its last W entries, which is kept."""
    if kept is None:
        last = new[..., -window:, :].clone()  # the caller may write over new
        return (new if new.shape[-2] > window else last), last
    first = max(0, kept.shape[-2] - (window - 1))
    reach = torch.cat([kept[..., first:, :], new], dim=-2)
    return reach, reach if reach.shape[-2] <= window else reach[..., -window:, :].clone()


def rolling_write(
    ring: Float[Tensor, "*batch W D"], new: Float[Tensor, "*batch T D"], position: int
) -> Float[Tensor, "*batch W D"]:
    r"""Write T tokens into a ring of W slots, over the oldest.

    .. math:: \text{slot of position } p: \quad p \bmod W

    Args:
        ring: what is kept; slot w holds the newest position p with p mod W = w.
        new: the keys, or the values, of the tokens at position, position + 1, ….
        position: where the first new token stands in the sequence.

    Returns:
        The new ring; of more than W tokens, only the last W are in it. Its order is that of the
        slots, not of time; a slot that no token has reached keeps what it held and must be masked.
        NaN and infinity move with their entries.

    Raises:
        ValueError: if ring and new differ in their leading axes, in D, in dtype or in device, if
            one has no axis of time, if the ring has no slot, or the position is negative.

    Source: Mistral 7B (arXiv:2310.06825), sec. 2, "rolling buffer cache". ``RollingKVCache``
    keeps the same tokens, in the order of time.

    >>> ring = rolling_write(torch.zeros(3, 1), torch.tensor([[1.0], [2.0]]), position=0)
    >>> rolling_write(ring, torch.tensor([[3.0], [4.0]]), position=2).T
    tensor([[4., 2., 3.]])
    """
    require_axes("ring", ring, "*batch W D")
    require_axes("new", new, "*batch T D")
    require_alike("ring", ring, new)
    require_whole(position=position)
    slots, count = ring.shape[-2], new.shape[-2]
    if slots < 1 or position < 0:
        raise ValueError(
            "a ring has a slot for every position, so W >= 1 and position >= 0; "
            f"W is {slots} and position {position}; shape {tuple(ring.shape)}"
        )
    first = max(0, count - slots)
    where = torch.arange(position + first, position + count, device=ring.device) % slots
    return ring.index_copy(-2, where, new[..., first:, :])
