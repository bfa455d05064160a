"""GPT-3 counted tensor by tensor, head by head."""

__all__ = ["count_gpt3"]


def count_gpt3(layers: int) -> int:
    """Add up the entries of every matrix and vector."""
    width, heads, size, inner = 12288, 96, 128, 49152
    shapes: list[tuple[int, ...]] = [(50257, width), (2048, width), (width,), (width,)]
    for _ in range(layers):
        for _ in range(heads):
            shapes += [(width, size), (width, size), (width, size), (size, width)]
            shapes += [(size,), (size,), (size,)]
        shapes.append((width,))  # the one bias behind all heads
        shapes += [(width, inner), (inner,), (inner, width), (width,)]
        shapes += [(width,)] * 4  # two norms, each with gains and shifts
    count = 0
    for shape in shapes:
        entries = 1
        for size_of_axis in shape:
            entries *= size_of_axis
        count += entries
    return count
