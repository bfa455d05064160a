"""A reading of sequences of different lengths: what stands before the shorter ones is not read."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_lib.cache.protocol import Cache
from course_lib.config.attention_parts import Reach
from course_lib.kinds import require_integers
from course_lib.model.reading import Reading
from course_lib.shapes import require_axes

__all__ = ["PaddedReading", "require_padding", "require_same_padding"]


class PaddedReading(Reading):
    """T new columns of a batch whose rows begin at different columns and end at the same one.

    Rotations, windows and ALiBi depend on the distance of two tokens alone, which padding on the
    left does not change: they are those of the columns. What is a row's own: nobody reads its
    padding, and its first token after it is position 0 where a table of positions is added, where
    chunks begin, and where scores grow with the position. A layer that keeps a state has no mask to
    hide padding behind, and reads zeros there.
    """

    def __init__(
        self, padding: Int[Tensor, " B"], start: int, num_tokens: int, device: torch.device
    ) -> None:
        """Say where the tokens stand.

        Args:
            padding: columns of each row before its first token, counted from the first column of
                all, which the caches hold.
            start: columns before these.
            num_tokens: T of them.
            device: where the layers compute.

        Raises:
            ValueError: if padding is no integers, or a row has less than none, or no token so far.
        """
        super().__init__(start, num_tokens, device)
        require_padding(padding, start + num_tokens)
        self.padding = padding.to(device)

    @property
    def token_positions(self) -> Int[Tensor, "B T"]:
        """Count from each row's first token; padding is given position 0, and read by nobody."""
        return (self.positions - self.padding[:, None]).clamp(min=0)

    def without_padding(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        """Put zeros where a row is filled up: a state then stays as empty as it is."""
        is_padding = self.positions < self.padding[:, None]
        return x.masked_fill(is_padding[:, :, None], 0.0)

    def _mask(self, reach: Reach, num_keys: int) -> Bool[Tensor, "B 1 T S"]:
        is_token = self._own_positions(num_keys) >= 0
        return super()._mask(reach, num_keys) & is_token.unsqueeze(-2)

    def _own_positions(self, num_keys: int) -> Int[Tensor, "B 1 S"]:
        return super()._own_positions(num_keys) - self.padding[:, None, None]


def require_padding(padding: Int[Tensor, " B"], num_columns: int) -> None:
    """Refuse padding that is no count for each row, or leaves a row without a token.

    Args:
        padding: columns of each row before its first token.
        num_columns: those of the rows.

    Returns:
        Nothing, if each row has a token.

    Raises:
        ValueError: if padding is no integers, one a row, or a row has less than none or no token.
        TypeError: if padding is no tensor.
    """
    require_integers(padding=padding)
    require_axes("padding", padding, "B")
    wrong = (padding < 0) | (padding >= num_columns)
    if wrong.any():
        raise ValueError(
            "padding stands before a row's first token, so 0 <= padding < columns; "
            f"padding has {padding[wrong][0].item()} and there are {num_columns} "
            f"columns; shape {tuple(padding.shape)}"
        )


def require_same_padding(caches: Sequence[Cache], padding: Int[Tensor, " B"] | None) -> None:
    """Refuse another padding than that of the columns which the caches hold; tell it to new ones.

    Args:
        caches: one per layer; which of their columns are tokens, they cannot say by themselves.
        padding: of this call; None is the same as 0 in every row.

    Returns:
        Nothing, if it is that of the calls before.

    Raises:
        ValueError: if it has changed.
    """
    now = None if padding is None or not padding.any() else tuple(padding.tolist())
    for cache in caches:
        if cache.length == 0:
            cache.padding = now
        elif cache.padding != now:
            raise ValueError(
                "padding counts from the first column that the caches saw, so it is the same in "
                f"every call; behind {cache.length} columns it was {cache.padding} and is {now}"
            )
