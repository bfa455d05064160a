"""What the linter and the formatter see: every Python file of the course, but those of learners."""

import subprocess
import sys
from pathlib import Path

from library import ROOT

#: Written as learners write, and wrong on purpose.
LEARNERS = "grading/classroom/sample_answers/"


def listed(*command: str) -> set[str]:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines())


def test_ruff_sees_every_file_of_python() -> None:
    shown = listed(sys.executable, "-m", "ruff", "check", "--show-files", ".")
    seen = {Path(name).relative_to(ROOT).as_posix() for name in shown if name.endswith(".py")}
    # What is not committed yet counts, as ruff sees it; what was removed does not.
    files = listed("git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py")
    files = {name for name in files if (ROOT / name).exists()}
    assert any(name.startswith("grading/exercises/softmax/") for name in seen)
    assert files - seen == {name for name in files if name.startswith(LEARNERS)}
    assert len(files - seen) > 10
