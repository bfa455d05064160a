"""Steps, the products of two wrong ones, and both mistakes said where both are made."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from observed import case, trials

from grading import check, recordings
from grading.apart import Apart
from grading.asking import Live, function_of
from grading.catalogue import kill_table
from grading.catalogue.pairs import Pairs, behaviours, pairs_of, shown_pairs
from grading.exercise import Exercise, Misconception, Output, Probe
from grading.exercises import all_exercises, find
from grading.observation.seen import UnanswerableError
from grading.observation.values import volume
from grading.recordings import Recording
from grading.steps import Instead, Pipeline, Step
from grading.verdict.case import ANSWER, REFERENCE
from grading.verdict.diagnose import diagnose
from grading.verdict.finding import Finding
from grading.verdict.judge import judge
from grading.witness.observe import Witness

pytestmark = pytest.mark.filterwarnings("ignore")
SDPA = "scaled_dot_product_attention"
STEPPED = [exercise for exercise in all_exercises() if exercise.steps is not None]
by_name = pytest.mark.parametrize("exercise", STEPPED, ids=lambda exercise: exercise.name)


# -- a pipeline ------------------------------------------------------------------------------------


def compose(do: Any) -> Callable[..., Any]:
    """2x + 3, and what is given is added."""

    def answer(x: Any, more: Any = None) -> Any:
        y = do.shift(do.factor(x))
        return y if more is None else do.more(y, more)

    return answer


def pipeline(**wrong: dict[str, tuple[Any, ...]]) -> Pipeline:
    right: dict[str, Callable[..., Any]] = {
        "factor": lambda x: 2 * x, "shift": lambda y: y + 3, "more": lambda y, more: y + more,
    }  # fmt: skip
    return Pipeline(
        compose=compose,
        steps=tuple(
            Step(name=name, right=one, wrong=wrong.get(name, {}),
                 given="more" if name == "more" else "")
            for name, one in right.items()
        ),
    )  # fmt: skip


def tripled(x: Any) -> Any:
    return 3 * x


def less(y: Any) -> Any:
    return y - 3


def taken(y: Any, more: Any) -> Any:
    return y - more


def test_one_step_is_wrong_or_two_are() -> None:
    steps = pipeline(factor={"THREE": (tripled, lambda x: 5 * x)}, shift={"LESS": (less,)})
    assert steps.answer()(10) == 23
    assert [one(10) for one in steps.wrong("THREE")] == [33, 53]
    assert {name: steps.function(name)(10) for name in steps.products} == {  # type: ignore[misc]
        ("THREE+LESS", 0): 27, ("THREE+LESS", 1): 47,
    }  # fmt: skip
    assert steps.function(("THREE+LESS", 2)) is None
    assert steps.made_of(["THREE"]) == ()
    assert len(steps.made_of(["THREE", "LESS"])) == 2


def test_two_mistakes_that_touch_one_step_make_no_product() -> None:
    beside = Instead(tripled, shift=lambda y: y)
    steps = pipeline(factor={"THREE": (tripled, beside)}, shift={"LESS": (less,)})
    assert [one(10) for one in steps.wrong("THREE")] == [33, 30]
    assert list(steps.products) == [("THREE+LESS", 0)]
    with pytest.raises(ValueError, match="the steps are factor, shift, more; not 'fator'"):
        steps.answer({"fator": tripled})


def test_what_is_left_out_is_looked_at_once() -> None:
    steps = pipeline(factor={"THREE": (tripled,)}, more={"TAKEN": (taken,)})
    assert steps.stand_ins({"x": 1, "more": 1}) == {
        name: name for name in [("THREE", 0), ("TAKEN", 0), ("THREE+TAKEN", 0)]
    }
    without = {("THREE", 0): ("THREE", 0), ("TAKEN", 0): None, ("THREE+TAKEN", 0): ("THREE", 0)}
    assert steps.stand_ins({"x": 1, "more": None}) == without
    assert steps.stand_ins({"x": 1}) == without


# -- the diagnosis ---------------------------------------------------------------------------------


def drawn(name: str, size: int, more: float | None, **flags: bool) -> Probe:
    def draw(generator: torch.Generator) -> dict[str, Any]:
        return {"x": torch.randn(size, generator=generator, dtype=torch.float64), "more": more}

    return Probe(name=name, draw=draw, sizes={"T": size}, **flags)


BARE, WITH = drawn("bare", 5, None), drawn("with more", 7, 2.0)


def exercise_of(steps: Pipeline, *probes: Probe, more: dict[str, Any] | None = None) -> Exercise:
    codes = [code for step in steps.steps for code in step.wrong]
    known = {code: steps.wrong(code) for code in codes} | {
        code: (one,) for code, one in (more or {}).items()
    }
    return Exercise(
        name="stepped", slug="softmax", task="stepped", title="Steps", kind="implement", points=1.0,
        difficulty=1, importance=1, minutes=1, parameters=("x", "more"),
        outputs=(Output(name="y", axes="T"),), reference=steps.answer(), probes=probes,
        misconceptions=tuple(
            Misconception(code=code, wrong=ways[0], also=ways[1:], sentence=f"So {code}.")
            for code, ways in known.items()
        ),
        alternatives=(), equation="eq-softmax", steps=steps,
    )  # fmt: skip


def named(exercise: Exercise, answer: Any) -> str:
    one = case(exercise, answer)
    found = diagnose(one, Finding("", "", "values"), *trials(one))
    return "+".join(mistake.code for mistake in found)


def test_both_mistakes_are_said() -> None:
    steps = pipeline(factor={"THREE": (tripled,)}, more={"TAKEN": (taken,)})
    exercise = exercise_of(steps, BARE, WITH)

    def both(x: Any, more: Any = None) -> Any:
        return 3 * x + 3 - (0 if more is None else more)

    record = judge(exercise, Live(exercise, Witness(both)), with_example=False).record
    assert record.misconceptions == ("THREE", "TAKEN")
    assert record.parts[1:] == ("So THREE.", "So TAKEN.")
    assert named(exercise, lambda x, more: 3 * x + 3 + (more or 0)) == "THREE"


def test_who_behaves_like_one_mistake_has_made_one() -> None:
    """6x + 9 is three times the right answer, and also two wrong steps."""
    steps = pipeline(factor={"SIX": (lambda x: 6 * x,)}, shift={"NINE": (lambda y: y + 9,)})
    answer = lambda x, more: 6 * x + 9 + (more or 0)  # noqa: E731
    assert named(exercise_of(steps, BARE, WITH), answer) == "SIX+NINE"
    one = {"THRICE": lambda x, more=None: 6 * x + 9 + (more or 0)}
    assert named(exercise_of(steps, BARE, WITH, more=one), answer) == "THRICE"


def test_of_two_pairs_that_do_the_same_none_is_named() -> None:
    steps = pipeline(
        factor={"THREE": (tripled,), "OTHER": (lambda x: 3 * x + 6,)},
        shift={"LESS": (less,), "LEAST": (lambda y: y - 9,)},
    )
    exercise = exercise_of(steps, BARE, WITH)
    assert named(exercise, lambda x, more: 3 * x - 3 + (more or 0)) == ""
    assert named(exercise, lambda x, more: 3 * x - 9 + (more or 0)) == "THREE+LEAST"
    pair = pairs_of(exercise)
    # OTHER+LESS is THREE by itself; two of the other three are one behaviour.
    assert (pair.total, pair.told, pair.named) == (4, 1, 1)


def test_two_singles_that_do_the_same_leave_no_pair() -> None:
    steps = pipeline(factor={"THREE": (tripled,)}, shift={"LESS": (less,)})
    same = lambda x, more=None: 3 * x - 3 + (more or 0)  # noqa: E731
    exercise = exercise_of(steps, BARE, WITH, more={"ONE": same, "TWO": same})
    assert named(exercise, same) == ""


def test_a_pair_is_proven_as_one_mistake_is() -> None:
    """NaN at the limits counts beside an ordinary probe whose numbers agree, and not alone."""

    def nan(y: Any, more: Any) -> Any:
        return y * math.nan

    def raises(x: Any) -> Any:
        raise ValueError(f"size {len(x)}") if len(x) == 5 else TypeError("other")

    limit = drawn("at the limit", 3, 2.0, control=True)
    steps = pipeline(factor={"THREE": (tripled,)}, more={"NAN": (nan,)})
    both = lambda x, more=None: 3 * x + 3 if more is None else x * math.nan  # noqa: E731
    assert named(exercise_of(steps, BARE, limit), both) == "THREE+NAN"
    assert shown_pairs(exercise_of(steps, BARE, limit)) == [("THREE+NAN", 0)]
    factor = {"LONG": (lambda x: raises(x) if len(x) == 5 else 2 * x,)}
    steps = pipeline(factor=factor, more={"NAN": (nan,)})
    answer = steps.function(("LONG+NAN", 0))
    assert named(exercise_of(steps, BARE, limit), answer) == ""
    assert shown_pairs(exercise_of(steps, BARE, limit)) == []


def test_numbers_that_are_near_a_pair_are_none() -> None:
    steps = pipeline(factor={"THREE": (tripled,)}, more={"TAKEN": (taken,)})
    exercise = exercise_of(steps, BARE, WITH)

    def nearly(x: Any, more: Any = None) -> Any:
        return 3 * x + 3 - (0 if more is None else 1.01 * more)

    assert named(exercise, nearly) != "THREE+TAKEN"


def test_where_nobody_can_tell_no_pair_is_named() -> None:
    exercise = find(SDPA)
    assert exercise is not None
    live = Live(exercise, REFERENCE)
    pair = ("SDPA-NOSCALE+SDPA-MASKNONE", 0)
    for mistake in exercise.misconceptions:
        for number in range(1 + len(mistake.also)):
            for probe in exercise.probes:
                live.observe((mistake.code, number), live.inputs(probe))
    for probe in exercise.probes:
        live.observe(REFERENCE, live.inputs(probe))
    known = {key: seen for key, seen in live.recording.known.items() if "+" not in key[0][0]}
    answer = Witness(function_of(exercise, pair))
    lone = Apart(exercise, answer, Recording(live.recording.inputs, known))
    assert judge(exercise, lone, with_example=False).record.misconceptions == ("SDPA-NOSCALE",)
    here = judge(exercise, Live(exercise, answer), with_example=False).record
    assert "+".join(here.misconceptions) == pair[0]


def test_a_product_is_a_function_of_the_catalogue() -> None:
    exercise = find(SDPA)
    assert exercise is not None
    with pytest.raises(UnanswerableError, match="SDPA-NOSCALE\\+SDPA-DK"):
        function_of(exercise, ("SDPA-NOSCALE+SDPA-DK", 0))
    assert callable(function_of(exercise, ("SDPA-NOSCALE+SDPA-NANROW", 0)))


def test_a_product_is_kept_on_small_inputs_alone() -> None:
    exercise = find(SDPA)
    assert exercise is not None
    live = Live(exercise, REFERENCE)
    live.recording = Recording(live.recording.inputs)
    pair = ("SDPA-NOSCALE+SDPA-NANROW", 0)
    for who in (pair, ("SDPA-NOSCALE", 0)):
        for probe in exercise.probes:
            live.observe(who, live.inputs(probe))
    kept = {who: [key[1] for key in live.recording.known if key[0] == who] for who in (
        pair, ("SDPA-NOSCALE", 0))}  # fmt: skip
    assert len(kept["SDPA-NOSCALE", 0]) == len(exercise.probes)
    assert 0 < len(kept[pair]) < len(exercise.probes)
    sizes = {probe.name: volume(live.inputs(probe)) for probe in exercise.probes}
    assert kept[pair] == [name for name, size in sizes.items() if size <= recordings.SMALL]


def test_no_file_holds_a_product(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    exercise = find("attention_by_loops")
    assert exercise is not None
    monkeypatch.setattr(recordings, "FOLDER", tmp_path)
    recordings.forget()
    live = Live(exercise, REFERENCE)
    for who in (("LOOP-DK+LOOP-SUMW", 0), ("LOOP-DK", 0)):
        live.observe(who, live.inputs(exercise.probes[0]))
    assert len(recordings.of(exercise).known) == 2
    recordings.save(exercise)
    recordings.forget()
    assert [key[0] for key in recordings.of(exercise).known] == [("LOOP-DK", 0)]
    recordings.forget()


def test_a_product_is_seen_as_a_witness_sees_it() -> None:
    exercise = find("attention_by_loops")
    assert exercise is not None
    for who in (("LOOP-DK+LOOP-SUMW", 0), ("LOOP-JI+LOOP-DK", 0)):
        live = Live(exercise, Witness(function_of(exercise, who)))
        for probe in exercise.probes:
            mine, ours = (live.observe(one, live.inputs(probe)) for one in (ANSWER, who))
            assert mine is not None
            assert ours is not None
            if mine.error is None:
                assert mine.value.numbers.tolist() == ours.value.numbers.tolist()
            else:
                assert ours.error is not None
                assert (mine.error.kinds, mine.error.text) == (ours.error.kinds, ours.error.text)


# -- masks as they are written ---------------------------------------------------------------------


def attend(
    mask: Callable[..., Any], scale: float | None = None, share: Any = lambda z: z.softmax(-1)
) -> Any:
    def attention(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
        scores = query @ key.mT * (query.shape[-1] ** -0.5 if scale is None else scale)
        weights = share(scores if may_attend is None else mask(scores, may_attend))
        return weights @ value, weights

    return attention


def filled(number: float) -> Any:
    return lambda z, may: z.masked_fill(~may, number)


def added(number: float) -> Any:
    return lambda z, may: z + (1 - may.to(z.dtype)) * number


@pytest.mark.parametrize("number", [-1e3, -1e4, -1e5])
@pytest.mark.parametrize("mask", [filled, added])
def test_a_mask_that_is_too_small_and_an_empty_row_are_both_said(mask: Any, number: float) -> None:
    result = check(attend(mask(number)), exercise=SDPA)
    assert result.misconception == "SDPA-MASKSMALL+SDPA-UNIFORMROW", str(result)
    assert "not small enough" in result.message
    assert "A query with nothing to read reads all the same" in result.message
    assert 'data-misconception="SDPA-MASKSMALL+SDPA-UNIFORMROW"' in result.html


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (attend(filled(-1e9)), "SDPA-UNIFORMROW"),  # low enough: one mistake
        (attend(added(-1e9)), "SDPA-UNIFORMROW"),
        (attend(filled(-math.inf)), "SDPA-NANROW"),
        (attend(filled(-1e9), scale=1.0), "SDPA-NOSCALE+SDPA-UNIFORMROW"),
        (attend(added(-1e9), scale=1.0), "SDPA-NOSCALE+SDPA-UNIFORMROW"),
        (attend(filled(-math.inf), scale=1.0), "SDPA-NOSCALE+SDPA-NANROW"),
        (attend(filled(-math.inf), scale=1 / 8), "SDPA-CONST8+SDPA-NANROW"),
        (attend(lambda z, may: z, scale=1.0), "SDPA-NOSCALE+SDPA-MASKNONE"),
        (attend(filled(-1e4), scale=1.0), None),  # three at once
    ],
)  # fmt: skip
def test_two_mistakes_as_they_are_written(answer: Any, code: str | None) -> None:
    result = check(answer, exercise=SDPA)
    assert not result.passed
    if code is None:
        assert result.misconception in (None, "SDPA-NOSCALE"), str(result)
    else:
        assert result.misconception == code, str(result)


# -- every pair ------------------------------------------------------------------------------------


@by_name
def test_every_pair_that_can_be_told_is_named(exercise: Exercise) -> None:
    pairs = pairs_of(exercise)
    assert pairs.missed == ()
    assert pairs.told > pairs.total / 2


def test_most_pairs_can_be_told() -> None:
    told = {exercise.name: pairs_of(exercise).told for exercise in STEPPED}
    print(told)
    assert told[SDPA] > 240
    assert told["attention"] > 85


def test_a_pair_is_told_by_what_nothing_else_does() -> None:
    loops = find("attention_by_loops")
    assert loops is not None
    groups, shown = behaviours(loops), shown_pairs(loops)
    assert [REFERENCE] in groups
    for name in shown:
        group = next(group for group in groups if name in group)
        assert {who[0] for who in group} == {name[0]}
    told = {name[0] for name in shown}
    assert "LOOP-NOSCALE+LOOP-SUMW" in told
    assert "LOOP-DK+LOOP-NOMAX" not in told  # divided by D, no score is large enough


def test_there_is_no_page_where_a_pair_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    loops = find("attention_by_loops")
    assert loops is not None
    rows = kill_table.kill_table([loops])
    page = kill_table.as_markdown(rows)
    pairs = pairs_of(loops)
    assert f"{pairs.total} pairs touch different steps, {pairs.told} can be told" in page
    missed = Pairs(pairs.total, pairs.told, ("LOOP-DK+LOOP-SUMW is LOOP-DK",))
    monkeypatch.setattr(kill_table, "pairs_of", lambda exercise: missed)
    with pytest.raises(ValueError, match="attention_by_loops: LOOP-DK\\+LOOP-SUMW is LOOP-DK"):
        kill_table.as_markdown(rows)
