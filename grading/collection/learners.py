"""The roster and the gradebook: who is known there keeps the id, who is new is entered."""

from dataclasses import replace
from pathlib import Path

from grading.classroom.enrolment import gradebook_file, opened
from grading.collection.roster import Learner, Roster

FIELDS = ("first_name", "last_name", "email", "lms_user_id")


def in_gradebook(course: Path) -> tuple[Learner, ...]:
    """Return the learners that a gradebook knows."""
    if not gradebook_file(course).exists():
        return ()
    with opened(course) as gradebook:
        return tuple(
            Learner(
                id=one.id,
                first_name=one.first_name or "",
                last_name=one.last_name or "",
                email=one.email or "",
                lms_user_id=one.lms_user_id or "",
            )
            for one in gradebook.students
        )


def roster_of(course: Path) -> Roster | None:
    """Return the class as a gradebook knows it; None where it has ids alone."""
    known = in_gradebook(course)
    if not any(one.names() or one.email or one.lms_user_id for one in known):
        return None
    return Roster("gradebook.db", known)


def with_known_ids(roster: Roster, course: Path) -> Roster:
    """Return a roster whose learners keep the ids under which the gradebook knows them.

    A worksheet without a column that an earlier roster had would otherwise enter everybody twice.
    """
    known = {
        (field, getattr(one, field).casefold()): one.id
        for one in in_gradebook(course)
        for field in ("email", "lms_user_id")
        if getattr(one, field)
    }
    same = [
        known.get(("lms_user_id", one.lms_user_id), known.get(("email", one.email.casefold())))
        for one in roster.learners
    ]
    learners = tuple(
        replace(one, id=id or one.id, others=(*one.others, one.id))
        for one, id in zip(roster.learners, same, strict=True)
    )
    return replace(roster, learners=learners)


def not_entered(roster: Roster, course: Path) -> list[Learner]:
    """Return who of a roster is new to the gradebook, or has something there that differs."""
    known = {one.id: one for one in in_gradebook(course)}
    return [one for one in roster.learners if one.id not in known or changes(one, known[one.id])]


def changes(learner: Learner, known: Learner) -> dict[str, str]:
    """Return what a roster says otherwise than the gradebook; what it lacks stays as it is."""
    return {
        field: value
        for field in FIELDS
        if (value := getattr(learner, field)) and value != getattr(known, field)
    }


def enter(learners: list[Learner], course: Path) -> None:
    """Enter learners into the gradebook, all or none."""
    if not learners:
        return
    from nbgrader.api import Student

    with opened(course) as gradebook:
        for one in learners:
            row = gradebook.db.get(Student, one.id) or Student(id=one.id)
            for field in FIELDS:
                if value := getattr(one, field):
                    setattr(row, field, value)
            gradebook.db.add(row)
        gradebook.db.commit()
