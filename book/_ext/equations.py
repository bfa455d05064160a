"""The chapters' equations for whoever grades: as TeX, and as MathML, which a page shows by itself.

A refusal carries its equation, also where no book lies beside the grader. So the equations with a
label are collected from the chapters into one file of the grader's, which is committed:

    .venv/bin/python book/_ext/equations.py
"""

import json
import re
from pathlib import Path

from katex_math import Renderer, aligned

ROOT = Path(__file__).resolve().parent.parent.parent
COLLECTED = ROOT / "grading" / "words" / "equations.json"

#: The two ways in which MyST writes an equation with a label.
DIRECTIVE = re.compile(r"^```\{math\}\n:label: (?P<label>[\w-]+)\n(?P<tex>.*?)\n```$", re.M | re.S)
DOLLARS = re.compile(r"^\$\$\n(?P<tex>[^$]+?)\n\$\$ \((?P<label>[\w-]+)\)$", re.M)


def labelled(text: str) -> dict[str, str]:
    """Return the equations of a chapter that have a label, as TeX on one line."""
    found = [*DIRECTIVE.finditer(text), *DOLLARS.finditer(text)]
    return {match["label"]: " ".join(match["tex"].split()) for match in found}


def title(text: str) -> str:
    """Return the heading of a chapter, in which a root may be a letter: √D."""
    found = re.search(r"^# (.+)$", text, re.M)
    assert found is not None, text[:80]
    return found[1].replace(r"$\sqrt{D}$", "√D")


def mathml(renderer: Renderer, tex: str) -> str:
    """Return a displayed formula as MathML alone, without its TeX inside."""
    html = renderer.render(aligned(tex), display=True)
    found = re.search(r"<math.*?</math>", html, re.S)
    assert found is not None, html
    return re.sub(r"<annotation.*?</annotation>", "", found[0], flags=re.S)


def collected(book: Path = ROOT / "book") -> dict[str, dict[str, str]]:
    """Return every labelled equation by chapter and label, "softmax#eq-softmax"."""
    renderer = Renderer()
    return {
        f"{chapter.stem}#{label}": {
            "chapter": title(text),
            "tex": tex,
            "mathml": mathml(renderer, tex),
        }
        for chapter in sorted(book.glob("*.md"))
        for text in [chapter.read_text(encoding="utf-8")]
        for label, tex in labelled(text).items()
    }


def written(equations: dict[str, dict[str, str]]) -> str:
    """Return the file's text."""
    return json.dumps(equations, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    COLLECTED.write_text(written(collected()), encoding="utf-8")
