"""A copy in work/ that is older than the course: its tasks moved on, and it still checks them."""

import dataclasses

import pytest
import torch
from nbformat.v4 import new_code_cell, new_output

from grading import check, exercises
from grading.catalogue.answers import check_file
from grading.catalogue.kill_table import kill_table
from grading.exercises import all_exercises, find, names, retired
from grading.exercises import softmax as chapter
from grading.nbgrader_steps.fail_closed import FailClosed
from grading.words import result

#: As a learner wrote them into an old copy of the notebook `softmax`.
OLD = """
import torch

def softmax(x, axis=-1):
    shifted = x - x.amax(axis, keepdim=True)
    return shifted.exp() / shifted.exp().sum(axis, keepdim=True)

def logsumexp(x, axis=-1):
    return x.exp().sum(axis).log()
"""


@pytest.fixture
def moved(monkeypatch):
    """Since then the softmax moved to another chapter, gives other points and has another name."""
    old = find("softmax")
    new = dataclasses.replace(
        old, name="stable_softmax", slug="stability", points=3.0, formerly=("softmax",)
    )
    others = tuple(one for one in chapter.EXERCISES if one is not old)
    monkeypatch.setattr(chapter, "EXERCISES", (*others, new))
    all_exercises.cache_clear()
    yield new
    monkeypatch.undo()
    all_exercises.cache_clear()


@pytest.fixture
def learner():
    """What the old copy defines."""
    space = {}
    exec(OLD, space)
    return space


def test_a_task_that_moved_is_checked_under_the_name_that_it_had(moved, learner):
    right = check(learner["softmax"])
    assert (right.passed, right.points, right.record.exercise) == (True, 3.0, "stable_softmax")
    wrong = check(learner["logsumexp"], exercise="softmax")
    assert (wrong.passed, wrong.record.exercise) == (False, "stable_softmax")
    # Which is not offered as a name any more.
    assert "softmax" not in names()
    assert find("softmax") is find("stable_softmax") is moved


def test_an_old_check_cell_counts_in_the_points_of_its_own_notebook(moved, learner, monkeypatch):
    monkeypatch.setattr(result, "_in_kernel", lambda: True)
    data = check(learner["softmax"])._repr_mimebundle_()
    assert data["text/plain"] == "3.0"
    cell = new_code_cell("check(softmax)")
    cell.metadata["nbgrader"] = {"grade_id": "softmax-softmax", "points": 1.5}
    cell.outputs.append(new_output("execute_result", data, execution_count=1))
    FailClosed().judge(cell, executed=True)
    assert cell.outputs[0].data["text/plain"] == "1.5"


def test_the_command_finds_answers_under_their_old_names(moved, tmp_path, capsys):
    (tmp_path / "old.py").write_text(OLD)
    assert check_file(tmp_path / "old.py", []) == 1
    said = capsys.readouterr().out
    assert "PASSED  stable_softmax" in said
    assert "logsumexp" in said


def test_a_former_name_is_nobody_elses(monkeypatch):
    other = dataclasses.replace(find("logsumexp"), formerly=("softmax",))
    kept = tuple(one for one in chapter.EXERCISES if one.name != "logsumexp")
    monkeypatch.setattr(chapter, "EXERCISES", (*kept, other))
    all_exercises.cache_clear()
    try:
        with pytest.raises(ValueError, match="a former one too; softmax stands in softmax and in"):
            all_exercises()
    finally:
        monkeypatch.undo()
        all_exercises.cache_clear()


def test_every_name_of_today_is_found():
    assert exercises.names() == [one.name for one in all_exercises()]
    assert all(find(name).name == name for name in names())


def test_a_question_that_is_asked_no_more_is_still_checked_in_an_old_copy():
    assert find("diagnose_scale") in retired()
    assert "diagnose_scale" not in names()
    old = torch.randn(2, 4), torch.randn(3, 4), torch.randn(3, 2)
    right = check(lambda: ("DIVIDES-BY-D", old), exercise="diagnose_scale")
    assert (right.passed, right.points, right.record.exercise) == (True, 1.0, "diagnose_scale")
    wrong = check(lambda: ("SCALES-AFTER", old), exercise="diagnose_scale")
    assert wrong.misconception == "BUG-AFTER"


def test_a_retired_question_is_named_and_its_right_answers_pass():
    for exercise in retired():
        assert all(row.killed for row in kill_table([exercise])), exercise.name
        for answer in exercise.alternatives:
            assert check(answer, exercise=exercise.name).passed


def test_the_name_of_a_retired_question_is_nobody_elses(monkeypatch):
    monkeypatch.setattr(chapter, "RETIRED", (find("log_softmax"),), raising=False)
    all_exercises.cache_clear()
    try:
        with pytest.raises(ValueError, match="log_softmax stands in softmax and in softmax"):
            all_exercises()
    finally:
        monkeypatch.undo()
        all_exercises.cache_clear()


def test_an_old_copy_of_the_first_notebook_still_checks_what_moved_on():
    """Attention with a mask is a task of the chapter on masks now; it had another cell's id."""

    def attention(query, key, value):
        weights = torch.softmax(query @ key.mT / query.shape[-1] ** 0.5, -1)
        return weights @ value, weights

    def scaled_dot_product_attention(query, key, value, may_attend=None):
        scores = query @ key.mT / query.shape[-1] ** 0.5
        if may_attend is None:
            may_attend = torch.ones_like(scores, dtype=torch.bool)
        low = torch.finfo(scores.dtype).min
        weights = torch.softmax(scores.masked_fill(~may_attend, low), -1) * may_attend
        return weights @ value, weights

    assert check(attention).passed
    right = check(scaled_dot_product_attention)
    assert (right.passed, find("scaled_dot_product_attention").slug) == (True, "masks")
    # Both cells of the old copy, and the only one of today, ask for one of these two.
    assert find("attention").cell == "queries-keys-values-attention"
    assert find("inputs_for_attention") in retired()
    wrong = check(lambda: [(torch.ones(2, 3),) * 3 + (None,)], exercise="inputs_for_attention")
    assert wrong.misconception == "INPUTS-EQUAL"
