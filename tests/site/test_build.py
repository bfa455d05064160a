"""The build fails where it should: a small book has a fault planted, and the message is read."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from built_site import ROOT, SITE, demand_site, load

unchanged = load(ROOT / "book" / "_ext" / "unchanged.py")
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
from library.answers import answer

answer()
```

```{code-cell} ipython3
two = 1 + 1
```
"""
)
OTHER = (
    HEADER
    + """# Other

{numref}`fig-powers` is a number.

```{code-cell} ipython3
:mystnb:
:  figure:
:    name: fig-powers
:    caption: "A power of two."
from IPython.display import HTML

HTML(str(2**10))
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
      - file: other
  - caption: Back
    chapters:
      - file: glossary
"""
PAGES = {
    "_toc.yml": TOC,
    "index.md": "# A small book\n\nSee {doc}`chapter`.\n\n```{chapter-times}\n```\n",
    "glossary.md": "# Glossary\n\n```{glossary}\nquery\n    What a token asks.\n```\n",
    "chapter.md": CHAPTER,
    "other.md": OTHER,
    "references.bib": "",
}


class SmallBook:
    """A book of three pages with the course's own settings and extensions."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.page = root / "book" / "chapter.md"
        self.library = root / "library"

    def build(self, *options: str) -> tuple[int, str]:
        # The small book's own library, then the course that the extensions belong to.
        path = os.pathsep.join([str(self.root), str(ROOT)])
        environment = os.environ | {"PYTHONPATH": path, "NO_COLOR": "1"}
        done = subprocess.run(
            [sys.executable, str(self.root / "book" / "_ext" / "build.py"), *options],
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

    def executed(self, page: str = "chapter") -> list[dict[str, object]]:
        path = self.root / "_build" / "jupyter_execute" / f"{page}.ipynb"
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return [cell for cell in cells if cell["cell_type"] == "code"]

    def write_module(self, name: str, text: str) -> None:
        (self.library / name).write_text(text, encoding="utf-8")


def executions(output: str) -> set[str]:
    """Return the pages that a build says it executed."""
    lines = [line for line in output.splitlines() if line.startswith("[book] executing ")]
    return {name for line in lines for name in line.split("executing ")[1].split(", ")}


@pytest.fixture
def book(tmp_path: Path) -> SmallBook:
    for name in ("_ext", "_live", "_templates", "_static"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "book" / name, tmp_path / "book" / name, ignore=ignored)
    for name in ("_config.yml", "requirements.txt", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name, text in PAGES.items():
        (tmp_path / "book" / name).write_text(text, encoding="utf-8")
    # The library of the figures takes seconds to make, and is the same for every book.
    demand_site()
    shutil.copytree(SITE / "_live", tmp_path / "_build" / "html" / "_live")
    small = SmallBook(tmp_path)
    small.library.mkdir()
    small.write_module("__init__.py", "")
    small.write_module("answers.py", "from library.numbers import LARGE\nanswer = lambda: LARGE\n")
    small.write_module("numbers.py", "LARGE = 42\n")
    small.write_module("elsewhere.py", "")
    return small


def test_only_what_changed_is_executed_and_the_cache_keeps_its_counts(book: SmallBook) -> None:
    code, output = book.build()
    assert code == 0, output
    assert executions(output) == {"chapter", "other"}
    assert [cell["execution_count"] for cell in book.executed()] == [1, 2]
    html = (book.root / "_build" / "html" / "chapter.html").read_text(encoding="utf-8")
    assert "42" in html
    record = json.loads((book.root / "_build/executions/chapter.json").read_text())
    assert record["cpu_seconds"] > 0.1, "a kernel takes longer to start"
    assert record["trains"] is False

    # Neither a text nor a module that no page imports has anything executed.
    book.change("One formula", "A single formula")
    book.write_module("elsewhere.py", "AWAY = 1\n")
    code, output = book.build()
    assert code == 0, output
    assert executions(output) == set()
    # What nbval compares is there after a build from the cache as after the first one.
    assert [cell["execution_count"] for cell in book.executed()] == [1, 2]
    assert "42" in json.dumps([cell["outputs"] for cell in book.executed()])

    # A module that the page imports by another one; the other page does not.
    book.write_module("numbers.py", "LARGE = 43\n")
    code, output = book.build()
    assert code == 0, output
    assert executions(output) == {"chapter"}
    assert "43" in json.dumps(book.executed())
    assert "43" in (book.root / "_build" / "html" / "chapter.html").read_text(encoding="utf-8")
    assert not (book.root / "book" / "_build").exists()


def test_a_site_of_the_same_sources_is_left_alone_and_any_other_is_built(book: SmallBook) -> None:
    site, nothing = book.root / "_build" / "html", "[book] nothing has changed"
    assert nothing not in book.build()[1]
    assert book.build() == (0, f"{nothing}: _build/html/index.html\n")

    (book.root / "submitted").mkdir()
    (book.root / "submitted" / "one.ipynb").write_text("{}", encoding="utf-8")
    assert nothing in book.build()[1]  # a class beside the book is no part of it

    page = site / "other.html"
    text = page.read_bytes()
    page.unlink()
    assert not unchanged.is_unchanged(book.root)
    page.write_bytes(text)  # at another time, so nobody knows whether it is the same
    assert not unchanged.is_unchanged(book.root)
    unchanged.remember(book.root, is_whole=True)
    assert unchanged.is_unchanged(book.root)
    book.write_module("elsewhere.py", "AWAY = 2\n")
    assert not unchanged.is_unchanged(book.root)
    unchanged.remember(book.root, is_whole=True)
    assert nothing not in book.build("--only", "chapter")[1]
    assert not unchanged.is_unchanged(book.root)  # what one chapter left is not the whole


def test_a_page_that_failed_is_not_kept_and_one_that_ran_beside_it_is_shown(
    book: SmallBook,
) -> None:
    book.write_module("numbers.py", "LARGE = 1 / 0\n")
    code, output = book.build()
    assert code != 0, output
    assert executions(output) == {"chapter", "other"}
    assert "chapter.md: a cell failed" in output
    assert "ZeroDivisionError" in output
    assert not (book.root / "_build" / "executions" / "chapter.json").exists()
    book.write_module("numbers.py", "LARGE = 44\n")
    code, output = book.build()
    assert code == 0, output
    assert executions(output) == {"chapter"}
    for page, word in (("chapter", "44"), ("other", "1024")):
        assert word in json.dumps([cell["outputs"] for cell in book.executed(page)])


def test_one_chapter_is_built_alone_and_the_next_whole_build_is_whole(book: SmallBook) -> None:
    other = book.root / "book" / "other.md"
    other.write_text(OTHER.replace("# Other", "# Other, of {doc}`nobody`"), encoding="utf-8")
    code, output = book.build("--only", "chapter")
    assert code == 0, output
    assert executions(output) == {"chapter"}
    assert [cell["execution_count"] for cell in book.executed()] == [1, 2]
    assert [cell["execution_count"] for cell in book.executed("other")] == [None]

    # What was passed over is neither forgotten nor taken for done.
    code, output = book.build()
    assert code != 0, output
    assert "nobody" in output
    assert executions(output) == {"other"}

    # A chapter needs the page to whose figure it shows the way; and its own warnings count.
    other.write_text(OTHER.replace("2**10", "2**11"), encoding="utf-8")
    book.change("One formula", "A {numref}`fig-powers` of a {term}`quary`")
    code, output = book.build("--only", "chapter")
    assert code != 0, output
    assert "quary" in output
    assert executions(output) == {"other"}


def test_a_chapter_that_is_not_there_is_refused_with_those_that_are(book: SmallBook) -> None:
    code, output = book.build("--only", "chaptre")
    assert code != 0
    assert output.strip() == "There is no chapter 'chaptre'. Choose one of: chapter, other"


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


def test_a_chapter_that_did_not_run_fails_the_build(book: SmallBook) -> None:
    book.change(HEADER, "")
    code, output = book.build()
    assert code != 0, output
    assert "lack its 'jupytext:' header" in output
