"""One section, run and judged in this process."""

import linecache
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from grading.adoption.judging import Judged
from grading.adoption.section import Section
from grading.asking import Live, called_back
from grading.exercises import find
from grading.verdict.judge import judge
from grading.witness.calling import call
from grading.witness.observe import Witness

__all__ = ["judge_one", "made"]

#: Seconds for what a section does before its function is there.
SECONDS = 5.0


def judge_one(section: Section) -> Judged:
    """Run a section here and judge what it makes, as `grading.checking.check` judges an answer."""
    exercise = find(section.name)
    assert exercise is not None
    run = call(made, [section], SECONDS)
    if run.timed_out:
        return Judged(reason=f"what it needs takes longer than {SECONDS:g} seconds to be defined")
    if run.error is not None:
        return Judged(reason=f"{type(run.error).__name__}: {run.error}")
    witness = Witness(run.value, lambda name, given: called_back(exercise, name, given))
    try:
        return Judged(judge(exercise, Live(exercise, witness)).record)
    except Exception as error:
        return Judged(reason=f"it was not judged, and that is our fault: {error}")


def made(section: Section) -> Callable[..., Any]:
    """Run a section as mine.py does, in a module of its own whose text can be looked up."""
    name = f"<{section.name} in mine.py>"
    linecache.cache[name] = (len(section.text), None, section.text.splitlines(True), name)
    module = ModuleType("mine")
    sys.modules["mine"] = module  # where a class of the learner's looks for its own
    exec(compile(section.text, name, "exec", dont_inherit=True), vars(module))
    answer: Callable[..., Any] = vars(module)[section.name]()
    return answer
