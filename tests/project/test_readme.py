"""What the README shows runs as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = [
    code
    for code in re.findall(
        r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S
    )
    if "import" in code
]


def test_the_readme_shows_a_program() -> None:
    assert len(PROGRAMS) == 1


@pytest.mark.parametrize("code", PROGRAMS)
def test_a_program_of_the_readme_runs_and_says_nothing(code: str) -> None:
    command = [sys.executable, "-W", "error", "-c", code]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
