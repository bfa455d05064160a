"""Tests that a learner writes, and inputs that one chooses: each is answered for what it does."""

import dataclasses
import inspect
import random
import re
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from grading import check
from grading.asking import Live
from grading.catalogue.kill_table import wrong_answers
from grading.exercise import Exercise
from grading.exercises import all_exercises, find
from grading.exercises.masks import retired as of_attention
from grading.exercises.masks import testing as of_masks
from grading.exercises.queries_keys_values import testing as of_unmasked
from grading.exercises.shared.candidates import Candidates, Tried, moved
from grading.exercises.softmax import testing as of_softmax
from grading.observation.seen import Request
from grading.observation.values import InTurn, Named
from grading.verdict.case import ANSWER, Case
from grading.witness.observe import Witness
from grading.witness.stand_in import StandIn
from grading.witness.turns import turns
from grading.words.result import CheckResult

SOFTMAX = of_softmax.TEST_SOFTMAX
RIGHT, WRONG = len(of_softmax._CANDIDATES.right), len(of_softmax._CANDIDATES.wrong)
TABLE = torch.tensor(
    [[0.0, 1.0, 2.0], [1000.0, 1001.0, 999.0], [-1000.0, -1001.0, -999.0], [-900.0, 0.0, 900.0]]
)


def checked(test: Callable[..., Any]) -> CheckResult:
    return check(test, exercise="test_softmax")


def chosen(*sets: Any) -> CheckResult:
    return check(lambda: list(sets), exercise="inputs_for_attention")


def good(candidate: Callable[..., Any]) -> None:
    for axis in (0, 1):
        torch.testing.assert_close(candidate(TABLE, axis), torch.softmax(TABLE, axis))


# Who is tried


def test_the_notebook_of_every_chapter_that_has_a_test_asks_for_one() -> None:
    kinds = {one.slug for one in all_exercises() if one.kind == "test"}
    assert {"softmax", "queries-keys-values"} <= kinds


@pytest.mark.parametrize("candidates", [of_softmax._CANDIDATES, of_attention._CANDIDATES])
def test_one_wrong_function_stands_for_each_mistake_in_results(candidates: Candidates) -> None:
    shown = [one.code for one in candidates.of.misconceptions if one.shows == "values"]
    assert [one.code for one in candidates.wrong] == shown
    assert "SM-INPLACE" not in shown
    assert len(shown) >= 10
    assert len(candidates.functions) == len(candidates.right) + len(shown)
    handles = [candidates.handle(number) for number in range(len(candidates.functions))]
    assert len(set(handles)) == len(handles)
    # Neither the right ones nor the wrong ones stand first, or last.
    ranks = [candidates.order().index(number) for number in range(len(candidates.right))]
    assert min(ranks) < len(handles) / 2 < max(ranks)


def test_what_is_needed_is_the_stated_share_rounded_up() -> None:
    softmax = find("softmax")
    assert softmax is not None
    shown = [one for one in softmax.misconceptions if one.shows == "values"]
    softmax = dataclasses.replace(softmax, misconceptions=tuple(shown[:10]))
    for share, needed in ((1.0, 10), (0.9, 9), (0.91, 10), (0.85, 9), (0.7, 7)):
        candidates = Candidates(of=softmax, share=share)
        assert len(candidates.wrong) == 10
        assert candidates.needed == needed
    assert Candidates(of=softmax, share=0.7).rule.startswith("at least 7 of 10 wrong functions")


def test_a_moved_function_differs_in_the_last_digit_alone() -> None:
    x = torch.tensor([0.25, 0.0, -3.0, torch.inf, torch.nan], dtype=torch.float64)
    near = moved(lambda given: (given, 0.5, 3, [given.float()]))(x)
    assert torch.equal(near[0][1:2], x[1:2])
    assert near[0][3].isinf()
    assert near[0][4].isnan()
    assert (near[0][[0, 2]] != x[[0, 2]]).all()
    torch.testing.assert_close(near[0], x, rtol=3e-16, atol=0.0, equal_nan=True)
    assert 0.5 - 1e-16 < near[1] + 1e-16 <= 0.5 + 1e-16
    assert near[1] != 0.5
    assert near[2] == 3
    assert near[3][0][0] != 0.25


# What a test function is told


def test_a_right_test_passes() -> None:
    result = checked(good)
    assert (result.passed, result.points) == (True, 1.0)


