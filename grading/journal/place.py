"""Where the journal lies: beside a learner's own open notebook, and nowhere else."""

import os
import sys
from pathlib import Path
from typing import Any

__all__ = ["FILE", "OWNER", "place"]

#: The journal's name.
FILE = "progress.json"
#: Holds the id of the process that may write, which whatever it starts inherits; or "off".
OWNER = "COURSE_JOURNAL"


def place() -> Path | None:
    """Return where this notebook's journal lies; None where no learner has a notebook open.

    A Jupyter server and VS Code tell a kernel its notebook. Whoever runs a notebook as a file
    (nbgrader, nbval, the build, the runs of the solutions) tells nothing, or only what was
    inherited from a kernel that was here before; then the owner is another process.
    """
    notebook = _notebook()
    mine = str(os.getpid())
    owner = os.environ.get(OWNER, mine)
    if notebook is None or owner != mine or "PYTEST_CURRENT_TEST" in os.environ:
        return None
    os.environ[OWNER] = mine
    return notebook.parent / FILE


def _notebook() -> Path | None:
    ipython = sys.modules.get("IPython")
    shell: Any = ipython.get_ipython() if ipython is not None else None
    if shell is None or type(shell).__name__ != "ZMQInteractiveShell":
        return None
    told = shell.user_ns.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME", "")
    path = Path(str(told))
    is_one = path.suffix == ".ipynb" and path.is_absolute() and path.parent.is_dir()
    return path if is_one else None
