"""The log of public threads: each names a test or a damaged hand-in that is there."""

import ast
import re
from pathlib import Path

from damaged_hand_ins import CASES

HERE = Path(__file__).parent
LOG = (HERE / "public_threads.md").read_text(encoding="utf-8")
ROW = re.compile(
    r"^\| (https://github\.com/\S+/(?:issues|pull)/\d+) \| [^|]+ \| `([^`]+)` \|$", re.M
)


def test_every_row_is_read_and_no_thread_stands_twice():
    threads = [thread for thread, _ in ROW.findall(LOG)]
    assert len(threads) == LOG.count("\n| https:")
    assert len(set(threads)) == len(threads) >= 30


def functions_of(path: Path) -> set[str]:
    parts = ast.parse(path.read_text(encoding="utf-8")).body
    return {one.name for one in parts if isinstance(one, ast.FunctionDef)}


def test_every_holder_is_there():
    cases = {f"case {case.name}" for case in CASES}
    for _, holder in ROW.findall(LOG):
        if holder not in cases:
            file, name = holder.split("::")
            assert name.startswith("test_"), holder
            assert name in functions_of(HERE / file), holder