def test_a_test_that_always_fails_is_told_what_it_raised_and_where() -> None:
    def fails(candidate: Any) -> None:
        assert candidate(TABLE).sum() == -1, "the sum is wrong"

    result = checked(fails)
    assert (result.rule, result.misconception) == ("every right function is spared", "TEST-ALL")
    assert f"It refuses {RIGHT} of {RIGHT} right functions." in result.message
    assert "`assert candidate(TABLE).sum() == -1" in result.message
    assert "AssertionError: the sum is wrong" in result.message


def test_the_distance_that_a_comparison_found_is_told() -> None:
    def rough(candidate: Any) -> None:
        torch.testing.assert_close(candidate(torch.zeros(2)), torch.tensor([0.5, 0.5 + 0.25]))

    message = checked(rough).message
    assert "Tensor-likes are not close!: Greatest absolute difference: 0.25" in message


def test_a_test_that_never_fails_hears_of_a_survivor() -> None:
    def swallows(candidate: Any) -> None:
        try:
            good(candidate)
        except Exception:
            return

    survivor = of_softmax._CANDIDATES.wrong[0]
    for test in (lambda candidate: None, swallows, lambda candidate: False):
        result = checked(test)
        assert (result.rule, result.misconception) == (
            f"all {WRONG} wrong functions are caught",
            "TEST-NOTHING",
        )
        assert f"It catches 0 of {WRONG} wrong functions; {WRONG} are needed." in result.message
        assert f"`{survivor.code}`: {survivor.sentence}" in result.message
    assert "It returns True or False, and nobody reads that" in result.message
    assert "True or False" not in checked(swallows).message


def test_the_first_mistake_that_survives_is_named_and_no_other() -> None:
    def last_axis(candidate: Any) -> None:
        torch.testing.assert_close(candidate(TABLE), torch.softmax(TABLE, -1))

    result = checked(last_axis)
    assert f"It catches {WRONG - 1} of {WRONG}" in result.message
    assert re.findall(r"SM-[A-Z]+", result.message) == ["SM-AXISFIXED"]
    assert result.misconception == "TEST-ONEAXIS"


def test_an_exact_comparison_is_named_and_a_close_one_is_not() -> None:
    def exact(candidate: Any) -> None:
        assert torch.equal(candidate(TABLE, 0), torch.softmax(TABLE, 0))

    def sums(candidate: Any) -> None:
        assert (candidate(TABLE[:1]).sum(-1) == 1).all()

    def narrow(candidate: Any) -> None:
        wide = TABLE.double()
        for axis in (0, 1):
            right = torch.softmax(wide, axis)
            torch.testing.assert_close(candidate(wide, axis), right, rtol=1e-12, atol=1e-15)

    for test in (exact, sums):
        result = checked(test)
        assert (result.rule, result.misconception) == (
            "every right function is spared",
            "TEST-EXACT",
        )
    assert checked(narrow).passed


def test_what_the_contract_leaves_open_is_refused_without_a_name() -> None:
    def empty_row(candidate: Any) -> None:
        assert not candidate(torch.tensor([[-torch.inf] * 3, [0.0, 1.0, 2.0]])).isnan().any()

    result = checked(empty_row)
    assert (result.rule, result.misconception) == ("every right function is spared", None)


@pytest.mark.parametrize("seed", range(5))
def test_a_test_that_depends_on_chance_or_counts_is_told_so(seed: int) -> None:
    random.seed(seed)
    calls: list[int] = []

    def tosses(candidate: Any) -> None:
        assert random.random() < 0.5

    def counts(candidate: Any) -> None:
        calls.append(1)
        assert len(calls) <= RIGHT + 3

    first: list[Any] = []

    def keeps(candidate: Any) -> None:
        first.append(candidate(TABLE, 0))
        torch.testing.assert_close(candidate(TABLE, 0), first[0])
        assert len(first) < 2 * seed + 3

    for test in (tosses, counts, keeps):
        result = checked(test)
        assert result.rule == "it says the same when it is asked again"
        assert result.misconception is None
        assert "it raised once and once it did not" in result.message


def test_an_endless_test_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    def hangs(candidate: Any) -> None:
        while True:
            try:
                candidate(TABLE)
            except Exception:
                continue

    short = dataclasses.replace(SOFTMAX, time_limit=0.2)
    monkeypatch.setattr("grading.checking.find", lambda name: short)
    start = time.monotonic()
    assert checked(hangs).rule == "it comes to an end"
    assert time.monotonic() - start < 60


