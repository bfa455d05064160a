"""The build fails where it should: a small book has a fault planted, and the message is read."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from built_site import ROOT

HEADER = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---
"""
CHAPTER = (
    HEADER
    + """# A chapter

One formula, {eq}`eq-one`, and one {term}`query`.

$$
a = \\frac{b}{c}
$$ (eq-one)

```{code-cell} ipython3
import library

library.answer()
```

```{code-cell} ipython3
two = 1 + 1
```
"""
)
TOC = """format: jb-book
root: index
parts:
  - caption: Chapters
    numbered: 1
    chapters:
      - file: chapter
  - caption: Back
    chapters:
      - file: glossary
"""
PAGES = {
    "_toc.yml": TOC,
    "index.md": "# A small book\n\nSee {doc}`chapter`.\n\n```{chapter-times}\n```\n",
    "glossary.md": "# Glossary\n\n```{glossary}\nquery\n    What a token asks.\n```\n",
    "chapter.md": CHAPTER,
    "references.bib": "",
}


class SmallBook:
    """A book of two pages with the course's own settings and extensions."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.page = root / "book" / "chapter.md"
        self.library = root / "course_lib" / "library.py"

    def build(self) -> tuple[int, str]:
        environment = os.environ | {"PYTHONPATH": str(self.library.parent), "NO_COLOR": "1"}
        done = subprocess.run(
            [sys.executable, str(self.root / "book" / "_ext" / "build.py")],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    def change(self, old: str, new: str) -> None:
        text = self.page.read_text(encoding="utf-8")
        assert old in text
        self.page.write_text(text.replace(old, new), encoding="utf-8")

    @property
    def executed(self) -> list[dict[str, object]]:
        path = self.root / "_build" / "jupyter_execute" / "chapter.ipynb"
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return [cell for cell in cells if cell["cell_type"] == "code"]


@pytest.fixture
def book(tmp_path: Path) -> SmallBook:
    for name in ("_ext", "_templates", "_static"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "book" / name, tmp_path / "book" / name, ignore=ignored)
    for name in ("_config.yml", "requirements.txt", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name, text in PAGES.items():
        (tmp_path / "book" / name).write_text(text, encoding="utf-8")
    small = SmallBook(tmp_path)
    small.library.parent.mkdir()
    small.library.write_text("def answer():\n    return 42\n", encoding="utf-8")
    return small


def test_only_what_changed_is_executed_and_the_cache_keeps_its_counts(book: SmallBook) -> None:
    code, output = book.build()
    assert code == 0, output
    assert "Executing notebook" in output
    assert [cell["execution_count"] for cell in book.executed] == [1, 2]
    html = (book.root / "_build" / "html" / "chapter.html").read_text(encoding="utf-8")
    assert "42" in html

    book.change("One formula", "A single formula")
    code, output = book.build()
    assert code == 0, output
    assert "Executing notebook" not in output
    # What nbval compares is there after a build from the cache as after the first one.
    assert [cell["execution_count"] for cell in book.executed] == [1, 2]
    assert "42" in json.dumps([cell["outputs"] for cell in book.executed])

    book.library.write_text("def answer():\n    return 43\n", encoding="utf-8")
    code, output = book.build()
    assert code == 0, output
    assert "the library or its pins changed" in output
    assert "43" in json.dumps(book.executed)
    assert not (book.root / "book" / "_build").exists()


# Each is a warning of its own, and the build goes on to the end: one build shows them all.
FAULTS = {
    "no such reference": ("{eq}`eq-one`", "{eq}`eq-two`", "eq-two"),
    "no such term": ("{term}`query`", "{term}`quary` {cite}`nobody2020`", "quary"),
    "no such citation": ("{cite}`nobody2020`", "{cite}`nobody2020`", "nobody2020"),
    "a formula that cannot be read": ("\\frac{b}{c}", "\\frac{b}{c", "KaTeX parse error"),
    "a link to no page": ("One formula", "[One](no-page.md) formula", "no-page"),
    "a picture that is not there": ("One]", "One ![alt](none.png)]", "none.png"),
}


def test_every_fault_of_a_text_is_named_and_fails_the_build(book: SmallBook) -> None:
    for old, new, _ in FAULTS.values():
        book.change(old, new)
    code, output = book.build()
    assert code != 0, output
    warnings = [line for line in output.splitlines() if "chapter.md" in line and "WARNING" in line]
    for fault, (_, _, message) in FAULTS.items():
        assert any(message in line for line in warnings), f"{fault}: {warnings}"


def test_one_warning_alone_fails_the_build(book: SmallBook) -> None:
    book.change("\\frac{b}{c}", "\\frac{b}{c")
    code, output = book.build()
    assert code != 0, output
    assert output.count("WARNING: ") == 1


def test_a_failure_is_not_forgotten_by_the_next_build(book: SmallBook) -> None:
    # Such a text is warned of when it is read; a second build would read only what has changed.
    glossary = book.root / "book" / "glossary.md"
    text = PAGES["glossary.md"]
    fault = "\n```{eval-rst}\nAn *emphasis without an end.\n```\n"
    glossary.write_text(text + fault, encoding="utf-8")
    for _ in range(2):
        code, output = book.build()
        assert code != 0, output
        assert "Inline emphasis" in output
    glossary.write_text(text, encoding="utf-8")
    code, output = book.build()
    assert code == 0, output


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (HEADER, "", "lack its 'jupytext:' header"),
        ("library.answer()", "library.question()", "has no attribute 'question'"),
    ],
    ids=["not executed", "a cell that raises"],
)
def test_a_chapter_that_did_not_run_fails_the_build(
    book: SmallBook, old: str, new: str, message: str
) -> None:
    book.change(old, new)
    code, output = book.build()
    assert code != 0, output
    assert message in output
