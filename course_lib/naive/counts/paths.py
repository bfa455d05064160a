"""Ways and waiting in a layer, walked position by position."""

__all__ = ["path_length", "sequential_ops"]


def path_length(kind: str, i: int, j: int, kernel: int | None = None) -> int:
    """Walk back from the later position: each step reaches what the layer reads."""
    late, early = max(i, j), min(i, j)
    reached, steps = {late}, 0
    while early not in reached:
        reached |= {earlier for at in reached for earlier in _read(kind, at, kernel)}
        steps += 1
    return steps


def sequential_ops(kind: str, T: int) -> int:
    """Let each position begin when what it needs is there; the last to end says how long."""
    ends: list[int] = []
    for t in range(T):
        begins = ends[t - 1] if kind == "rnn" and t > 0 else 0
        ends.append(begins + 1)
    return max(ends)


def _read(kind: str, at: int, kernel: int | None) -> list[int]:
    """What one step or layer reads to make a position."""
    if kind == "rnn":
        return [at - 1]
    if kind == "attention":
        return list(range(at))
    assert kernel is not None
    return list(range(at - kernel + 1, at + 1))
