"""The notebooks that readers download or open elsewhere, made from the executed chapters.

While the book builds, each chapter becomes `_downloads/<slug>.ipynb`: its cells with the outputs of
that build, its text as plain Markdown, and a first cell that sets the course up where it is
missing. The exercises get the same first cell. `python book/_ext/downloads.py OUT` copies both into
the folder that the publishing branch holds.
"""

import base64
import json
import mimetypes
import shutil
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
import yaml
from docutils import nodes
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from plain_markdown import MarkdownWriter
from sphinx.application import Sphinx

from grading.classroom.hand_out import course_archive

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
FOLDER = "_downloads"

SETUP = """\
# Where the course is missing, this cell installs it; elsewhere it does nothing.
# COURSE_SOURCE names another place to take it from: a folder, or an address that pip reads.
import importlib.util
import os
import subprocess
import sys

if importlib.util.find_spec("course_lib") is None:
    source = os.environ.get("COURSE_SOURCE", "{archive}")
    if not source:
        raise ImportError("The course is missing here. Set COURSE_SOURCE to where it is: a folder.")
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", source], check=True)
    importlib.invalidate_caches()
"""


def repository_address() -> str:
    """Return the project's address, which stands in _config.yml alone."""
    settings = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    return str(settings["repository"]["url"])


def published_address(repository: str) -> str:
    """Return where Pages publishes the book of a repository."""
    owner, name = urlsplit(repository).path.strip("/").split("/")[:2]
    return f"https://{owner}.github.io/{name}/"


def setup_cell(slug: str) -> nbformat.NotebookNode:
    """Return the quiet first cell: folded away where the reader's notebook program can do that."""
    cell = new_code_cell(SETUP.format(archive=course_archive() or ""), id=f"setup-{slug}"[:64])
    cell.metadata.update(
        {"tags": ["hide-input"], "jupyter": {"source_hidden": True}, "cellView": "form"}
    )
    return cell


def is_chapter(app: Sphinx, docname: str) -> bool:
    """Return whether a page is a chapter: its part of the contents is numbered."""
    return any(app.env.toc_secnumbers.get(docname, {}).values())


def write_notebook(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Write the notebook of a chapter beside the site's pages."""
    executed = Path(app.outdir).parent / "jupyter_execute" / f"{docname}.ipynb"
    if app.builder.name != "html" or not is_chapter(app, docname) or not executed.exists():
        return
    repository = app.config.html_theme_options["repository_url"]
    address = published_address(repository) if course_archive() else None
    writer = MarkdownWriter(app.env, docname, address)
    source = nbformat.read(executed, as_version=4)
    book = new_notebook(metadata=kept_metadata(source))
    book.cells = [
        setup_cell(docname),
        *Cells(writer, source, Path(app.srcdir)).of(doctree),
    ]
    for position, cell in enumerate(book.cells):
        cell.id = f"{docname}-{position}"[-64:]
    nbformat.validate(book)
    write_both(book, Path(app.outdir) / FOLDER / f"{docname}.ipynb")


def write_both(notebook: nbformat.NotebookNode, target: Path) -> None:
    """Write a notebook, and beside it a script that hands over the same text.

    A page that was opened from a folder may not offer a file for download, but may run a script.
    """
    text = nbformat.writes(notebook) + "\n"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    script = f"courseNotebook({json.dumps(target.name)}, {json.dumps(text)});\n"
    target.with_name(target.name + ".js").write_text(script, encoding="utf-8")


def kept_metadata(source: nbformat.NotebookNode) -> dict[str, Any]:
    """Return what a notebook program needs to know; not how the source text was stored."""
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "kernelspec": kernel,
        "language_info": source.metadata.get("language_info", {"name": "python"}),
    }


class Cells:
    """Turns a chapter's document into cells: text between code, code with its outputs."""

    def __init__(self, writer: MarkdownWriter, source: nbformat.NotebookNode, folder: Path) -> None:
        self.writer = writer
        self.source = source
        self.folder = folder
        self.cells: list[nbformat.NotebookNode] = []
        self.text: list[str] = []

    def of(self, doctree: nodes.document) -> list[nbformat.NotebookNode]:
        """Return the cells of a whole document."""
        self.walk(doctree, level=0)
        self.close_text()
        return self.cells

    def walk(self, node: nodes.Node, *, level: int) -> None:
        """Add the blocks of a document or section."""
        for child in node.children:
            if isinstance(child, nodes.section):
                self.walk(child, level=level + 1)
            elif isinstance(child, nodes.title):
                self.text.append(f"{'#' * level} {self.writer.line(child)}")
            elif isinstance(child, nodes.container) and child.get("nb_element") == "cell_code":
                self.add_code(child)
            elif block := self.writer.block(child):
                self.text.append(block)

    def add_code(self, node: nodes.container) -> None:
        """Add a code cell as it was executed, then the captions of its figures."""
        self.close_text()
        executed = self.source.cells[node["cell_index"]]
        cell = new_code_cell(executed.source, outputs=executed.outputs)
        cell.execution_count = executed.execution_count
        cell.metadata["tags"] = executed.metadata.get("tags", [])
        self.cells.append(cell)
        for figure in node.findall(nodes.figure):
            for caption in figure.findall(nodes.caption):
                self.text.append(self.writer.caption(figure, caption))

    def close_text(self) -> None:
        """Make one cell of the text so far, with the pictures that it shows."""
        if self.text:
            cell = new_markdown_cell("\n\n".join(self.text))
            # A picture that is missing is Sphinx's to complain of.
            found = {
                name: self.picture(self.folder / uri)
                for name, uri in self.writer.images.items()
                if (self.folder / uri).exists()
            }
            if found:
                cell["attachments"] = found
            self.cells.append(cell)
        self.text, self.writer.images = [], {}

    def picture(self, path: Path) -> dict[str, str]:
        """Return a picture of the book as an attachment."""
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        return {kind: base64.b64encode(path.read_bytes()).decode()}


def with_setup(source: Path) -> nbformat.NotebookNode:
    """Return an exercise notebook with the first cell that sets the course up."""
    notebook = nbformat.read(source, as_version=4)
    notebook.cells.insert(0, setup_cell(source.stem))
    return notebook


def add_exercises(app: Sphinx, exception: Exception | None) -> None:
    """Put the exercises beside the chapters' notebooks, so that a page can offer them offline."""
    if exception or app.builder.name != "html":
        return
    for source in sorted((ROOT / "exercises").glob("*/*.ipynb")):
        target = Path(app.outdir) / FOLDER / "exercises" / source.name
        write_both(with_setup(source), target)


README = """# Notebooks of the course

Made from the book by its build; do not edit. `chapters/` holds the executed chapters, `exercises/`
the exercises. The first cell of each installs the course where it is missing.

The sources: {repository}
"""


def main(out: Path) -> None:
    """Fill the folder of the publishing branch from the built site."""
    if not (SITE / FOLDER).is_dir():
        raise SystemExit("There is no built book in _build/html: run `make book` first.")
    shutil.rmtree(out, ignore_errors=True)
    repository = repository_address()
    for source in sorted((SITE / FOLDER).glob("*.ipynb")):
        (out / "chapters").mkdir(parents=True, exist_ok=True)
        shutil.copy(source, out / "chapters")
    for source in sorted((ROOT / "exercises").glob("*/*.ipynb")):
        target = out / "exercises" / source.parent.name / source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(with_setup(source), target)
    (out / "README.md").write_text(README.format(repository=repository), encoding="utf-8")
    print(f"[notebooks] {len(list(out.rglob('*.ipynb')))} notebooks in {out}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
