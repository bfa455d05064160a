"""One colour for each part of attention in the whole book, legible on light and on dark.

Each has a contrast of at least 3 to 1 with a white and with a nearly black page (WCAG 2.1, 1.4.11),
white words on it have 4.5 to 1 (both tested), and the hues stay apart under the common
colour-vision deficiencies. What is none of these parts (scores, several heads, models) is drawn in
the neutral colours.

A still figure is drawn in the colours of a light page; ``DARK`` says which takes the place of each
on a dark one. A colour without an entry there is refused.
"""

__all__ = [
    "DARK", "DARK_PAGE", "DARK_RAMP", "FAINT", "INK", "KEY", "LIGHT_PAGE", "MUTED", "ON_LIGHT_CELL",
    "ON_PART", "OUTPUT", "QUERY", "RAMP", "SHADES", "SWITCH", "VALUE", "contrast", "ramp_color",
]  # fmt: skip

QUERY = "#2774b4"  # blue
KEY = "#b05c12"  # orange
VALUE = "#177f5e"  # green
OUTPUT = "#9c57b0"  # purple; weights and what they mix
MUTED = "#6f7785"  # neutral: scores, a sink, a rest
ON_PART = "#ffffff"  # words on any of these
INK = "#1f2430"  # text and axes on a light page; live figures follow the page's theme
FAINT = "#d7dbe2"  # lines that help the eye and say nothing
LIGHT_PAGE = "#ffffff"
DARK_PAGE = "#14181f"


def _between(start: str, end: str, steps: int) -> list[str]:
    """Return colours from one to another, both included."""
    ends = [[int(color[at : at + 2], 16) for at in (1, 3, 5)] for color in (start, end)]
    shares = [step / (steps - 1) for step in range(steps)]
    mixed = [[round((1 - p) * a + p * b) for a, b in zip(*ends, strict=True)] for p in shares]
    return ["#" + "".join(f"{part:02x}" for part in color) for color in mixed]


SHADES = 33  # of a weight from 0 to 1
#: From this shade on the words on it are ``ON_PART``. Here both ramps leap over the greys on which
#: neither ink has 4.5 to 1.
SWITCH = 17
RAMP = (*_between(LIGHT_PAGE, "#b987c8", SWITCH), *_between("#9a55ae", "#451f52", SHADES - SWITCH))
DARK_RAMP = (
    *_between(DARK_PAGE, "#7d4790", SWITCH),
    *_between("#b67cc8", "#f6e3fb", SHADES - SWITCH),
)
ON_LIGHT_CELL = "#05070a"  # words on the shades below the switch

#: The colour on a dark page for each that a still figure may hold.
DARK = dict(zip(RAMP, DARK_RAMP, strict=True)) | {
    QUERY: "#6db3ee",
    KEY: "#e59a55",
    VALUE: "#4fc09a",
    OUTPUT: "#cf98df",
    MUTED: "#a3adbd",
    INK: "#dfe3ea",
    FAINT: "#384152",
    LIGHT_PAGE: DARK_PAGE,
    ON_LIGHT_CELL: "#ffffff",
}


def ramp_color(weight: float) -> tuple[str, str]:
    """Return the shade of a weight on a light page, and the colour of words on it.

    Args:
        weight: a number from 0 to 1.

    Returns:
        The shade, stronger for more, and the words' colour.
    """
    shade = round(min(max(weight, 0.0), 1.0) * (SHADES - 1))
    return RAMP[shade], ON_PART if shade >= SWITCH else ON_LIGHT_CELL


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, from 1 to 21.

    Args:
        one: a colour, as "#rrggbb".
        other: another.

    Returns:
        (L1 + 0.05) / (L2 + 0.05), with the larger relative luminance as L1.

    Source: WCAG 2.1, definition of contrast ratio.
    """
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    parts = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
