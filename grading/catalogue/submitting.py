"""The whole catalogue, submitted beforehand: an exercise after another, in two processes.

The page of the kill table would do it in one cell, and tests of an exercise in one test. A cell has
two minutes; twenty chapters need more.
"""

import sys

from tqdm import tqdm

from grading import recordings
from grading.catalogue.kill_table import kill_table, right_answers, submitted
from grading.catalogue.pairs import pairs_of
from grading.exercise import Exercise
from grading.exercises import all_exercises, find
from grading.jobs import Stamps, in_processes

__all__ = ["submit_all"]

#: What decides a result, beside what decides an observation.
JUDGES = ("verdict", "catalogue/pairs.py", "catalogue/kill_table.py", "catalogue/submitting.py")


def submit_all() -> None:
    """Submit each wrong and each right function whose result is not recorded yet, and each pair.

    Nothing is judged by it: whoever reads the recordings says what they have to be.
    """
    notes = Stamps(recordings.FOLDER)
    waiting = {one.name: made for one in all_exercises() if (made := _new(notes, one))}
    if not waiting:
        return
    jobs = {name: (name,) for name in sorted(waiting, key=_weight, reverse=True)}
    shown = tqdm(total=len(jobs), desc="catalogue", unit="exercise", file=sys.stderr)
    for name, run in in_processes(_submit, jobs):
        run.result()
        notes.note(f"{name}.submitted", waiting[name])
        shown.update()
    shown.close()


def _new(notes: Stamps, exercise: Exercise) -> str | None:
    """Return the hash of what decides an exercise's results, or None where they are recorded."""
    made = recordings.made_by(exercise, *JUDGES)
    return None if notes.is_done(f"{exercise.name}.submitted", made) else made


def _weight(name: str) -> int:
    """Guess what takes longest, to begin with it: the pairs of an exercise's mistakes."""
    exercise = find(name)
    assert exercise is not None
    number = len(exercise.misconceptions)
    return number**2 if exercise.steps is not None else number


def _submit(name: str) -> None:
    exercise = find(name)
    assert exercise is not None
    kill_table([exercise])
    for who in right_answers(exercise):
        submitted(exercise, who)
    recordings.save(exercise)
    if exercise.steps is not None:
        pairs_of(exercise)
