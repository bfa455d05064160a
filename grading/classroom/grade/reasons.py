"""Why a submission has no mark, in a sentence, and what its learner does next."""

import re
from dataclasses import dataclass

HAND_IN_AGAIN = (
    "Open your own copy in JupyterLab, save it, see that the file opens again, and hand it in anew."
)
WAIT = "You need not do anything: whoever grades this course runs the grading again."


@dataclass(frozen=True)
class Ungraded:
    """Why there is no mark.

    Attributes:
        reason: one sentence, for the learner and the instructor.
        next_step: what the learner does.
    """

    reason: str
    next_step: str = HAND_IN_AGAIN

    @property
    def is_ours(self) -> bool:
        """Return whether the submission has no part in it, so that the next run tries again."""
        return self.next_step == WAIT


LOCKED = Ungraded("another program has the gradebook locked; close it and grade again", WAIT)

#: What nbgrader's log says, and what that means; the first that is found counts.
KNOWN = {
    "database is locked": LOCKED,
    "NotJSONError": Ungraded("the file is damaged: it is not JSON"),
    "DeadKernelError": Ungraded("the notebook ends its own process (DeadKernelError)"),
    "the kernel became unresponsive": Ungraded(
        "the notebook runs without an end and cannot be interrupted (UnresponsiveKernelError)"
    ),
    "No notebooks found": Ungraded(
        "there is no notebook of the assignment's name in what was handed in (links do not count)"
    ),
    "SchemaTooOldError": Ungraded("its nbgrader cells are of an older format"),
    "SchemaTooNewError": Ungraded("its nbgrader cells are of a newer format"),
    "No space left on device": Ungraded("the disk of the machine that grades is full", WAIT),
    "MemoryError": Ungraded("the machine that grades ran out of memory", WAIT),
}


def from_log(log: str) -> Ungraded:
    """Return why nbgrader could not grade a submission, read from its log.

    An UngradableError is a sentence that was written to be read, and says what to do. Other errors
    are known by name, or quoted.
    """
    written = re.findall(r"^\s*(?:\w+\.)*UngradableError: (.+)$", log, flags=re.MULTILINE)
    if written:
        return Ungraded(str(written[-1]).strip().rstrip("."), "")
    for sign, meaning in KNOWN.items():
        if sign in log:
            return meaning
    errors = re.findall(r"^\s*(?:\w+\.)*(\w+Error: .*)$", log, flags=re.MULTILINE)
    return Ungraded(str(errors[0])[:120] if errors else "nbgrader gave no reason; see states/logs/")
