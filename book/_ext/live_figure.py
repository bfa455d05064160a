"""Sphinx extension: puts the libraries of the live figures beside the pages, and not into them.

Everything below _static is named on every page by Jupyter Book. So Vega's bundle (300 kB gzipped),
D3's selection (4 kB) and the scripts of the mechanisms go to _live/ at the end of the build;
live-figure.js asks for what a figure needs when it comes near.
"""

import shutil
from pathlib import Path
from typing import Any

import vl_convert

from course_lib.plotting.live import VEGA_LITE


def write_library(app: Any, error: Exception | None) -> None:
    """Write the bundle once a version; it takes seconds to make."""
    if error is not None or app.builder.name != "html":
        return
    folder = Path(app.outdir) / "_live"
    shutil.copytree(Path(app.srcdir) / "_live", folder, dirs_exist_ok=True)
    stamp = f"// vl-convert {vl_convert.__version__}, Vega-Lite {VEGA_LITE}\n"
    target = folder / "vega.js"
    if target.exists() and target.read_text(encoding="utf-8").startswith(stamp):
        return
    folder.mkdir(exist_ok=True)
    bundle = vl_convert.javascript_bundle(vl_version=VEGA_LITE)
    # Wrapped: the bundle's short names would collide with those of other scripts on the page.
    target.write_text(f"{stamp}(function () {{\n{bundle}\n}})();\n", encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    """Register the extension."""
    app.connect("build-finished", write_library)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
