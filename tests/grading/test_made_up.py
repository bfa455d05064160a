"""Tiny exercises of every later kind: judged alike beside the function and over a wire."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from grading import check
from grading.asking import Live, called_back, function_of
from grading.exercise import Exercise, Law, Misconception, Output, Probe, Seen
from grading.observation.seen import Observation, Request, UnanswerableError
from grading.observation.values import EachRank, Module, Named, tensor
from grading.observation.wire import pack, unpack
from grading.verdict.judge import judge
from grading.verdict.record import Record
from grading.witness.observe import Witness


class Wired:
    """A witness behind a wire: requests and observations go through bytes."""

    def __init__(self, witness: Witness) -> None:
        self.witness = witness

    def observe(self, request: Request) -> Observation:
        seen: Observation = unpack(pack(self.witness.observe(unpack(pack(request)))))
        return seen


def verdict(exercise: Exercise, answer: Any) -> Record:
    """Judge an answer here and over a wire; both have to say the same."""

    def call_back(name: str, arguments: tuple[Any, ...]) -> Any:
        return unpack(pack(called_back(exercise, name, unpack(pack(arguments)))))

    here = judge(exercise, Live(exercise, Witness(answer, call_back))).record
    there = judge(exercise, Live(exercise, Wired(Witness(answer, call_back)))).record
    assert here == there
    return here


def made_up(name: str, draw: Any, reference: Any, *outputs: Output, **more: Any) -> Exercise:
    parameters = tuple(draw(torch.Generator()))
    return Exercise(
        name=name, slug="softmax", task=name, title=name, kind="implement", points=1.0,
        difficulty=1, importance=1, minutes=1, parameters=parameters, outputs=outputs,
        reference=reference, probes=(Probe(name="a made-up probe", draw=draw, edge=True),),
        misconceptions=more.pop("misconceptions", ()), alternatives=(), equation="eq-softmax",
        **more,
    )  # fmt: skip


def wrong(code: str, function: Any) -> Misconception:
    return Misconception(code=code, wrong=function, sentence="That is wrong.")


# Ints, strings, bytes, lists, dicts, bools


ENCODE = made_up(
    "encode", lambda generator: {"piece": b"abab", "ranks": {b"ab": 7, b"a": 1, b"b": 2}},
    lambda piece, ranks: [ranks[piece[i : i + 2]] for i in (0, 2)],
    Output(name="ids", kind="list"),
    misconceptions=(wrong("BPE-NONE", lambda piece, ranks: [ranks[bytes([b])] for b in piece]),
                    wrong("BPE-FIRST", lambda piece, ranks: [7, 1])),
)  # fmt: skip


def test_bytes_and_dicts_go_in_and_lists_come_out() -> None:
    assert verdict(ENCODE, lambda piece, ranks: [7] * (len(piece) // 2)).passed
    longer = verdict(ENCODE, lambda piece, ranks: [1, 2, 1, 2])
    assert (longer.rule, longer.misconceptions) == ("results have the right length", ("BPE-NONE",))
    assert "ids has to have 2 entries; yours has 4" in longer.parts[0]
    other = verdict(ENCODE, lambda piece, ranks: [7, 1])
    assert other.misconceptions == ("BPE-FIRST",)
    assert other.example is not None
    assert (other.example.yours, other.example.expected) == ((7.0, 1.0), (7.0, 7.0))
    for value, words in (((7, 7), "a tuple"), (["7"], "a list"), (torch.ones(2), "a tensor")):
        said = verdict(ENCODE, lambda piece, ranks, value=value: value).parts[0]
        assert f"ids has to be a list of numbers; yours is {words}" in said
    changes = verdict(ENCODE, lambda piece, ranks: [ranks.pop(b"ab")] * 2)
    assert changes.rule == "its inputs are left as they were"
    assert "`ranks`" in changes.parts[0]


PARITY = made_up(
    "parity", lambda generator: {"text": "κey", "n": 3}, lambda text, n: len(text) == n,
    Output(name="same", kind="bool"), misconceptions=(wrong("PAR-NOT", lambda text, n: False),),
)  # fmt: skip


def test_strings_and_ints_go_in_and_a_bool_comes_out() -> None:
    for right in (True, np.True_, torch.tensor(True)):
        assert verdict(PARITY, lambda text, n, right=right: right).passed
    assert verdict(PARITY, lambda text, n: False).misconceptions == ("PAR-NOT",)
    assert (
        "same has to be True or False; yours is an int"
        in verdict(PARITY, lambda text, n: 1).parts[0]
    )


MASK = made_up(
    "mask", lambda generator: {"T": 3},
    lambda T: torch.ones(T, T, dtype=torch.bool).tril(),
    Output(name="mask", axes="T T", dtype="bool"),
    misconceptions=(wrong("MASK-STRICT", lambda T: torch.ones(T, T, dtype=torch.bool).tril(-1)),),
)  # fmt: skip


def test_a_mask_is_a_tensor_of_bools() -> None:
    assert verdict(MASK, lambda T: torch.arange(T)[:, None] >= torch.arange(T)).passed
    strict = verdict(MASK, lambda T: torch.arange(T)[:, None] > torch.arange(T))
    assert strict.misconceptions == ("MASK-STRICT",)
    assert strict.example is not None
    assert strict.example.yours == (False, False, False)
    said = verdict(MASK, lambda T: torch.ones(T, T)).parts[0]
    assert "mask has to be bool; yours is float32" in said


# A law that perturbs, a ring, a test that a learner writes, a step of training


def leaks(one: Seen) -> str | None:
    """Change the last row of x: no row before it may move."""
    x = one.inputs["x"].copy()
    x[-1] += 1.0
    seen = one.observe("the answer", {"x": tensor(x)})
    assert seen is not None
    moved = np.abs(seen.value.numbers - one.outputs[0])[:-1].max()
    return f"Row {len(x) - 1} moves the rows before it by {moved:.3g}" if moved > 1e-9 else None


SUMS = made_up(
    "sums", lambda generator: {"x": torch.arange(6.0, dtype=torch.float64).reshape(3, 2)},
    lambda x: x.cumsum(0), Output(name="sums", axes="T C"),
    laws=(Law(rule="no row reads a later one", broken=leaks),), view=lambda one: (one.outputs[0],),
)  # fmt: skip


def test_a_law_may_ask_the_answer_on_other_inputs() -> None:
    assert verdict(SUMS, lambda x: torch.stack([x[: t + 1].sum(0) for t in range(3)])).passed
    mean = verdict(SUMS, lambda x: x - x.mean(0))
    assert mean.rule == "no row reads a later one"
    assert "Row 2 moves the rows before it by 0.333" in mean.parts[0]


def test_a_law_may_ask_a_mistake_by_its_code() -> None:
    def broken(one: Seen) -> str | None:
        seen = one.observe("S-MEAN", {"x": tensor(one.inputs["x"])})
        assert seen is not None
        return "It is the mean." if np.allclose(seen.value.numbers, one.outputs[0]) else None

    exercise = dataclasses.replace(
        SUMS, laws=(Law(rule="no mean", broken=broken),),
        misconceptions=(wrong("S-MEAN", lambda x: x - x.mean(0)),),
    )  # fmt: skip
    assert verdict(exercise, lambda x: x.cumsum(0)).passed
    assert verdict(exercise, lambda x: x - x.mean(0)).rule == "no mean"


def test_a_law_says_what_it_wants_to_see_and_sees_nothing_else() -> None:
    def broken(one: Seen) -> str | None:
        x = {"x": tensor(one.inputs["x"])}
        plainly = one.observe("the answer", x)
        flows = one.observe("the answer", x, "gradients")
        cost = one.observe("S-MEAN", x, "largest", "value")
        assert plainly is not None
        assert flows is not None
        assert cost is not None
        assert (plainly.gradients, plainly.largest, flows.value) == (None, (0, ()), None)
        assert cost.value is not None
        counted = float(flows.gradients[0].numbers.sum()) if flows.gradients else None
        return f"gradient {counted:.3f}, largest {cost.largest}" if counted else "detached"

    exercise = dataclasses.replace(
        SUMS, laws=(Law(rule="it tells", broken=broken),),
        misconceptions=(wrong("S-MEAN", lambda x: x - x.mean(0)),),
    )  # fmt: skip
    said = verdict(exercise, lambda x: x.cumsum(0)).parts[0]
    assert said.startswith("gradient ")
    assert "largest (6, (3, 2))" in said
    assert "detached" in verdict(exercise, lambda x: x.cumsum(0).detach()).parts[0]


@pytest.mark.parametrize(
    ("who", "see", "words"),
    [("the anwser", (), "sums knows the answer, the reference, S-MEAN; not 'the anwser'"),
     ("the answer", ("gradient",), "a witness sees value, twice, gradients, .*; not 'gradient'")],
)  # fmt: skip
@pytest.mark.parametrize("place", ["law", "view"])
def test_a_question_that_nobody_can_answer_is_no_fault_of_the_answer(
    who: str, see: tuple[str, ...], words: str, place: str
) -> None:
    def ask(one: Seen) -> Any:
        one.observe(who, {"x": tensor(one.inputs["x"])}, *see)
        return one.outputs if place == "view" else None

    law = Law(rule="it asks", broken=ask)
    exercise = dataclasses.replace(
        SUMS, misconceptions=(wrong("S-MEAN", lambda x: x - x.mean(0)),),
        laws=(law,) if place == "law" else (), view=ask if place == "view" else None,
    )  # fmt: skip
    with pytest.raises(UnanswerableError, match=words):
        verdict(exercise, lambda x: x.cumsum(0))


def test_a_check_says_that_such_a_question_is_our_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    law = Law(rule="it asks", broken=lambda one: one.observe("the anwser", {}) and None)
    exercise = dataclasses.replace(SUMS, laws=(law,))
    monkeypatch.setattr("grading.checking.find", lambda name: exercise)
    result = check(lambda x: x.cumsum(0), "sums")
    assert (result.points, result.max_points) == (0, 0)
    assert "that is our fault: sums knows the answer" in result.message
    assert "Not checked" in result.html


def test_an_unknown_function_of_the_catalogue_is_named() -> None:
    for who in ("the anwser", ("S-MEAN", 7), ("right", 0)):
        with pytest.raises(UnanswerableError, match="sums has no function"):
            function_of(SUMS, who)


def ring_sum(own: Any, ranks: int) -> Any:
    total, passed = own, own
    for _ in range(ranks - 1):
        passed = yield passed
        total = total + passed
    return total


def draw_ring(generator: Any) -> dict[str, Any]:
    return {"own": EachRank((tensor([1.0]), tensor([10.0]), tensor([100.0]))), "ranks": 3}


def judge_ring(one: Seen) -> str | None:
    if len(one.seen.traffic) != 2:
        return f"A ring of 3 hands on twice; yours hands on {len(one.seen.traffic)} times."
    totals = [float(total[0]) for total in one.outputs[0]]
    return None if totals == [111.0] * 3 else f"The ranks return {totals}."


RING = made_up("ring", draw_ring, ring_sum, Output(name="totals", kind="any"), judge=judge_ring)


def test_a_ring_is_judged_by_what_it_returns_and_what_it_hands_on() -> None:
    assert verdict(RING, ring_sum).passed

    def hands_on_its_own(own: Any, ranks: int) -> Any:
        total = own
        for _ in range(ranks - 1):
            total = total + (yield own)
        return total

    assert "The ranks return [201.0, 12.0, 120.0]" in verdict(RING, hands_on_its_own).parts[0]

    def once_too_often(own: Any, ranks: int) -> Any:
        for _ in range(ranks):
            yield own
        return own

    assert "hands on 3 times" in verdict(RING, once_too_often).parts[0]


TESTED = {"right": lambda x: x.cumsum(0), "looks ahead": lambda x: x - x.mean(0)}


def judge_test(one: Seen) -> str | None:
    return None if one.outputs[0] is (one.inputs["kind"] == "right") else (
        f"Your test says {one.outputs[0]} of the function that is {one.inputs['kind']}."
    )  # fmt: skip


WRITTEN = dataclasses.replace(
    made_up(
        "written", lambda generator: {"f": Named("right"), "kind": "right"},
        lambda f, kind: True, Output(name="verdict", kind="bool"), judge=judge_test,
        functions=TESTED,
    ),
    probes=tuple(
        Probe(name=name, draw=lambda generator, name=name: {"f": Named(name), "kind": name},
              edge=True)
        for name in TESTED
    ),
)  # fmt: skip


def test_a_test_that_a_learner_writes_calls_functions_of_the_judges() -> None:
    def written(f: Any, kind: Any) -> bool:
        x = torch.eye(3, dtype=torch.float64)
        changed = x.clone()
        changed[-1] += 1
        return torch.allclose(f(x)[:-1], f(changed)[:-1])

    assert verdict(WRITTEN, written).passed
    blind = verdict(WRITTEN, lambda f, kind: bool(f(torch.eye(2)).shape))
    assert "Your test says True of the function that is looks ahead." in blind.parts[0]


def draw_step(generator: Any) -> dict[str, Any]:
    weights = {"weight": tensor([[1.0, 2.0]]), "bias": tensor([0.5]), "training": False}
    return {
        "model": Named("linear", weights),
        "optimiser": Named("SGD", {"of": "model", "lr": 0.1}),
        "x": torch.tensor([[2.0, 4.0]], dtype=torch.float64),
    }


def step(model: Any, optimiser: Any, x: Any) -> Any:
    model.train()
    optimiser.zero_grad()
    loss = model(x).sum()
    loss.backward()
    optimiser.step()
    return model, loss.item()


def judge_step(one: Seen) -> str | None:
    module, loss = one.returned
    wanted = one.observe("the reference", draw_step(None) | {"x": tensor([[2.0, 4.0]])})
    assert wanted is not None
    if not isinstance(module, Module) or not module.training:
        return "The model has to come back, in training mode."
    weight, right = module.state["weight"].numbers, wanted.value[0].state["weight"].numbers
    return None if np.allclose(weight, right) and loss == wanted.value[1] else "Another step."


STEP = made_up(
    "step", draw_step, step, Output(name="model", kind="any"), Output(name="loss", kind="number"),
    judge=judge_step,
)  # fmt: skip


def test_a_step_of_training_is_judged_by_the_models_parameters() -> None:
    assert verdict(STEP, step).passed

    def no_step(model: Any, optimiser: Any, x: Any) -> Any:
        model.train()
        return model, model(x).sum().item()

    assert verdict(STEP, no_step).parts[0] == "Another step."
    still = verdict(STEP, lambda model, optimiser, x: (model, model(x).sum().item()))
    assert "in training mode" in still.parts[0]
    assert "The model has to come back" in verdict(STEP, lambda *given: (3, 1.0)).parts[0]


# What holds no numbers at all


MERGES = made_up(
    "merges", lambda generator: {"text": "aaab"}, lambda text: [(b"a", b"a"), (b"aa", b"b")],
    Output(name="merges", kind="any"),
    misconceptions=(wrong("BPE-LAST", lambda text: [(b"b", b"a")]),
                    wrong("BPE-ONE", lambda text: [(b"a", b"a")])),
)  # fmt: skip


@pytest.mark.parametrize(
    "judge_of", [None, lambda one: None if len(one.outputs[0]) == 2 else "Other merges."]
)
def test_bytes_are_compared_and_only_the_mistake_itself_is_named(judge_of: Any) -> None:
    exercise = dataclasses.replace(MERGES, judge=judge_of)
    assert verdict(exercise, lambda text: [(b"a", b"a"), (b"aa", b"b")]).passed
    for rubbish in ("rubbish", [(b"c", b"c")], {1}, iter([1]), torch.eye(2).to_sparse(), []):
        record = verdict(exercise, lambda text, rubbish=rubbish: rubbish)
        assert (record.passed, record.misconceptions) == (False, ()), rubbish
    for mistake in exercise.misconceptions:
        assert verdict(exercise, mistake.wrong).misconceptions == (mistake.code,)


PARAMETERS = made_up(
    "parameters", lambda generator: {"n": 2},
    lambda n: {"w": torch.ones(n), "b": (1, "tied", None)}, Output(name="parameters", kind="any"),
    misconceptions=(wrong("PAR-ZERO", lambda n: {"w": torch.zeros(n), "b": (1, "tied", None)}),),
)  # fmt: skip


def test_a_dict_of_tensors_is_compared_name_by_name() -> None:
    assert verdict(PARAMETERS, lambda n: {"b": (1, "tied", None), "w": torch.ones(n)}).passed
    zero = verdict(PARAMETERS, lambda n: {"w": torch.zeros(n), "b": (1, "tied", None)})
    assert zero.misconceptions == ("PAR-ZERO",)
    for other in ({"w": torch.ones(2)}, {"w": torch.ones(2), "b": (1, "free", None)}):
        record = verdict(PARAMETERS, lambda n, other=other: other)
        assert (record.passed, record.misconceptions) == (False, ())
        assert "parameters is put together in another way than expected" in record.parts[0]
