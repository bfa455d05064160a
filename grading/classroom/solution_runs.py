"""Run the solution notebooks: what nbval compares with, and the proof that each check is earned."""

import os
from pathlib import Path

from nbclient import NotebookClient
from tqdm import tqdm

from grading.imported_files import run_digest
from grading.jobs import Stamps, digest, in_processes
from grading.journal.place import OWNER
from grading.notebooks import ROOT, notebook, read_notebook, slugs, write_notebook


def execute(source: Path, target: Path, *, allow_errors: bool = False) -> Path:
    """Run a notebook in a fresh kernel and write it with its outputs.

    Args:
        source: the notebook to run.
        target: where to write it; its folder becomes the kernel's working directory.
        allow_errors: True goes on after a cell that raised, as a learner's notebook needs.

    Raises:
        nbclient.exceptions.CellExecutionError: if a cell raised and errors are not allowed.
    """
    nb = read_notebook(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    place = {"metadata": {"path": str(target.parent)}}
    NotebookClient(
        nb,
        timeout=120,
        kernel_name="python3",
        resources=place,
        allow_errors=allow_errors,
        # The kernel's warnings on its way of transport are nothing that a learner can act on.
        extra_arguments=["--log-level=ERROR"],
    ).execute(env=os.environ | {OWNER: "off"})
    # Times of execution would make each run's file another one.
    for cell in nb.cells:
        cell.metadata.pop("execution", None)
    write_notebook(nb, target)
    return target


def run_solutions(root: Path = ROOT, *, only: str | None = None) -> list[str]:
    """Run each solution notebook that changed into _build/solutions; return their names.

    Args:
        root: the clone.
        only: the one chapter whose notebook may run; a chapter without a notebook runs none.
    """
    folder = root / "_build" / "solutions"
    stamps = Stamps(folder / "stamps")
    todo = {}
    for slug in (name for name in slugs(root) if only in (None, name)):
        inputs = inputs_digest(notebook(root / "solutions", slug), root)
        if not (notebook(folder, slug).exists() and stamps.is_done(slug, inputs)):
            todo[slug] = inputs
    jobs = {slug: (notebook(root / "solutions", slug), notebook(folder, slug)) for slug in todo}
    with tqdm(total=len(todo), desc="solutions", unit="notebook", disable=not todo) as bar:
        for slug, run in in_processes(execute, jobs):
            run.result()
            stamps.note(slug, todo[slug])
            bar.update()
    return list(todo)


def inputs_digest(source: Path, root: Path) -> str:
    """Return a hash of what decides a notebook's run: its whole text, and what its code imports."""
    cells = [cell.source for cell in read_notebook(source).cells if cell.cell_type == "code"]
    return digest([run_digest(cells, source.stem, root), source.read_bytes()])