def test_a_check_of_a_test_takes_far_less_than_its_time() -> None:
    checked(good)
    start = time.process_time()
    assert checked(good).passed
    assert time.process_time() - start < 0.5


def test_an_unfilled_test_is_no_test_that_fails_for_all() -> None:
    def blank(candidate: Any) -> None:
        raise NotImplementedError

    result = checked(blank)
    assert (result.rule, result.misconception) == ("it is filled in", None)


def test_what_a_test_prints_is_heard_once(capsys: pytest.CaptureFixture[str]) -> None:
    checked(lambda candidate: print("here"))
    assert capsys.readouterr().out == "here\n"


#: What the sentence of a way to test too little says that passes.
PASSES = {
    "TEST-SHAPE": "SM-NOEXP", "TEST-SUMS": "SM-RESCALED", "TEST-SMALL": "SM-OVERFLOW SM-GLOBALMAX",
    "TEST-ONEROW": "SM-GLOBALMAX SM-ALL", "TEST-ONEAXIS": "SM-AXISFIXED", "TEST-LOOSE":
    "SM-EPSILON", "INPUTS-EQUAL": "SDPA-NOSCALE SDPA-DK SDPA-CONST8 SDPA-DMODEL",
    "INPUTS-NOMASK": "SDPA-MASKNONE SDPA-MASKINV", "INPUTS-NOEMPTY": "SDPA-NANROW SDPA-UNIFORMROW",
    "INPUTS-MILD": "SDPA-MASKSHAPE SDPA-MASKSMALL", "TEST-NOMASK": "ROW-NOMASK ROW-ZERO",
    "TEST-NOEMPTY": "ROW-NAN ROW-UNIFORM", "TEST-MILD": "ROW-SHAPE ROW-SMALL",
    "TEST-HALF": "ROW-FP16", "INPUTS-SMALL": "SDPA-OVERFLOW SDPA-SHIFT",
     "TEST-ROWSUMS": "ROW-ZERO ROW-SMALL",
}  # fmt: skip


@pytest.mark.parametrize(
    ("exercise", "candidates"),
    [
        (SOFTMAX, of_softmax._CANDIDATES),
        (of_attention.INPUTS_FOR_ATTENTION, of_attention._CANDIDATES),
        (of_masks.TEST_MASKED, of_masks._CANDIDATES),
        (of_unmasked.INPUTS_THAT_CATCH, of_unmasked._CANDIDATES),
    ],
)
def test_a_sentence_is_true_of_every_test_that_carries_it(
    exercise: Exercise, candidates: Candidates
) -> None:
    codes = [one.code for one in candidates.wrong]
    for code, number in wrong_answers(exercise):
        case = Case(exercise, Live(exercise, (code, number)))
        view = case.trial(ANSWER, exercise.probes[0]).view
        assert view is not None
        refused = dict(zip(codes, view[0][len(candidates.right) :].tolist(), strict=True))
        passed = [code for code, is_refused in refused.items() if not is_refused]
        assert set(PASSES.get(code, "").split()) <= set(passed), (code, number)
        assert code in PASSES or code in ("TEST-NOTHING", "TEST-ALL", "TEST-EXACT")


# What lies in a learner's hands


def test_all_candidates_look_alike_and_hold_nothing() -> None:
    looks: set[str] = set()
    held: list[str] = []

    def looks_closely(candidate: Any) -> None:
        attributes = {name: getattr(candidate, name) for name in dir(candidate)}
        plain = {name: repr(value) for name, value in attributes.items()}
        looks.add(re.sub(r"0x[0-9a-f]+", "", repr(sorted(plain.items()))))
        looks.add(candidate.__name__)
        looks.add(str(inspect.signature(candidate)))
        looks.add(repr(type(candidate)))
        held.extend(name for name in ("__closure__", "__code__", "__dict__") if name in attributes)
        with pytest.raises(TypeError):
            inspect.getsource(candidate)

    assert checked(looks_closely).misconception == "TEST-NOTHING"
    assert held == []
    assert {"candidate", "(x, axis=-1)", repr(StandIn)} < looks
    assert len(looks) == 4
    assert not re.search(r"SM-|softmax|right|wrong|library", " ".join(looks))


