"""What one call reads: where its tokens stand, and what follows from that for all layers."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_lib.cache.protocol import Cache
from course_lib.config.attention_parts import Chunk, Everything, Reach, Window
from course_lib.masks import causal_mask, window_mask
from course_lib.model.rotary import Rotation
from course_lib.positions.alibi import alibi_bias
from course_lib.positions.rotation_table import RotationTable, rotation_table
from course_lib.sizes import require_count

__all__ = ["Reading"]


class Reading:
    """T new tokens that stand behind those of before.

    A model makes one for each call and hands it to all its layers. Rotations, masks and ALiBi's
    biases depend on positions alone: each is made when the first layer asks for it, and the same
    for the next one that asks. A layer that is called by itself makes a reading of its own.
    """

    def __init__(self, start: int, num_tokens: int, device: torch.device) -> None:
        """Say where the tokens stand.

        Args:
            start: tokens before them: the position of the first.
            num_tokens: T of them.
            device: where the layers compute.

        Raises:
            ValueError: if a number is negative, or no whole number.
        """
        require_count(start=start, num_tokens=num_tokens)
        self.start = start
        self.positions = torch.arange(start, start + num_tokens, device=device)
        self._tables: dict[Rotation, RotationTable] = {}
        self._masks: dict[tuple[Reach, int], Tensor] = {}
        self._biases: dict[tuple[int, int, torch.dtype], Tensor] = {}

    def table(self, rotation: Rotation) -> RotationTable:
        """Give the cosines and sines by which queries and keys at these positions turn."""
        if rotation not in self._tables:
            inv_freq = rotation.inv_freq.to(self.positions.device)
            self._tables[rotation] = rotation_table(
                self.positions, inv_freq, rotation.concentration
            )
        return self._tables[rotation]

    @property
    def token_positions(self) -> Int[Tensor, "*batch T"]:
        """Give the row of a table of positions that each token is added."""
        return self.positions

    def without_padding(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        """Put zeros where a row is filled up: for layers in which no mask can hide a token."""
        return x

    def may_attend(self, reach: Reach, num_keys: int) -> Bool[Tensor, "*batch T S"]:
        """Say which of the last S keys the tokens may read, their own included."""
        if (reach, num_keys) not in self._masks:
            self._masks[reach, num_keys] = self._mask(reach, num_keys)
        return self._masks[reach, num_keys]

    def _mask(self, reach: Reach, num_keys: int) -> Bool[Tensor, "*batch T S"]:
        num_queries, device = len(self.positions), self.positions.device
        match reach:
            case Everything():
                return causal_mask(num_queries, num_keys, device=device)
            case Window(size=window):
                return window_mask(num_queries, num_keys, window, device=device)
            case Chunk(size=size):
                chunk = self._own_positions(num_keys).div(size, rounding_mode="floor")
                same = chunk[..., -num_queries:, None] == chunk[..., None, :]
                return same & causal_mask(num_queries, num_keys, device=device)

    def _own_positions(self, num_keys: int) -> Int[Tensor, "*batch S"]:
        """The positions of the last S keys, counted from the first token of their row."""
        end = self.start + len(self.positions)
        return torch.arange(end - num_keys, end, device=self.positions.device)

    def distance_bias(
        self, num_heads: int, num_keys: int, dtype: torch.dtype
    ) -> Float[Tensor, "H T S"]:
        """Give what ALiBi adds to the scores of the last S keys."""
        key = (num_heads, num_keys, dtype)
        if key not in self._biases:
            num_queries, device = len(self.positions), self.positions.device
            self._biases[key] = alibi_bias(
                num_heads, num_queries, num_keys, dtype=dtype, device=device
            )
        return self._biases[key]

    @classmethod
    def of(
        cls, x: Float[Tensor, "B T C"], cache: Cache | None, handed_down: "Reading | None"
    ) -> "Reading":
        """Take the reading that a layer was handed down, or make its own.

        Args:
            x: the layer's input.
            cache: the layer's cache, before it is extended.
            handed_down: the model's reading; None where the layer is called by itself.

        Returns:
            The reading.

        Raises:
            ValueError: if the model's reading is of other positions than x and the cache.
        """
        start, num_tokens = 0 if cache is None else cache.length, x.shape[1]
        if handed_down is None:
            return cls(start, num_tokens, x.device)
        if (handed_down.start, len(handed_down.positions)) != (start, num_tokens):
            raise ValueError(
                "a reading is of the tokens that a layer is given, behind those of its cache; "
                f"it has T={len(handed_down.positions)} tokens from position {handed_down.start} "
                f"and the layer T={num_tokens} from {start}; the shape of x is {tuple(x.shape)}"
            )
        return handed_down
