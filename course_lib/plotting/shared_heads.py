"""Query heads and what they read: a key and value head each, one for some, or one latent vector."""

import math
from collections.abc import Iterator

from course_lib.counts.cache import kv_cache_bytes
from course_lib.plotting.mechanism import NARROW, WIDE, Mechanism, mark, words

__all__ = ["BLOCK", "GROUPS", "LATENT", "bytes_kept", "numbers_kept", "shared_heads"]

#: The model that is drawn: query heads, the size of a head, layers, bytes of a number.
HEADS, HEAD_DIM, LAYERS, BYTES = 16, 128, 32, 2
#: The latent vector and the rotary key of MLA, as in DeepSeek-V2 and V3.
LATENT_DIM, ROPE_DIM = 512, 64
#: Key and value heads to choose from; ``LATENT`` stands for multi-head latent attention.
LATENT = 0
GROUPS = (16, 8, 4, 2, 1, LATENT)
NAMES = ("16: multi-head", "8 heads", "4 heads", "2 heads", "1: multi-query", "latent")
#: Numbers that one block of the drawing stands for.
BLOCK = 64
#: Powers of two: tokens to choose from, those at first, and the axis of sizes in MiB.
TOKENS, TOKENS_FIRST, MIB = (10, 17), 13, (4, 15)
#: The head that is followed at first.
FIRST_HEAD = 5
#: Pixels from the top: heads, the ends of their wires, keys, values, the sum, the axis.
HEAD_LINE, WIRE, KEYS, VALUES, SUM, AXIS = 46, 104, 130, 194, 256, 318
TALL, FAINT = 16, 0.25


def numbers_kept(G: int) -> int:
    """Count what a cache keeps for each token and layer.

    Args:
        G: key and value heads, or ``LATENT``.

    Returns:
        The numbers: a key and a value for each head, or a latent vector and a rotary key.
    """
    return LATENT_DIM + ROPE_DIM if G == LATENT else 2 * G * HEAD_DIM


def bytes_kept(G: int, tokens: int) -> int:
    """Count the bytes of the whole cache.

    Args:
        G: key and value heads, or ``LATENT``.
        tokens: tokens so far.

    Returns:
        The bytes of all layers.
    """
    if G == LATENT:
        return LAYERS * numbers_kept(G) * tokens * BYTES
    return kv_cache_bytes(LAYERS, G, HEAD_DIM, tokens, BYTES)


def shared_heads() -> Mechanism:
    """Let the reader choose how many heads keep keys and values, follow a head, and add tokens.

    Returns:
        The figure. Its script computes what it shows; the tests compare that with course_lib.
    """
    G, tokens = GROUPS[0], 2**TOKENS_FIRST
    size = bytes_kept(G, tokens) / 2**30
    return Mechanism(
        kind="shared-heads",
        alt_text=(
            f"{HEADS} query heads, and {G} key and value heads below them: each has its own. "
            f"{numbers_kept(G):,} numbers per token and layer; {tokens:,} tokens take "
            f"{size:.2f} GiB."
        ),
        data={
            "heads": HEADS,
            "size": HEAD_DIM,
            "layers": LAYERS,
            "bytes": BYTES,
            "kept": {str(G): numbers_kept(G) for G in GROUPS},
            "groups": list(GROUPS),
            "names": list(NAMES),
            "head": FIRST_HEAD,
            "tokens": [*TOKENS, TOKENS_FIRST],
            "mib": list(MIB),
            "faint": FAINT,
        },
        wide=list(_drawn(WIDE)),
        narrow=list(_drawn(NARROW)),
        heights=(AXIS + 30, AXIS + 30),
    )


def _drawn(width: int) -> Iterator[str]:
    """Give out all marks of one drawing, with a key and value head for each query head."""
    pitch = width / HEADS
    wide = round(pitch - 4, 2)
    yield words(f"{HEADS} query heads", 0, 18, font_size=14, text_anchor="start")
    for h in range(HEADS):
        x = (h + 0.5) * pitch
        strength = 1.0 if h == FIRST_HEAD else FAINT
        yield mark("line", "query", x1=x, y1=HEAD_LINE, x2=x, y2=WIRE, stroke_width=2,
                   opacity=strength, part="wire", s=h)  # fmt: skip
        yield mark("circle", "query", cx=x, cy=HEAD_LINE, r=min(10, pitch / 2 - 2),
                   opacity=strength, part="head", s=h)  # fmt: skip
    yield mark("circle", "ink", cx=(FIRST_HEAD + 0.5) * pitch, cy=HEAD_LINE, r=3, part="chosen",
               data_pitch=pitch)  # fmt: skip
    for n, (name, top) in enumerate((("keys", KEYS), ("values", VALUES))):
        yield words(name, 0, top - 8, part="label", s=n, font_size=13, text_anchor="start")
    for g in range(HEADS):
        for row, color in enumerate(("key", "key", "value", "value")):
            top = (KEYS, KEYS + TALL + 2, VALUES, VALUES + TALL + 2)[row]
            yield mark("rect", color, x=round(g * pitch + 2, 2), y=top, width=wide, height=TALL,
                       rx=2, part="block", s=g, d=row)  # fmt: skip
    for n in range((LATENT_DIM + ROPE_DIM) // BLOCK):
        is_latent = n < LATENT_DIM // BLOCK
        place = (HEADS - LATENT_DIM // BLOCK) / 2 + n if is_latent else (HEADS - 1) / 2
        yield mark("rect", "output" if is_latent else "key", x=round(place * pitch + 2, 2),
                   y=KEYS if is_latent else VALUES, width=wide, height=TALL, rx=2, part="latent",
                   s=n, visibility="hidden")  # fmt: skip
    yield words(f"{numbers_kept(GROUPS[0]):,} numbers per token and layer", 0, SUM, part="sum",
                font_size=14, text_anchor="start")  # fmt: skip
    yield from _axis(width)


def _axis(width: int) -> Iterator[str]:
    """Give out the axis of sizes, which is logarithmic, and the size at first."""
    left, right = 24, width - 26
    yield mark("line", "muted", x1=left, y1=AXIS, x2=right, y2=AXIS, stroke_width=1)
    for power in (4, 8, 12, 15):
        x = round(left + (power - MIB[0]) / (MIB[1] - MIB[0]) * (right - left), 2)
        name = f"{2**power} MiB" if power < 10 else f"{2 ** (power - 10)} GiB"
        yield mark("line", "muted", x1=x, y1=AXIS - 4, x2=x, y2=AXIS + 4, stroke_width=1)
        yield words(name, x, AXIS + 20, "muted", font_size=13)
    size = bytes_kept(GROUPS[0], 2**TOKENS_FIRST)
    x = left + (math.log2(size / 2**20) - MIB[0]) / (MIB[1] - MIB[0]) * (right - left)
    yield mark("circle", "output", cx=round(x, 2), cy=AXIS, r=7, part="size", data_left=left,
               data_right=right)  # fmt: skip
    yield words(f"{LAYERS} layers, {2**TOKENS_FIRST:,} tokens: {size / 2**30:.2f} GiB", 0,
                AXIS - 30, part="told", font_size=14, text_anchor="start")  # fmt: skip