def test_the_inputs_name_nobody() -> None:
    drawn = SOFTMAX.probes[0].draw(torch.Generator())["candidate"]
    assert isinstance(drawn, InTurn)
    names = [one.name for one in drawn.values]
    assert names == list(reversed(names))
    assert all(re.fullmatch(r"[0-9a-f]{8}", name) for name in names)
    assert set(names) == set(SOFTMAX.functions)


def test_an_error_of_a_candidate_brings_no_line_of_its_code() -> None:
    texts: list[str] = []
    contexts: list[Any] = []

    def catches(candidate: Any) -> None:
        try:
            candidate(torch.zeros(2, 3, 5, 7), 1)
        except RuntimeError as error:
            texts.extend(frame.filename for frame in traceback.extract_tb(error.__traceback__))
            contexts.append(error.__context__)
            raise

    result = checked(catches)
    assert texts
    assert set(contexts) == {None}
    assert not [name for name in texts if "exercises" in name]
    assert "stable.py" not in result.message

    def calls(candidate: Any) -> None:
        candidate([1.0, 2.0])

    assert "`candidate([1.0, 2.0])`: Type" in checked(calls).message


def test_candidates_are_called_as_the_contract_says() -> None:
    def by_name(candidate: Any) -> None:
        torch.testing.assert_close(candidate(x=TABLE), torch.softmax(TABLE, -1))
        torch.testing.assert_close(candidate(TABLE, axis=0), torch.softmax(TABLE, 0))

    assert checked(by_name).passed
    wrong = {
        "got an unexpected keyword argument 'dim'": lambda f: f(TABLE, dim=0),
        "missing a required argument: 'x'": lambda f: f(),
        "too many positional arguments": lambda f: f(TABLE, 0, 1),
        "argument 0 is an enormous tensor": lambda f: f(torch.zeros(1, 1).expand(4000, 4000)),
        "argument 0 is a meta tensor": lambda f: f(torch.zeros(2, device="meta")),
        "argument 0 is a function": lambda f: f(good),
        "argument 0 is a module": lambda f: f(torch.nn.Linear(2, 3)),
        "argument 0 is an array of object": lambda f: f(np.array([None])),
        "argument 1 is a set": lambda f: f(TABLE, [{1, 2}]),
    }
    for words, test in wrong.items():
        assert f"TypeError: {words}" in checked(test).message.replace(
            "candidate takes tensors, arrays and numbers; ", ""
        ), words


def test_what_is_handed_to_a_candidate_is_a_copy() -> None:
    def writes(candidate: Any) -> None:
        x = TABLE.clone().requires_grad_()
        result = candidate(x, 0)
        assert not result.requires_grad
        assert torch.equal(x, TABLE)
        result += 1  # and so is what comes back
        torch.testing.assert_close(candidate(x, 0), torch.softmax(TABLE, 0))

    assert checked(writes).message.startswith("It catches")


def test_without_a_contract_a_stand_in_takes_arguments_by_place_alone() -> None:
    stand_in = StandIn("f", Named("seven"), lambda name, given: (name, given))
    assert stand_in(3, "a") == ("seven", (3, "a"))
    with pytest.raises(TypeError, match="f takes its arguments without their names"):
        stand_in(x=3)


# Calls in turn


def test_each_value_is_a_call_of_its_own() -> None:
    def halves(n: int, m: int) -> int:
        if n == 2:
            sys.exit("two")
        return n // m

    request = Request(inputs={"n": InTurn((4, 2, 0)), "m": 2})
    value = Witness(halves).observe(request).value
    assert (value[0], value[2]) == (2, 0)
    assert (value[1].kinds[0], value[1].text) == ("SystemExit", "two")
    unequal = {"n": InTurn((1, 2)), "m": InTurn((1, 2, 3))}
    with pytest.raises(ValueError, match=r"as many values each; got \[2, 3\]"):
        turns(unequal)


# Inputs that are chosen

ROWS = torch.tensor([[1.0, 2.0], [0.5, -1.0], [2.0, 0.0]])


