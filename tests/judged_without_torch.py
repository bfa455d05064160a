"""Judge in a process in which there is no PyTorch; print the records.

By recordings alone, and by a live answer in another process with recordings of everybody else.
"""

import importlib
import json
import pkgutil
import subprocess
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

BLOCKED = ("torch", "course_lib", "jaxtyping", "matplotlib", "regex")


class Blocker(MetaPathFinder):
    """Let no import find what is not there."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> None:
        if name.split(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"there is no {name} here")


def started() -> "subprocess.Popen[bytes]":
    """A process with PyTorch, and a witness."""
    command = [sys.executable, str(Path(__file__).with_name("answers_elsewhere.py"))]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def main() -> None:
    sys.meta_path.insert(0, Blocker())
    import grading.verdict
    import grading.words
    from grading.apart import Apart
    from grading.exercises import all_exercises
    from grading.observation.remote import Remote
    from grading.observation.seen import Request
    from grading.observation.wire import unpack
    from grading.recordings import Recording
    from grading.verdict.judge import judge

    for package in (grading.verdict, grading.words):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    elsewhere, catalogue = started(), started()
    recordings = unpack(sys.stdin.buffer.read())
    records = {}
    for exercise in all_exercises():
        inputs, known, answers = recordings[exercise.name]
        for who in answers:
            recording = Recording(inputs, dict(known))
            recorded = judge(exercise, Apart(exercise, who, recording)).record

            def beside(other: Any, name: str = exercise.name) -> Remote:
                return Remote((name, other), catalogue)

            # A learner's test calls functions of the catalogue: in the process that has PyTorch.
            def call_back(called: str, given: tuple[Any, ...], beside: Any = beside) -> Any:
                inputs = {str(place): value for place, value in enumerate(given)}
                seen = beside(called).observe(Request(inputs=inputs))
                if seen.error is not None:
                    raise seen.error.again()
                return seen.value

            remote = Remote((exercise.name, who), elsewhere, call_back)
            # Who brings inputs of their own needs somebody to run the functions on them.
            others = beside if exercise.kind in ("bug", "test") else None
            live = judge(exercise, Apart(exercise, remote, recording, others)).record
            records[repr((exercise.name, who))] = [recorded.to_json(), live.to_json()]
    assert not [name for name in sys.modules if name.split(".")[0] in BLOCKED]
    elsewhere.communicate()
    catalogue.communicate()
    print(json.dumps(records))


if __name__ == "__main__":
    main()
