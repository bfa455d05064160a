"""What all caches are to those who do not look inside."""

from typing import Protocol, runtime_checkable

__all__ = ["Cache"]


@runtime_checkable
class Cache(Protocol):
    """What one layer keeps between tokens.

    What is appended, and how, is between the cache and its layer: ``new_cache`` of an attention
    module makes one that fits, and ``require_cache`` refuses one that does not.

    Attributes:
        padding: how many of the tokens only fill each row up on its left; None where no row is, or
            where nobody has said. The model writes it with the first tokens.
    """

    padding: tuple[int, ...] | None

    @property
    def length(self) -> int:
        """Tokens seen so far: the position of the next one."""

    @property
    def nbytes(self) -> int:
        """Bytes held."""
