"""The text that the course trains on: a play of Shakespeare, about 115,000 bytes."""

from pathlib import Path

__all__ = ["SHAKESPEARE"]

#: "Julius Caesar" in UTF-8, from its first scene to its last; its origin: ``data/NOTICE.md``.
SHAKESPEARE = Path(__file__).parent.parent / "data" / "shakespeare.txt"
