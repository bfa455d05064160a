"""One colour for each part of attention in the whole book, legible on light and on dark.

Each has a contrast of at least 3 to 1 with a white and with a nearly black page (WCAG 2.1, 1.4.11),
white words on it have 4.5 to 1 (both tested), and the hues stay apart under the common
colour-vision deficiencies. What is none of these parts (scores, several heads, models) is drawn in
the neutral colours.
"""

__all__ = [
    "DARK_PAGE", "INK", "KEY", "LIGHT_PAGE", "MUTED", "ON_PART", "OUTPUT", "QUERY", "VALUE",
    "contrast",
]  # fmt: skip

QUERY = "#2774b4"  # blue
KEY = "#b05c12"  # orange
VALUE = "#177f5e"  # green
OUTPUT = "#9c57b0"  # purple; weights and what they mix
MUTED = "#6f7785"  # neutral: scores, a sink, a rest
ON_PART = "#ffffff"  # words on any of these
INK = "#1f2430"  # text and axes on a light page; live figures follow the page's theme
LIGHT_PAGE = "#ffffff"
DARK_PAGE = "#14181f"


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
