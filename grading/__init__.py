"""The grading engine: one line in a notebook, a script or a test says which mistake was made."""

from grading.check import check
from grading.result import CheckResult

__all__ = ["CheckResult", "check"]
