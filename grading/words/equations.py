"""A chapter's equations themselves: they lie beside the words, because no book need lie there."""

import json
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["chapter_title", "equation_mathml", "equation_tex"]

#: Collected from the chapters by book/_ext/equations.py.
COLLECTED = Path(__file__).with_name("equations.json")


def equation_tex(link: str) -> str:
    """Return an equation as TeX on one line; "" where the book has none of that label.

    Args:
        link: the chapter and the label, "softmax#eq-softmax".
    """
    return str(_collected().get(link, {}).get("tex", ""))


def chapter_title(link: str) -> str:
    """Return the title of the chapter in which an equation stands; its file's name elsewhere.

    Args:
        link: the chapter and the label, "softmax#eq-softmax".
    """
    return str(_collected().get(link, {}).get("chapter") or link.partition("#")[0])


def equation_mathml(link: str) -> str:
    """Return an equation as MathML, which browsers show without a script; "" where there is none.

    Args:
        link: the chapter and the label, "softmax#eq-softmax".
    """
    return str(_collected().get(link, {}).get("mathml", ""))


@cache
def _collected() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(COLLECTED.read_text(encoding="utf-8"))
    return found
