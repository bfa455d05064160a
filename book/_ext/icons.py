"""Write the icon font of the pages: the few glyphs that they use, out of the theme's 1,400.

Run `python book/_ext/icons.py` after adding an icon; the result is committed, because it is needed
only when the set changes. A test reads every icon of the built pages and looks for its glyph.
"""

import importlib.util
import re
from pathlib import Path

FONT = "vendor/fontawesome/webfonts/fa-solid-900.woff2"
TARGET = Path(__file__).parent.parent / "_static" / FONT
# The theme's own: search, menus, colour mode, previous and next, folding. Ours: the downloads.
NAMES = (
    *("magnifying-glass", "bars", "list", "outdent", "sun", "moon", "circle-half-stroke"),
    *("angle-left", "angle-right", "angle-down", "chevron-down", "chevron-right", "arrow-up"),
    *("download", "xmark"),
)


# How the theme's style sheet gives one or more icons their character.
RULE = re.compile(r'((?:\.fa-[a-z0-9-]+:before,?)+)\{content:"([^"]+)"\}')


def theme_static() -> Path:
    """Return the folder of the theme whose font and style are cut down."""
    spec = importlib.util.find_spec("pydata_sphinx_theme")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "theme" / "pydata_sphinx_theme" / "static"


def code_points(style: str) -> dict[str, int]:
    """Return the character that stands for each icon's name in the theme's style sheet."""
    found = {}
    for names, character in RULE.findall(style):
        escaped = re.fullmatch(r"\\([0-9a-f]+)", character)
        code = int(escaped[1], 16) if escaped else ord(character[-1])
        found |= dict.fromkeys(re.findall(r"\.fa-([a-z0-9-]+):", names), code)
    return found


def wanted(style: str) -> set[int]:
    """Return the characters that the pages use: the named ones and those of the admonitions."""
    points = code_points(style)
    # The marks of two hosts are in another font, and no page shows them.
    admonitions = re.findall(r'--pst-icon-(?!github|gitlab)[a-z-]+:"(.)"', style)
    return {points[name] for name in NAMES} | {ord(character) for character in admonitions}


def without_unused(style: str) -> str:
    """Return the style sheet without the rules of the icons that no page uses: a third of it."""
    kept = {f".fa-{name}:before" for name in NAMES}
    return RULE.sub(lambda rule: rule[0] if kept & set(rule[1].split(",")) else "", style)


def main() -> None:
    """Write the subset where the build copies it over the theme's own."""
    from fontTools import subset

    static = theme_static()
    style = (static / "styles" / "pydata-sphinx-theme.css").read_text(encoding="utf-8")
    options = subset.Options(flavor="woff2", layout_features=[], notdef_outline=True)
    font = subset.load_font(str(static / FONT), options)
    cut = subset.Subsetter(options)
    cut.populate(unicodes=wanted(style))
    cut.subset(font)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    subset.save_font(font, str(TARGET), options)
    print(f"{TARGET.name}: {TARGET.stat().st_size} bytes, {len(wanted(style))} icons")


if __name__ == "__main__":
    main()
