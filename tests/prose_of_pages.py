"""What a page says in sentences, without its code, captions, formulas and Chinese lines."""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "book"
# What such a fence holds is prose of the page. Any other fence holds code, a caption or a formula.
OF_PROSE = {"dropdown", "note", "tip", "warning", "important", "admonition", "glossary"}
FENCE = re.compile(r"^\s*(`{3,}|:{3,})\s*(?:\{([\w-]+)\})?(.*)$")

# A role with its text, or code.
MARKED = re.compile(r"(\{[\w:-]+\})?(`+)(?!`).*?(?<!`)\2(?!`)", re.DOTALL)


def chapters() -> list[Path]:
    """Return the numbered chapters in the order of the table of contents."""
    return [page for page, numbered in pages() if numbered]


def pages() -> list[tuple[Path, bool]]:
    """Return every page in the order of the table of contents, and whether it is a chapter."""
    contents = yaml.safe_load((BOOK / "_toc.yml").read_text())
    return [(BOOK / f"{contents['root']}.md", False)] + [
        (BOOK / f"{page['file']}.md", bool(part.get("numbered")))
        for part in contents["parts"]
        for page in part["chapters"]
    ]


def prose(text: str) -> str:
    """Return a page of the same length in which everything but its prose is blank."""
    text = "".join(blank(line) if not told else line for line, told in lines_of(text))
    text = re.sub(r"\$\$.*?\$\$|\$[^$]*\$", lambda found: blank(found[0]), text, flags=re.S)
    text = MARKED.sub(lambda found: found[0] if found[1] == "{term}" else blank(found[0]), text)
    return re.sub(r"\]\([^)]*\)|^\(\S+\)=", lambda found: blank(found[0]), text, flags=re.M)


def lines_of(text: str) -> Iterator[tuple[str, bool]]:
    """Give out each line of a page, and whether it is prose."""
    open_fences: list[tuple[str, bool]] = []
    in_header = text.startswith("---\n")
    for number, line in enumerate(text.splitlines(keepends=True)):
        if in_header:
            in_header = number == 0 or line != "---\n"
            yield line, False
        elif found := FENCE.match(line):
            marks, directive, rest = found.groups()
            if open_fences and marks == open_fences[-1][0] and not (directive or rest.strip()):
                open_fences.pop()
            elif not open_fences or open_fences[-1][1]:
                open_fences.append((marks, directive in OF_PROSE))
            yield line, False
        else:
            option = bool(open_fences) and re.match(r"\s*:[\w-]+:", line) is not None
            yield line, all(told for _, told in open_fences) and not option


def blank(text: str) -> str:
    """Return as many spaces, with the line breaks where they were."""
    return re.sub(r"[^\n]", " ", text)