@pytest.mark.parametrize(
    ("sets", "words"),
    [
        ((), "a list of 1 to 3 sets of inputs; yours is a list of 0"),
        (((ROWS, ROWS, ROWS, None),) * 4, "yours is a list of 4"),
        ((ROWS,), "In set 0, the inputs have to be a tuple, (query, key, value, may_attend); "
                  "yours is a tensor of float32"),
        (((ROWS, ROWS, ROWS),), "In set 0, the inputs are query, key, value, may_attend; you give "
                                "3"),
        (((ROWS, ROWS, ROWS, None), (ROWS, ROWS.numpy(), ROWS, None)),
         "In set 1, key has to be a tensor; yours is a NumPy array of float32"),
        (((ROWS, ROWS, ROWS.long(), None),), "value has to hold floating-point numbers; yours is a "
                                             "tensor of int64"),
        (((ROWS, ROWS, ROWS, ROWS),), "may_attend has to hold True or False; yours is a tensor of "
                                      "float32"),
        (((ROWS / 0, ROWS, ROWS, None),), "query holds an infinity or NaN"),
        (((torch.ones(5001, 1), torch.ones(5000, 1), torch.ones(5000, 1), None),),
         "there are 15001 numbers; 10000 are enough"),
        (((torch.zeros(1, 1).expand(4000, 4000), ROWS, ROWS, None),),
         "query has to be a tensor; yours is an enormous tensor"),
        (((ROWS, ROWS, ROWS[:2], None),), "On these inputs a right function raises "),
        (((ROWS, ROWS, ROWS, torch.ones(2, 5, dtype=torch.bool)),), "a right function raises"),
    ],
)  # fmt: skip
def test_inputs_that_cannot_be_tried_are_told_why(sets: Any, words: str) -> None:
    result = chosen(*sets)
    assert (result.rule, result.misconception) == ("the inputs can be tried", None)
    assert words in result.message


def test_what_is_no_list_is_told_to_be_none() -> None:
    result = check(lambda: ROWS, exercise="inputs_for_attention")
    assert "sets of inputs; yours is a tensor of float32" in result.message


def test_inputs_on_which_right_functions_part_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    attention = of_attention._CANDIDATES.of
    odd = dataclasses.replace(
        attention, alternatives=(lambda *given: attention.reference(*given)[::-1],)
    )
    candidates = dataclasses.replace(of_attention._CANDIDATES, of=odd)
    form = dataclasses.replace(of_attention._CHOSEN, candidates=candidates)
    exercise = dataclasses.replace(
        of_attention.INPUTS_FOR_ATTENTION, functions=form.functions, laws=form.laws, view=form.view
    )
    monkeypatch.setattr("grading.checking.find", lambda name: exercise)
    result = chosen((ROWS, ROWS, ROWS, None))
    assert result.rule == "the right functions agree on them"
    assert "They part the reference from 1 of 3 right functions. In set 0 one of them gives" in (
        result.message
    )


def test_a_wrong_function_is_caught_where_it_raises_or_differs_and_not_else() -> None:
    part = of_attention._CHOSEN._parted
    right = len(of_attention._CANDIDATES.right)
    names = [*("right",) * right, *(one.code for one in of_attention._CANDIDATES.wrong)]
    one_row = torch.tensor([[True, True, False]])
    how = dict(
        zip(names, part([(ROWS, ROWS, ROWS, None), (ROWS, ROWS, ROWS, one_row)]), strict=True)
    )
    assert how["right"] == ["", ""]
    assert how["SDPA-NOSCALE"] == ["gives another result than the reference"] * 2
    assert how["SDPA-MASKNONE"] == ["", "gives another result than the reference"]
    assert how["SDPA-MASKSHAPE"][0] == ""
    assert how["SDPA-MASKSHAPE"][1].startswith("raises RuntimeError: ")


def test_a_candidate_that_writes_into_its_inputs_spoils_nobody_elses() -> None:
    attention = of_attention._CANDIDATES.of

    def writes(query: Any, *others: Any) -> Any:
        result = attention.reference(query, *others)
        query.zero_()
        return result

    candidates = Candidates(of=dataclasses.replace(attention, alternatives=(writes,)), share=1.0)
    form = dataclasses.replace(of_attention._CHOSEN, candidates=candidates)
    rows = ROWS.double()
    assert form._parted([(rows, rows, rows, None)])[:3] == [[""], [""], [""]]
    assert torch.equal(rows, ROWS.double())


def test_what_was_tried_counts_only_where_it_is_steady() -> None:
    candidates = of_softmax._CANDIDATES
    count = len(candidates.functions)
    tried = [Tried(refused=False)] * (count - 1) + [Tried(refused=True)]
    assert candidates.view(tried)[0].tolist() == [0.0] * (count - 1) + [1.0]
    assert candidates.view(None)[0].tolist() == [-1.0] * count
    unsteady = [Tried(refused=False, steady=False)] * count
    assert candidates.view(unsteady)[0].tolist() == [0.5] * count
