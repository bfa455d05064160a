"""Which chapter shows a figure, and the tensors that it gives to it."""

import json
from typing import Any

from built_site import ROOT, chapters


def page_with(figure: str) -> str:
    """Return the chapter that shows a figure."""
    for slug in chapters():
        if f"{figure}(" in (ROOT / "book" / f"{slug}.md").read_text(encoding="utf-8"):
            return slug
    raise AssertionError(f"no chapter calls {figure}")


def names_before(figure: str) -> dict[str, Any]:
    """Run the cells of the figure's chapter up to the figure; return the names that they leave."""
    slug = page_with(figure)
    path = ROOT / "_build" / "jupyter_execute" / f"{slug}.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    names: dict[str, Any] = {}
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            exec(compile(source, slug, "exec"), names)
            if f"{figure}(" in source:
                return names
    raise AssertionError(f"{slug} has no cell that calls {figure}")
