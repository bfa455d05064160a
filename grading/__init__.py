"""The grading engine: one line in a notebook, a script or a test says which mistake was made."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

    from grading.checking import check as check
    from grading.journal.progress import progress as progress
    from grading.words.result import CheckResult as CheckResult

    mine: ModuleType

__all__ = ["CheckResult", "check", "progress"]


# Read when it is asked for: who needs the witness alone loads nothing that knows answers.
def __getattr__(name: str) -> Any:
    if name == "check":
        from grading.checking import check

        return check
    if name == "progress":
        from grading.journal.progress import progress

        return progress
    if name == "CheckResult":
        from grading.words.result import CheckResult

        return CheckResult
    if name == "mine":
        from grading.adoption.finding import mine

        return mine()
    raise AttributeError(f"module 'grading' has no attribute {name!r}")
