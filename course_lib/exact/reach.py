"""Which keys a block of queries reads, and where a tile of scores needs a mask."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from course_lib.sizes import require_count, require_positive

__all__ = ["Reach", "Tiles"]

#: For each tile its first key, the one behind its last, and True where a query may not read.
Tiles = Iterator[tuple[int, int, Bool[Tensor, "T S"] | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """The keys that each query may read: all of them, those up to its own, or the last W of those.

    Attributes:
        num_queries: T, the queries; if causal, the last T positions of the sequence.
        num_keys: S, all positions.
        causal: True where no query reads a later position; the last query sits at the last key.
        window: W, the keys within reach, the query's own included; None for no bound.
    """

    num_queries: int
    num_keys: int
    causal: bool
    window: int | None = None

    def __post_init__(self) -> None:
        require_count(num_queries=self.num_queries, num_keys=self.num_keys)
        if self.window is None:
            return
        require_positive(window=self.window)
        if not self.causal:
            raise ValueError(
                "a window holds the last keys up to the query's own, so it goes with causal = "
                f"True; window is {self.window} and causal is {self.causal}, for num_queries = "
                f"{self.num_queries} and num_keys = {self.num_keys}"
            )

    def keys(self, query: int) -> tuple[int, int]:
        """Return the first key that a query reads, and the one behind its last."""
        if not self.causal:
            return 0, self.num_keys
        stop = self.num_keys - self.num_queries + query + 1
        first = 0 if self.window is None else stop - self.window
        return max(first, 0), max(stop, 0)

    def tiles(self, first: int, stop: int, block: int, device: torch.device) -> Tiles:
        """Walk over the keys that the queries from first to before stop read, block by block.

        Keys that none of them reads are in no tile, so a NaN there is never multiplied.

        Args:
            first: the first query.
            stop: the query behind the last.
            block: how many keys at a time; the last tile may be smaller.
            device: where the masks live.

        Yields:
            The first key, the one behind the last, and True where a query may not read a key; None
            where each reads all.
        """
        begin, end = self.keys(first)[0], self.keys(stop - 1)[1]
        for start in range(begin, end, block):
            behind = min(start + block, end)
            yield start, behind, self._hidden(first, stop, start, behind, device)

    def _hidden(
        self, first: int, stop: int, start: int, behind: int, device: torch.device
    ) -> Tensor | None:
        if self.keys(stop - 1)[0] <= start and behind <= self.keys(first)[1]:
            return None
        positions = torch.arange(first, stop, device=device) + (self.num_keys - self.num_queries)
        distance = positions[:, None] - torch.arange(start, behind, device=device)
        hidden = distance < 0
        return hidden if self.window is None else hidden | (distance >= self.window)
