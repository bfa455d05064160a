"""Keys and values that are kept from step to step, so that a step costs only what is new."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.attention.grouped import grouped_query_attention
from course_lib.masks import causal_mask, window_mask
from course_lib.shapes import (
    require_axes,
    require_groups,
    require_same_positions,
    require_same_size,
)

__all__ = [
    "KVCache",
    "LatentCache",
    "RollingKVCache",
    "attend_with_cache",
    "kv_cache_bytes",
    "rolling_write",
]


class KVCache:
    """The keys and values of all tokens so far.

    It copies what it is given, and serves inference: no gradient passes through it.
    """

    def __init__(self, capacity: int = 0) -> None:
        """Make an empty cache.

        Args:
            capacity: tokens for which to make room at first; beyond it, room doubles.
        """
        self._key = _Buffer("key", capacity)
        self._value = _Buffer("value", capacity)

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


class RollingKVCache:
    """The keys and values of the last W tokens: a window never reads more."""

    def __init__(self, window: int) -> None:
        """Make an empty cache.

        Args:
            window: W, the keys within reach, the query's own included; at least 1.
        """
        if window < 1:
            raise ValueError(
                "a window holds at least the query's own position, so window >= 1; "
                f"window is {window}"
            )
        self.window = window
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
        _require_alike("key", self._key, key)
        _require_alike("value", self._value, value)
        keys, self._key = _roll(self._key, key.detach(), self.window)
        values, self._value = _roll(self._value, value.detach(), self.window)
        self._length += key.shape[-2]
        return keys, values

    def may_attend(
        self, num_queries: int, num_keys: int, device: torch.device | None = None
    ) -> Bool[Tensor, "T S"]:
        """Say which keys that ``extend`` returned the last T positions may read: W each."""
        return window_mask(num_queries, num_keys, self.window, device=device)


class LatentCache:
    """The latent vectors and shared rotary keys of multi-head latent attention.

    Dc + Dr numbers a token, whatever the number of heads; ``KVCache`` keeps 2 G D.
    """

    def __init__(self, capacity: int = 0) -> None:
        """Make an empty cache.

        Args:
            capacity: tokens for which to make room at first; beyond it, room doubles.
        """
        self._latent = _Buffer("latent", capacity)
        self._rotary_key = _Buffer("rotary_key", capacity)

    @property
    def length(self) -> int:
        """Tokens seen so far: the position of the next one."""
        return self._latent.length

    @property
    def nbytes(self) -> int:
        """Bytes held, spare room included."""
        return self._latent.nbytes + self._rotary_key.nbytes

    def extend(
        self, latent: Float[Tensor, "B T Dc"], rotary_key: Float[Tensor, "B T Dr"]
    ) -> tuple[Float[Tensor, "B S Dc"], Float[Tensor, "B S Dr"]]:
        """Append T tokens.

        Args:
            latent: their latent vectors, normalised, never rotated.
            rotary_key: their rotary keys, rotated, one for all heads.

        Returns:
            All S latent vectors and rotary keys so far, in the order of time: views of the cache,
            to be read and not written.

        Raises:
            ValueError: if latent or rotary_key has not three axes, if the two differ in B or T, or
                from what is kept in B, size, dtype or device.

        Cost: O(T), for room is doubled when it runs out.
        """
        require_axes("latent", latent, "B T Dc")
        require_axes("rotary_key", rotary_key, "B T Dr")
        require_same_positions("latent", latent, "rotary_key", rotary_key)
        self._latent.require(latent)
        self._rotary_key.require(rotary_key)
        return self._latent.append(latent), self._rotary_key.append(rotary_key)


class _Buffer:
    """One tensor that grows along its axis of time, the last but one."""

    def __init__(self, name: str, capacity: int) -> None:
        if capacity < 0:
            raise ValueError(f"a capacity counts tokens, so capacity >= 0; capacity is {capacity}")
        self.name = name
        self.capacity = capacity
        self.length = 0
        self._kept: Tensor | None = None

    @property
    def nbytes(self) -> int:
        return 0 if self._kept is None else self._kept.nbytes

    def require(self, new: Tensor) -> None:
        _require_alike(self.name, self._kept, new)

    def append(self, new: Tensor) -> Tensor:
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


def _roll(kept: Tensor | None, new: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """What the new positions can reach, and a copy of its last W entries, which is kept."""
    if kept is None:
        last = new[..., -window:, :].clone()  # the caller may write over new
        return (new if new.shape[-2] > window else last), last
    first = max(0, kept.shape[-2] - (window - 1))
    reach = torch.cat([kept[..., first:, :], new], dim=-2)
    return reach, reach if reach.shape[-2] <= window else reach[..., -window:, :].clone()


def attend_with_cache(
    query: Float[Tensor, "B H T D"],
    key_new: Float[Tensor, "B G T D"],
    value_new: Float[Tensor, "B G T Dv"],
    cache: KVCache | RollingKVCache,
) -> Float[Tensor, "B H T Dv"]:
    r"""Let T new tokens read themselves and what the cache has kept.

    .. math:: O_t = \mathrm{softmax}(q_t K_{\le t}^\top / \sqrt{D})\, V_{\le t}, \qquad
        K_{\le t}: \text{ the keys up to position } t, \text{ or the last } W \text{ of them}

    One call with all tokens (prefill), one call a chunk, or one call a token (decoding): the
    outputs are the same.

    Args:
        query: queries of the new tokens, rotated to their positions, ``cache.length`` onwards.
        key_new: keys of the new tokens, rotated alike.
        value_new: values of the new tokens.
        cache: what came before; this call appends the new tokens to it.

    Returns:
        One mean of values per new query.

    Raises:
        ValueError: if the axes are not those named, if there is not one query per new key, if G
            does not divide H, or if the new tokens do not fit the cache.

    Source: Shazeer 2019 (arXiv:1911.02150), sec. 2.4; the window: Mistral 7B (arXiv:2310.06825),
    sec. 2.
    Cost: 4 B H T S D FLOPs, S the keys within reach; decoding n tokens without a cache costs n
    times as many projections.
    """
    require_axes("query", query, "B H T D")
    require_axes("key_new", key_new, "B G T D")
    if query.shape[-2] != key_new.shape[-2]:
        raise ValueError(
            "every new token asks and can be read, so there is one query per new key; "
            f"query has T={query.shape[-2]} and key_new T={key_new.shape[-2]}; "
            f"shapes {tuple(query.shape)} and {tuple(key_new.shape)}"
        )
    require_groups("query", query, "key_new", key_new)  # before the cache changes
    require_same_size(query, key_new)
    key, value = cache.extend(key_new, value_new)
    may_attend = cache.may_attend(query.shape[-2], key.shape[-2], query.device)
    return grouped_query_attention(query, key, value, may_attend)


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
    if ring.shape[:-2] != new.shape[:-2] or ring.shape[-1] != new.shape[-1]:
        raise ValueError(
            "ring and new agree in all axes but that of time; "
            f"ring has {(*ring.shape[:-2], ring.shape[-1])} and new "
            f"{(*new.shape[:-2], new.shape[-1])}; shapes {tuple(ring.shape)} and {tuple(new.shape)}"
        )
    if (ring.dtype, ring.device) != (new.dtype, new.device):
        raise ValueError(
            "a ring keeps numbers of one dtype on one device; "
            f"ring is {ring.dtype} on {ring.device}, new {new.dtype} on {new.device}; "
            f"shapes {tuple(ring.shape)} and {tuple(new.shape)}"
        )
    slots, count = ring.shape[-2], new.shape[-2]
    if slots < 1 or position < 0:
        raise ValueError(
            "a ring has a slot for every position, so W >= 1 and position >= 0; "
            f"W is {slots} and position {position}; shape {tuple(ring.shape)}"
        )
    first = max(0, count - slots)
    where = torch.arange(position + first, position + count, device=ring.device) % slots
    return ring.index_copy(-2, where, new[..., first:, :])


def kv_cache_bytes(
    layers: int,
    G: int,
    D: int,
    T: int,
    bytes: int,
    windows: Sequence[int | None] | None = None,
) -> int:
    r"""Count the bytes of a model's cache after T tokens of one sequence.

    .. math:: \sum_{l=1}^{L} 2\, G D \min(T, W_l) \cdot \text{bytes}

    Args:
        layers: L, layers with attention.
        G: key/value heads; the number of query heads does not enter.
        D: size of a key and of a value.
        T: tokens so far.
        bytes: bytes of a number, 2 in bfloat16.
        windows: W of each layer, None where a layer reads everything; None for all means that
            every layer does.

    Returns:
        The bytes.

    Raises:
        ValueError: if a size is below 1, T is negative, or there is not one window per layer.

    Source: Shazeer 2019 (arXiv:1911.02150), sec. 3.1, for the factor 1/R of sharing.

    >>> kv_cache_bytes(24, G=8, D=64, T=131_072, bytes=2, windows=[128, None] * 12)  # gpt-oss-20b
    3224371200
    """
    sizes = {"layers": layers, "G": G, "D": D, "T": T, "bytes": bytes}
    for name, size in sizes.items():
        least = 0 if name == "T" else 1
        if size < least:
            came = ", ".join(f"{other}={number}" for other, number in sizes.items())
            raise ValueError(
                f"a size counts something, so {name} >= {least}; {name} is {size}; {came}"
            )
    reach = [None] * layers if windows is None else list(windows)
    if len(reach) != layers:
        raise ValueError(
            "every layer has one window, or None where it reads everything; "
            f"layers is {layers} and windows has {len(reach)} entries"
        )
    if any(window is not None and window < 1 for window in reach):
        raise ValueError(
            f"a window holds at least the query's own position, so window >= 1; windows are {reach}"
        )
    tokens = sum(T if window is None else min(T, window) for window in reach)
    return 2 * G * D * bytes * tokens


def _require_alike(name: str, kept: Tensor | None, new: Tensor) -> None:
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
