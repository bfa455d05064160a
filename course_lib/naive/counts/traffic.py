"""Attention's traffic counted load by load and store by store."""

__all__ = ["hbm_traffic"]


def hbm_traffic(T: int, D: int, M: int, method: str, bytes: int = 2) -> int:
    """Walk as the two ways walk, and count each number that is moved."""
    moved = 0
    if method == "naive":
        moved += T * D + T * D  # the queries and keys are read
        for _ in range(T):
            moved += T  # scores are written
            moved += T + T  # they are read, and weights are written
            moved += T  # the weights are read
        moved += T * D + T * D  # the values are read, the output is written
        return moved * bytes
    block = M // (D + D + D + D)
    start = 0
    while start < T:
        for _ in range(start, min(start + block, T)):
            moved += D + D  # a query is read, its output is written
        for _ in range(T):
            moved += D + D  # a key and a value are read
        start += block
    return moved * bytes
