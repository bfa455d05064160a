"""A state beside the score: graded, refused, or ungraded with its reason; one small file each.

What was noted holds as long as the graded notebook and what was handed in are those of the note.
nbgrader's own command and the formgrader's button grade too, and note nothing: then the graded
notebook itself says what there is.
"""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import quote

from grading.classroom.grade.reasons import Ungraded
from grading.classroom.grade.submissions import Pair, content_digest
from grading.jobs import Stamps, digest
from grading.nbgrader_steps.fail_closed import refusals
from grading.notebooks import notebook, read_notebook

#: Where a course directory keeps its states, the logs of its grading, and what is being graded.
FOLDER = "states"

Kind = Literal["graded", "refused", "ungraded", "not handed in"]


@dataclass(frozen=True, kw_only=True)
class State:
    """What became of one submission.

    Attributes:
        kind: "refused" is graded, with a check whose points were refused since it proved nothing.
        reason: why it is ungraded.
        next_step: what the learner of an ungraded submission does next.
        refused: why a check's points were refused, by its name.
        marked: when what the gradebook's mark is for was handed in; "" where nobody says.
        inputs: the hash of all that decided the mark; "" where the next run tries again.
        files: the hash of what was handed in.
        autograded: the hash of the graded notebook that this state is about; "" for none.
        earned: the hash of the machine's marks that the gradebook held then; "" for none.
        page: the hash of all that stands on the learner's page, and of the page.
    """

    kind: Kind
    reason: str = ""
    next_step: str = ""
    refused: dict[str, str] = field(default_factory=dict)
    marked: str = ""
    inputs: str = ""
    files: str = ""
    autograded: str = ""
    earned: str = ""
    page: str = ""

    @property
    def is_graded(self) -> bool:
        """Return whether the gradebook's mark is of this submission."""
        return self.kind in ("graded", "refused")


def job_name(pair: Pair) -> str:
    """Return a submission's name in names of files; two ids never share one.

    Each character that is no letter of ASCII, digit, `_`, `.`, `-` or `~` is escaped.
    """
    name = "@".join(quote(part, safe="") for part in pair)
    return name if len(name) < 200 else digest(pair)


def stamps_of(course: Path) -> Stamps:
    """Return the notes of a course directory, one a submission."""
    return Stamps(course / FOLDER)


def note(course: Path, pair: Pair, state: State) -> None:
    """Note a state; a process that is killed meanwhile leaves the old note or the new."""
    stamps_of(course).note(job_name(pair), **asdict(state))


def noted(course: Path, pair: Pair) -> State | None:
    """Return what was noted of a submission, or None where there is no note that can be read."""
    facts: dict[str, Any] = stamps_of(course).noted(job_name(pair))
    try:
        state = State(**facts)
    except TypeError:  # of another version of the course, or damaged
        return None
    return state if state.kind in get_args(Kind) else None


def graded_notebook(course: Path, pair: Pair) -> Path:
    """Return where nbgrader puts the graded notebook of a submission."""
    return notebook(course / "autograded" / pair[0], pair[1])


def file_digest(path: Path) -> str:
    """Return a hash of a file's content; "" where there is none."""
    return digest([path.read_bytes()]) if path.is_file() else ""


def state_of(course: Path, pair: Pair) -> State:
    """Return the state of what a learner has handed in for an assignment."""
    known, graded = noted(course, pair), file_digest(graded_notebook(course, pair))
    folder = course / "submitted" / pair[0] / pair[1]
    if not folder.is_dir() and not graded:
        return State(kind="not handed in")
    if known is None:
        return replace(seen(course, pair), autograded=graded)
    if known.autograded != graded:
        marked = "" if graded else known.marked
        return replace(seen(course, pair), autograded=graded, marked=marked)
    if folder.is_dir() and known.files != content_digest(folder):
        why = f"a newer hand-in is not graded yet; run `python -m grading grade {pair[1]}`"
        return replace(known, kind="ungraded", reason=why, next_step="", refused={})
    return known


def seen(course: Path, pair: Pair) -> State:
    """Return the state that the folders show, where nbgrader's own command graded, or nobody."""
    path = graded_notebook(course, pair)
    if path.is_file():
        return graded_state(path)
    not_yet = f"not graded yet; run `python -m grading grade {pair[1]}`"
    return State(kind="ungraded", reason=damage(course, pair) or not_yet)


def graded_state(path: Path) -> State:
    """Return the state of a submission that has a graded notebook."""
    refused = refusals(read_notebook(path))
    return State(kind="refused" if refused else "graded", refused=refused)


def ungraded_state(why: Ungraded, before: State | None) -> State:
    """Return the state of a submission that could not be graded; an earlier mark stands."""
    return State(
        kind="ungraded",
        reason=why.reason,
        next_step=why.next_step,
        marked=before.marked if before is not None else "",
    )


def damage(course: Path, pair: Pair) -> str:
    """Return why a file that was handed in cannot be read, or an empty string."""
    learner, slug = pair
    try:
        read_notebook(notebook(course / "submitted" / learner, slug))
    except FileNotFoundError:
        return f"there is no {slug}.ipynb"
    except Exception as error:  # nbformat raises a dozen kinds, of four packages
        kind = type(error).__name__
        said = "it is not JSON" if kind == "NotJSONError" else f"{kind}: {error}"[:120]
        return f"the file is damaged: {said}"
    return ""
