"""The texts that the course trains on: a play of Shakespeare, about 115,000 bytes, and sonnets."""

from pathlib import Path

__all__ = ["SHAKESPEARE", "SONNETS"]

_DATA = Path(__file__).parent.parent / "data"
#: "Julius Caesar" in UTF-8, from its first scene to its last; its origin: ``data/NOTICE.md``.
SHAKESPEARE = _DATA / "shakespeare.txt"
#: The first thirty sonnets in UTF-8, about 19,000 bytes.
SONNETS = _DATA / "sonnets.txt"
