"""Write the learners' pages that changed: by a mark read since, a comment, or a new state."""

from dataclasses import replace

from tqdm import tqdm

from grading.classroom.grade.apart import feedback_apart
from grading.classroom.grade.gradebook import Marks, copy_gradebook, marks
from grading.classroom.grade.marking import Run, keep_log
from grading.classroom.grade.pages import page_of, ungraded_page, with_box, write_page
from grading.classroom.grade.states import State, note
from grading.classroom.grade.submissions import Pair, Submission
from grading.jobs import in_processes


def write_pages(run: Run, wanted: list[Submission]) -> None:
    """Write each page on which something else stands now; one that fails stops no other.

    A submission with a graded notebook has nbgrader's page. If a later hand-in could not be
    graded, that stands on it first; without a graded notebook it is a page of its own.
    """
    copy_gradebook(run.course, run.work / "gradebook.db", run.patience)
    marked = marks(run.work)
    states = {one: run.state(one) for one in wanted}
    stale = [one for one in wanted if states[one].page != run.page_digest(one, states[one], marked)]
    todo = {}
    for number, one in enumerate(stale):
        if states[one].autograded:
            todo[one] = (run.course, run.work / f"page-{number}", one.pair)
        else:
            has_mark = marked.get(one.pair, Marks()).are_given
            html = ungraded_page(one.pair, states[one], has_mark=has_mark)
            tell(run, one, html, marked)
    with tqdm(total=len(todo), desc="feedback", unit="page", disable=not todo) as bar:
        for one, ends in in_processes(feedback_apart, todo):
            why = ends.exception() or ends.result()
            if why is not None:
                keep_log(run.course, one.pair, todo[one][1])
                run.ended.without_page[one.pair] = getattr(why, "reason", repr(why))
            else:
                html = page_of(todo[one][1], one.pair).read_text(encoding="utf-8")
                tell(run, one, html_of(html, states[one]), marked)
            bar.update()


def html_of(html: str, state: State) -> str:
    """Return a page of feedback as it is told: what the state adds stands first."""
    return html if state.is_graded else with_box(html, state)


def tell(run: Run, one: Submission, html: str, marked: dict[Pair, Marks]) -> None:
    """Write a learner's page, and note what stands on it."""
    write_page(run.course, one.pair, html)
    state = run.state(one)
    note(run.course, one.pair, replace(state, page=run.page_digest(one, state, marked)))
    run.ended.pages.append(one.pair)
