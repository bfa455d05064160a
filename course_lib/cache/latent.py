"""The latent vectors of multi-head latent attention."""

from jaxtyping import Float
from torch import Tensor

from course_lib.cache.buffer import Buffer
from course_lib.shapes import require_axes, require_same_positions

__all__ = ["LatentCache"]


class LatentCache:
    """The latent vectors and shared rotary keys of multi-head latent attention.

    Dc + Dr numbers a token, whatever the number of heads; ``KVCache`` keeps 2 G D.
    """

    def __init__(self, capacity: int = 0) -> None:
        """Make an empty cache.

        Args:
            capacity: tokens for which to make room at first; beyond it, room doubles.
        """
        self.padding: tuple[int, ...] | None = None
        self._latent = Buffer("latent", capacity)
        self._rotary_key = Buffer("rotary_key", capacity)

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
