"""What a layer keeps that does not grow: a state, and the last rows that its convolution reads."""

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.kinds import require_floats
from course_lib.shapes import require_axes
from course_lib.sizes import require_count

__all__ = ["StateCache"]


class StateCache:
    """A state for each head, and the W - 1 rows before the next token.

    As much after a million tokens as after one. What a token wrote cannot be taken back, so
    tokens that were read once are part of it for good.

    It copies what it is given, and serves inference: no gradient passes through it.
    """

    def __init__(self) -> None:
        """Make an empty cache."""
        self.padding: tuple[int, ...] | None = None
        self._length = 0
        self._before: Tensor | None = None
        self._state: Tensor | None = None

    @property
    def length(self) -> int:
        """Tokens seen so far: the position of the next one."""
        return self._length

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        kept = (part for part in (self._before, self._state) if part is not None)
        return sum(part.untyped_storage().nbytes() for part in kept)

    @property
    def before(self) -> Float[Tensor, "B _ _"] | None:
        """The rows before the next token, for ``short_convolution``; None before the first."""
        return self._before

    @property
    def state(self) -> Float[Tensor, "B H D Dv"] | None:
        """What the heads hold, for ``gated_delta_rule``; None before the first token."""
        return self._state

    def replace(
        self, before: Float[Tensor, "B _ _"], state: Float[Tensor, "B H D Dv"], num_tokens: int
    ) -> None:
        """Put what T tokens left in the place of what was there before them.

        Args:
            before: the rows before the next token.
            state: what the heads hold after the last token.
            num_tokens: T, how many tokens were read.

        Returns:
            Nothing.

        Raises:
            ValueError: if before or state has not its axes, the two differ in B, or one differs
                from what is kept in shape, dtype or device.

        Cost: a copy of both, whatever T is.
        """
        require_count(num_tokens=num_tokens)
        require_floats(before=before, state=state)
        require_axes("before", before, "B W-1 entries")
        require_axes("state", state, "B H D Dv")
        if before.shape[0] != state.shape[0]:
            raise ValueError(
                "both parts belong to the same sequences; "
                f"before has B={before.shape[0]} and state B={state.shape[0]}; "
                f"shapes {tuple(before.shape)} and {tuple(state.shape)}"
            )
        _require_unchanged("before", self._before, before)
        _require_unchanged("state", self._state, state)
        with torch.inference_mode(False):  # else no step outside that mode could go on from it
            self._before, self._state = before.detach().clone(), state.detach().clone()
        self._length += num_tokens


def _require_unchanged(name: str, kept: Tensor | None, new: Tensor) -> None:
    if kept is None or (kept.shape, kept.dtype, kept.device) == (
        new.shape,
        new.dtype,
        new.device,
    ):
        return
    raise ValueError(
        "what does not grow has one shape, one dtype and one device; "
        f"the kept {name} is {kept.dtype} on {kept.device} and the new one {new.dtype} on "
        f"{new.device}; shapes {tuple(kept.shape)} and {tuple(new.shape)}"
    )
