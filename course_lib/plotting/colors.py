"""One colour for each part of attention in the whole book, legible on light and on dark.

Each has a contrast of at least 3 to 1 with a white and with a nearly black page (WCAG 2.1, 1.4.11;
tested), and the hues stay apart under the common colour-vision deficiencies.
"""

__all__ = ["DARK_PAGE", "INK", "KEY", "LIGHT_PAGE", "MUTED", "OUTPUT", "QUERY", "VALUE", "contrast"]

QUERY = "#2f7fc1"  # blue
KEY = "#c46a1b"  # orange
VALUE = "#1d8f6c"  # green
OUTPUT = "#a25fb5"  # purple; weights and what they mix
MUTED = "#7d8694"  # what is not read: a sink, a rest
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
