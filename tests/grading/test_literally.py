"""Each word of a contract has a probe: the linter finds the words that none draws."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from grading.catalogue.contracts import Contract, contract_of
from grading.catalogue.literally import unread_words
from grading.exercise import Exercise, Probe
from grading.exercises import all_exercises, find
from grading.exercises.softmax.probes import along

EXERCISES = all_exercises()
SDPA = "scaled_dot_product_attention"


def known(name: str) -> Exercise:
    exercise = find(name)
    assert exercise is not None
    return exercise


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_the_probes_draw_every_word_of_the_contract(exercise: Exercise) -> None:
    assert unread_words(exercise) == []


def test_every_exercise_with_arguments_has_its_contract_in_a_notebook() -> None:
    for exercise in EXERCISES:
        contract = contract_of(exercise)
        assert contract is not None, exercise.name
        assert bool(contract.text) == bool(exercise.parameters), exercise.name


def test_a_contract_is_read_from_the_signature_the_docstring_and_the_text() -> None:
    contract = contract_of(known(SDPA))
    assert contract is not None
    assert contract.parameters == ("query", "key", "value", "may_attend")
    assert contract.defaults == {"may_attend": None}
    assert contract.shape("value") == ("...", "S", "Dv")
    assert contract.shape("may_attend") == ("T", "S")
    assert contract.says("may_attend", "its size or 1, which broadcasts; True where")
    assert contract.text.startswith("`scaled_dot_product_attention(query, key, value, may_attend=")
    assert "and a finite gradient" in contract.text
    projected = contract_of(known("project_qkv"))
    assert projected is not None
    assert projected.shape("w_q") == projected.shape("w_k") == ("C", "D")
    assert contract_of(replace(known(SDPA), task="not-there")) is None


def without(*words: str) -> Callable[[Exercise], Exercise]:
    """Take away the probes whose names hold one of these words."""

    def change(exercise: Exercise) -> Exercise:
        kept = [p for p in exercise.probes if not any(word in p.name for word in words)]
        assert len(kept) < len(exercise.probes)
        return replace(exercise, probes=tuple(kept))

    return change


def flagged(**flags: bool) -> Callable[[Exercise], Exercise]:
    return lambda exercise: replace(
        exercise, probes=tuple(replace(probe, **flags) for probe in exercise.probes)
    )


def changed(**fields: Any) -> Callable[[Exercise], Exercise]:
    return lambda exercise: replace(exercise, **fields)


def named(name: str) -> Callable[[Exercise], Exercise]:
    return lambda exercise: replace(
        exercise, probes=(replace(exercise.probes[0], name=name), *exercise.probes[1:])
    )


def only(*probes: Probe) -> Callable[[Exercise], Exercise]:
    return lambda exercise: replace(exercise, probes=probes)


#: An exercise, what is taken from it, and the complaint that this brings.
PLANTED: tuple[tuple[str, Callable[[Exercise], Exercise], str], ...] = (
    ("softmax", changed(parameters=("x", "dim"), defaults={"dim": -1}),
     "the notebook's signature is (x, axis=-1), the exercise's (x, dim=-1)"),
    ("softmax", changed(defaults={"axis": 0}),
     "the notebook's signature is (x, axis=-1), the exercise's (x, axis=0)"),
    ("softmax", without("left out"), "axis: no probe leaves it out, so that its default -1 counts"),
    (SDPA, without("may_attend=None", "no mask", "in one row"),
     "may_attend: no probe hands over None itself"),
    ("softmax", only(along(3, -1), along(2, -1)),
     "axis: no probe hands over anything but its default"),
    ("project_qkv", without("cross", "square"),
     "context: no probe hands over anything but its default"),
    ("softmax", without("one axis"), "x: any shape, and no probe draws 1 axes"),
    ("logsumexp", without("four axes"), "x: any shape, and no probe draws 4 axes"),
    ("attention_scores", without("one sequence", "two queries"),
     "query: no probe draws 0 leading axes"),
    ("weighted_sum", without("heads"), "weights: no probe draws 2 leading axes"),
    ("scale_scores", without("a batch, "), "scores: no probe draws 1 leading axes"),
    ("softmax_with_sink", without("number", "equal scores"), "sink: no probe draws a number"),
    ("cross_attention_shapes", without("9 words"), "Dv: one size alone, 7; a constant would do"),
    ("make_qk_for", without("= 11", "= 1"), "T: one size alone, 6; a constant would do"),
    ("score_variance", without("n = 400"), "n: one size alone, 20000; a constant would do"),
    ("attention_by_loops", without("more queries", "two keys"),
     "T: one size alone, 5; a constant would do"),
    (SDPA, without("(T, 1)"), "may_attend: broadcasts, and no probe draws 1 in the place of S"),
    (SDPA, without("(B, 1, 1, S)", "(1, S)"),
     "may_attend: broadcasts, and no probe draws 1 in the place of T"),
    (SDPA, without("(B, 1"), "may_attend: broadcasts, and no probe draws leading axes of size 1"),
    (SDPA, without("(B, "),
     "may_attend: broadcasts, and no probe draws a leading axis of its size"),
    (SDPA, without("(B, T, S)"),
     "may_attend: broadcasts, and no probe draws one leading axis and all of T, S"),
    (SDPA, without("(T, S)", "(T, 1)", "(1, S)", "two queries", "nothing", "one query"),
     "may_attend: broadcasts, and no probe draws no leading axis"),
    ("softmax", without("axis=-2", "axis=-3"),
     "axis: any axis, and no probe draws another one from the end"),
    ("softmax", without("axis=0"), "axis: any axis, and no probe draws the first, as 0"),
    ("log_softmax", without("axis=1", "axis=3", "a row near"),
     "axis: any axis, and no probe draws another one from the front"),
    ("softmax", without("1000"), "every finite input, and no probe draws 1000 or more"),
    ("softmax", without("1000", "−2000"),
     "every finite input, and no probe draws −1000 or less"),
    ("logsumexp", without("−∞"), "−∞ is in the contract, and no probe draws it"),
    ("softmax_vjp", without("exactly 0", "two rows"),
     "exactly 0 is in the contract, and no probe draws it"),
    ("attend_one", flagged(single=False), "tensors come in float32 too, and no probe is single"),
    ("attend_one", flagged(half=False), "tensors come in bfloat16 too, and no probe is half"),
    ("attend_one", flagged(gradient=False),
     "no probe judges the gradient, and the contract does not say that none flows"),
    ("log_softmax", flagged(control=False), "the gradient is finite, and no probe judges it at a"),
    ("logsumexp", changed(reference=lambda x, axis: x.sqrt().sum(axis)),
     "three axes, axis=-1: the reference's own gradient is not finite"),
    ("saturation", changed(noise=None), "who ignores how much to draw is seen by its noise alone"),
    ("softmax", named("all sizes different"), "'all sizes different': 'all sizes' tells a learner"),
    ("softmax", named("a control row"), "'a control row': 'control' tells a learner nothing"),
)  # fmt: skip


@pytest.mark.parametrize(("name", "change", "words"), PLANTED, ids=[p[2][:60] for p in PLANTED])
def test_a_word_that_no_probe_draws_is_complained_of(
    name: str, change: Callable[[Exercise], Exercise], words: str
) -> None:
    found = unread_words(change(known(name)), contract_of(known(name)))
    assert any(one.startswith(words) for one in found), found


def test_nothing_is_asked_where_nothing_flows_and_of_a_task_without_a_notebook() -> None:
    vjp = known("softmax_vjp")
    assert not any(probe.gradient for probe in vjp.probes)
    said = contract_of(vjp)
    assert said is not None
    silent = replace(said, text=said.text.replace("Nothing has to flow back", ""))
    assert any("no probe judges the gradient" in one for one in unread_words(vjp, silent))
    assert unread_words(replace(vjp, task="not-there")) == []
    assert unread_words(replace(vjp, task="not-there"), Contract(vjp.parameters, vjp.defaults))
