"""Run the solution notebooks: what nbval compares with, and the proof that each check is earned."""

import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from nbclient import NotebookClient
from tqdm import tqdm

from grading.course_directory import ROOT, digest, notebook, read_notebook, slugs, write_notebook
from grading.imported_files import run_digest

TWO_AT_A_TIME = 2


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
    ).execute()
    # Times of execution would make each run's file another one.
    for cell in nb.cells:
        cell.metadata.pop("execution", None)
    write_notebook(nb, target)
    return target


def outdated(root: Path, folder: Path, names: list[str]) -> dict[str, str]:
    """Return the notebooks that have to run again, each with the hash of what decides its run.

    That is its whole text, and what its code imports: the engine, and its chapter's exercises.
    """
    stamps = {}
    for slug in names:
        source = notebook(root / "solutions", slug)
        cells = [cell.source for cell in read_notebook(source).cells if cell.cell_type == "code"]
        stamps[slug] = digest([run_digest(cells, slug, root), source.read_bytes()])
    return {
        slug: stamp
        for slug, stamp in stamps.items()
        if not notebook(folder, slug).exists() or read_stamp(folder, slug) != stamp
    }


def read_stamp(folder: Path, slug: str) -> str:
    """Return the hash under which a notebook was last run, or an empty string."""
    path = folder / slug / "run.json"
    return str(json.loads(path.read_text())["inputs"]) if path.exists() else ""


def run_solutions(root: Path = ROOT, *, only: str | None = None) -> list[str]:
    """Run each solution notebook that changed into _build/solutions; return their names.

    Args:
        root: the clone.
        only: the one chapter whose notebook may run; a chapter without a notebook runs none.
    """
    folder = root / "_build" / "solutions"
    todo = outdated(root, folder, [name for name in slugs(root) if only in (None, name)])
    with (
        ProcessPoolExecutor(TWO_AT_A_TIME, get_context("spawn")) as pool,
        tqdm(total=len(todo), desc="solutions", unit="notebook", disable=not todo) as bar,
    ):
        runs = {
            slug: pool.submit(execute, notebook(root / "solutions", slug), notebook(folder, slug))
            for slug in todo
        }
        for slug, run in runs.items():
            run.result()
            (folder / slug / "run.json").write_text(json.dumps({"inputs": todo[slug]}))
            bar.update()
    return list(todo)
