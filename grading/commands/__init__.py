"""What is typed as `python -m grading COMMAND`: each command's words, and what it calls."""

import argparse
from collections.abc import Callable

#: Adds a command by its name, what it does, and the text that explains it.
Adder = Callable[[str, object, str], argparse.ArgumentParser]

REST = "Further options, --no-browser for example, are JupyterLab's."
