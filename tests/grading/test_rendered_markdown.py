"""Every text cell becomes what its source looks like."""

import json
import re
from pathlib import Path

import pytest
from built_site import ROOT
from rendered_markdown import faults

NOTEBOOKS = sorted(
    path for folder in ("solutions", "exercises") for path in (ROOT / folder).glob("*/*.ipynb")
)


@pytest.mark.parametrize(
    "path", NOTEBOOKS, ids=lambda path: f"{path.parent.parent.name}-{path.stem}"
)
def test_text_cells_are_rendered_as_they_are_meant(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = {
        cell["id"]: "".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"
    }
    assert len(texts) > 8
    found = {name: list(faults(text)) for name, text in texts.items()}
    assert not {name: wrong for name, wrong in found.items() if wrong}


@pytest.mark.parametrize("path", sorted((ROOT / "book").glob("*.md")), ids=lambda path: path.stem)
def test_pages_of_the_book_are_rendered_as_they_are_meant(path: Path) -> None:
    text = re.sub(r"\A---\n.*?\n---\n", "", path.read_text(encoding="utf-8"), flags=re.S)
    assert not list(faults(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The entries sum to\n1. PyTorch's own earns nothing.", "inside a paragraph"),
        ("1. PyTorch's own earns nothing.", "a list of one entry"),
        ("It was found in\n1985. Nobody knew.", "may become a list"),
        ("1985\\. Nobody knew.", "may become a list"),
        ("Of the two the second,\n2) is right.", "may become a list"),
        ("The difference is x\n- y for all x.", "inside a paragraph"),
        ("The weight is\n> 0 there.", "inside a paragraph"),
        ("2. one\n3. two", "does not begin with 1"),
        ("A sum\n---\nof two", "makes a heading"),
        ("A sum\n\n    of two", "a listing"),
        ("Use **bold text.", "shows its own"),
        ("Call `softmax now.", "shows its own"),
        ("Let <T> be a size.", "is read as HTML"),
        ("<T>\nis a size", "is read as HTML"),
        ("| a | b |\n| 1 | 2 |", "meant as a table"),
    ],
)
def test_a_planted_fault_is_refused(text: str, words: str) -> None:
    found = list(faults(text))
    assert found
    assert any(words in fault for fault in found), found


@pytest.mark.parametrize(
    "text",
    [
        "The entries sum to 1. PyTorch's own earns nothing.",
        "Three steps:\n\n1. score\n2. weigh\n3. mix",
        "- one\n- two",
        "| a | b |\n|---|---|\n| 1 | 2 |",
        "$$\n\\begin{aligned}\na &= b \\\\\n&= c\n\\end{aligned}\n$$",
        "<details><summary>Hint</summary>\n\nLook *here*, at $a_1 * b_1$.\n\n</details>",
        "## 4. A softmax that survives\n\n*Difficulty*",
        "```text\n1. x\n- y\n```",
    ],
)
def test_what_is_meant_is_left_alone(text: str) -> None:
    assert not list(faults(text))
