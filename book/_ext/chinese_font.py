"""Cut the book's Chinese font down to the characters that the book writes.

    python book/_ext/chinese_font.py PATH_OF_A_WOFF2

Build the book first. The PDF and the EPUB carry it, so that they need none on the reader's machine.
A test says when a character is missing; then this runs again, on
`noto-sans-sc-chinese-simplified-400-normal.woff2` of the npm package @fontsource/noto-sans-sc.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FONT = ROOT / "book" / "_live" / "fonts" / "noto-sans-sc.woff2"


def chinese(text: str) -> set[str]:
    """Return the Chinese characters of a text, its punctuation with them."""
    return {one for one in text if "\u2e80" <= one <= "\u9fff" or "\uff00" <= one <= "\uffef"}


def characters(site: Path = ROOT / "_build" / "html") -> set[str]:
    """Return every Chinese character of the built pages; tables of the library have some."""
    pages = [page.read_text(encoding="utf-8") for page in site.glob("*.html")]
    return set().union(*(chinese(page) for page in pages))


def cut(whole: Path, target: Path = FONT) -> None:
    """Write the part of a font that the book needs."""
    from fontTools import subset

    target.parent.mkdir(parents=True, exist_ok=True)
    subset.main(
        [
            str(whole), f"--text={''.join(sorted(characters()))}", "--flavor=woff2",
            f"--output-file={target}", "--layout-features=", "--no-hinting",
        ]
    )  # fmt: skip


if __name__ == "__main__":
    cut(Path(sys.argv[1]))
