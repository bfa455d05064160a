"""What a block asks of its attention, whichever it is."""

from jaxtyping import Float
from torch import Tensor, nn

from course_lib.cache.protocol import Cache
from course_lib.model.reading import Reading

__all__ = ["AttentionModule"]


class AttentionModule(nn.Module):
    """Causal self-attention with a cache of its own kind."""

    def forward(
        self, x: Float[Tensor, "B T C"], cache: Cache | None = None, reading: Reading | None = None
    ) -> Float[Tensor, "B T C"]:
        """Let each position read itself and what came before it, the cache included.

        Args:
            x: one row per position; with a cache, only those that it has not seen.
            cache: what came before; this call appends to it. None means that x is the whole.
            reading: where x stands, from the model; None where the layer is called by itself.

        Returns:
            One row per position.

        Raises:
            ValueError: if x does not fit the matrices, the cache not x or this layer, or the
                reading not both.
        """
        raise NotImplementedError("an attention is one of the classes that compute it")

    def new_cache(self) -> Cache:
        """Make an empty cache of the kind that this layer extends."""
        raise NotImplementedError("an attention is one of the classes that compute it")

    def require_cache(self, cache: Cache) -> Cache:
        """Refuse a cache of another kind, or one that forgets what this layer can still read.

        Returns:
            The cache.

        Raises:
            ValueError: if the cache is not of the kind that ``new_cache`` makes.
        """
        raise NotImplementedError("an attention is one of the classes that compute it")

    def residual_writers(self) -> tuple[nn.Parameter, ...]:
        """Give the matrices of the one write to the residual stream."""
        raise NotImplementedError("an attention is one of the classes that compute it")
