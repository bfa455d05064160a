"""A reading of sequences of different lengths: what stands before the shorter ones is not read."""

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from course_lib.config.attention_parts import Reach
from course_lib.model.reading import Reading

__all__ = ["PaddedReading"]


class PaddedReading(Reading):
    """T new columns of a batch whose rows begin at different columns and end at the same one.

    Rotations, windows and ALiBi depend on the distance of two tokens alone, which padding on the
    left does not change: they are those of the columns. Two things are a row's own: nobody reads
    its padding, and where a table of positions is added, the first token after it is position 0.
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
            ValueError: if a row has less than no padding, or no token so far.
        """
        super().__init__(start, num_tokens, device)
        wrong = (padding < 0) | (padding >= start + num_tokens)
        if wrong.any():
            raise ValueError(
                "padding stands before a row's first token, so 0 <= padding < columns; "
                f"padding has {padding[wrong][0].item()} and there are {start + num_tokens} "
                f"columns; shape {tuple(padding.shape)}"
            )
        self.padding = padding.to(device)

    @property
    def token_positions(self) -> Int[Tensor, "B T"]:
        """Count from each row's first token; padding is given position 0, and read by nobody."""
        return (self.positions - self.padding[:, None]).clamp(min=0)

    def _mask(self, reach: Reach, num_keys: int) -> Bool[Tensor, "B 1 T S"]:
        end = self.start + len(self.positions)
        columns = torch.arange(end - num_keys, end, device=self.positions.device)
        is_token = columns >= self.padding[:, None, None, None]
        return super()._mask(reach, num_keys) & is_token
