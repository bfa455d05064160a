"""Whatever of a learner's can run stands under the clock: also what their objects do when seen."""

import dataclasses
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from grading import check
from grading.exercises import find
from grading.observation.seen import PATIENCE, Observation, Request
from grading.observation.values import tensor
from grading.witness.calling import Clock
from grading.witness.observe import Witness

NAME = "attention_scores"
LIMIT = 0.2
#: What is not stopped takes minutes; a busy machine, some seconds.
FOR_EVER = 20.0


def for_ever(*arguments: Any, **options: Any) -> Any:
    """Run so long that a test fails which does not stop it, and does not hang."""
    until = time.monotonic() + FOR_EVER + 5
    while time.monotonic() < until:
        pass


def made(base: type, **methods: Any) -> Any:
    """An object of a class with methods of its own."""
    return type("Odd", (base,), methods)()


def raises(error: BaseException) -> Any:
    raise error


class Slow(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: torch.Tensor) -> torch.Tensor:
        return x * 1

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> Any:
        return for_ever()


class Held(list[Any]):
    def __init__(self) -> None:
        super().__init__([1])


def put(inside: Any, value: Any) -> int:
    inside.append(value)
    return 1


def warn(message: Warning) -> int:
    warnings.warn(message, stacklevel=1)
    return 1


def once_then_for_ever() -> Any:
    """Warning itself asks for the text once."""
    told: list[int] = []
    return lambda self: for_ever() if told else (told.append(1), "once")[1]


class Stays:
    """Does not let itself be let go."""

    def __del__(self) -> None:
        for_ever()


def with_itself() -> int:
    """Objects that hold each other go when Python looks for them."""
    odd: Any = Stays()
    odd.itself = odd
    return 1


def swallows() -> int:
    try:
        for_ever()
    except BaseException:
        return 1


#: By what hangs: a function of x, a tensor, and n, a list.
HANGING: dict[str, Callable[[Any, Any], Any]] = {
    "an error's __str__": lambda x, n: raises(made(ValueError, __str__=for_ever)),
    "a result's __class__": lambda x, n: made(object, __class__=property(for_ever)),
    "a result's __len__": lambda x, n: made(Held, __len__=for_ever),
    "a result's __iter__": lambda x, n: made(Held, __iter__=for_ever),
    "a result's items": lambda x, n: made(dict, values=for_ever, __iter__=for_ever),
    "a number's __int__": lambda x, n: made(int, __int__=for_ever),
    "a number's __float__": lambda x, n: made(float, __float__=for_ever),
    "a string's __str__": lambda x, n: made(str, __str__=for_ever),
    "a tensor's detach": lambda x, n: x.as_subclass(type("T", (torch.Tensor,), {
        "__getattribute__": for_ever})),
    "a module's state_dict": lambda x, n: made(torch.nn.Module, state_dict=for_ever),
    "an entry of a result": lambda x, n: [1, (made(Held, __len__=for_ever),)],
    "an entry of a changed list": lambda x, n: put(n, made(Held, __len__=for_ever)),
    "a key of a dict": lambda x, n: {made(str, __str__=for_ever): 1},
    "a number's dtype": lambda x, n: made(np.float64, dtype=property(for_ever)),
    "an array of an array": lambda x, n: np.zeros(3).view(type("A", (np.ndarray,), {
        "__array_finalize__": for_ever})),
    "the end of what is returned": lambda x, n: Stays(),
    "the end of what is dropped": lambda x, n: (Stays(), 1)[1],
    "the end of what holds itself": lambda x, n: with_itself(),
    "the end of what is put into an argument": lambda x, n: put(n, Stays()),
    "the end of an error": lambda x, n: raises(made(ValueError, __del__=for_ever)),
    "what swallows its end and returns": lambda x, n: swallows(),
}  # fmt: skip


def observed(answer: Any, *see: str) -> Observation:
    inputs = {"x": tensor([1.0, 2.0]), "n": [1]}
    request = Request(inputs=inputs, see=see, seconds=LIMIT, parameters=("x", "n"))
    return Witness(answer).observe(request)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("what", HANGING)
def test_what_a_learners_object_does_when_it_is_looked_at_is_stopped(what: str) -> None:
    start = time.monotonic()
    seen = observed(HANGING[what], "value")
    assert time.monotonic() - start < FOR_EVER
    assert (seen.timed_out, seen.value, seen.error) == (True, None, None)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("aspect", ["gradients", "largest", "narrow", "calls"])
def test_each_look_lets_go_of_its_arguments_under_the_clock(aspect: str) -> None:
    start = time.monotonic()
    assert observed(lambda x, n: put(n, Stays()), aspect).timed_out
    assert time.monotonic() - start < FOR_EVER


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("aspect", ["value", "gradients"])
def test_a_warning_is_let_go_under_the_clock(aspect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grading.witness.observe.TELLING", LIMIT)
    start = time.monotonic()
    observed(lambda x, n: warn(made(UserWarning, __del__=for_ever)), aspect)
    assert time.monotonic() - start < FOR_EVER


def test_a_warnings_text_is_told_within_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grading.witness.observe.TELLING", LIMIT)
    start = time.monotonic()
    seen = observed(lambda x, n: warn(made(UserWarning, __str__=once_then_for_ever())), "value")
    assert time.monotonic() - start < FOR_EVER
    assert (seen.value, seen.warned, seen.timed_out) == (1, (), False)


class Shy:
    """A function whose every attribute takes for ever."""

    def __call__(self, x: Any, n: Any) -> Any:
        return x

    def __getattribute__(self, name: str) -> Any:
        return for_ever()


@pytest.mark.parametrize("aspect", ["signature", "loop", "calls"])
def test_the_function_itself_is_looked_at_under_the_clock(aspect: str) -> None:
    assert observed(Shy(), aspect).timed_out


def test_a_defaults_text_is_read_under_the_clock() -> None:
    odd = made(object, __repr__=for_ever)

    def answer(x: Any, y: Any = odd) -> Any:
        return x

    seen = Witness(answer).observe(Request(see=("signature",), seconds=LIMIT, parameters=("x",)))
    assert seen.timed_out


def test_what_flows_back_stands_under_the_clock() -> None:
    assert observed(lambda x, n: Slow.apply(x), "gradients").timed_out
    assert not observed(lambda x, n: Slow.apply(x), "value").timed_out


def test_what_was_seen_before_stays_when_the_next_look_is_stopped() -> None:
    seen = observed(lambda x, n: Slow.apply(x), "value", "gradients")
    assert seen.timed_out
    assert seen.value.numbers.tolist() == [1, 2]
    both = observed(lambda x, n: 2 * x, "gradients", "value")
    assert both.gradients is not None


def test_the_time_of_telling_counts_for_all_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grading.witness.observe.TOTAL", 0.3)
    witness = Witness(HANGING["a result's __len__"])
    request = Request(inputs={"x": tensor([1.0]), "n": [1]}, seconds=LIMIT)
    seen = [witness.observe(request) for _ in range(3)]
    assert [(one.timed_out, one.in_total) for one in seen] == [
        (True, False), (True, True), (True, True),
    ]  # fmt: skip


@pytest.mark.parametrize("in_thread", [False, True])
def test_who_waits_for_a_busy_machine_is_not_stopped_yet(
    in_thread: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asleep, a process computes as little as where others have the machine."""
    if in_thread:
        monkeypatch.delattr("signal.setitimer")

    def waits(x: Any, n: Any) -> int:
        time.sleep(1.5 * LIMIT)
        return 1

    assert observed(waits, "value").value == 1
    start = time.monotonic()
    assert observed(lambda x, n: time.sleep(FOR_EVER), "value").timed_out
    assert time.monotonic() - start < FOR_EVER / 2


@pytest.mark.parametrize(
    ("wall", "computed", "spent"), [(4, 4, 4), (6, 4, 4), (6, 0, 2), (6, 1, 2), (2, 16, 2)]
)
def test_what_a_process_computed_counts_or_a_third_of_its_waiting(
    wall: float, computed: float, spent: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr("time.monotonic", lambda: clock.start + wall)
    monkeypatch.setattr("time.process_time", lambda: clock.computed + computed)
    found = clock.spent
    monkeypatch.undo()
    assert found == pytest.approx(spent, rel=1e-9)  # the start is a large number
    assert PATIENCE == 3


# -- and what a check says of it -------------------------------------------------------------------


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    known = find(NAME)
    assert known is not None
    check(lambda query, key: query @ key.mT, NAME)  # the first calls of all take longer
    task = dataclasses.replace(known, time_limit=LIMIT)
    monkeypatch.setattr("grading.checking.find", lambda name: task if name == NAME else None)
    monkeypatch.setattr("grading.checking.SECONDS", LIMIT)
    monkeypatch.setattr("grading.witness.observe.TELLING", LIMIT)


@pytest.mark.usefixtures("short")
def test_a_check_says_that_it_did_not_come_to_an_end() -> None:
    result = check(lambda query, key: raises(made(ValueError, __str__=for_ever)), NAME)
    assert (result.points, result.rule) == (0, "it comes to an end")
    assert "did not return within 0.2 seconds. Look for a loop" in result.message


@pytest.mark.usefixtures("short")
def test_a_gradient_without_an_end_is_no_detached_result() -> None:
    result = check(lambda query, key: Slow.apply(query @ key.mT), NAME)
    assert (result.points, result.rule) == (0, "it comes to an end")
    assert "what flows back" in result.message


@pytest.mark.usefixtures("short")
def test_what_could_not_be_watched_to_its_end_earns_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import sys

    def scores(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        if sys.getprofile() is not None:
            for_ever()
        return query @ key.mT

    result = check(scores, NAME)
    assert (result.points, result.rule) == (0, "it comes to an end")


@pytest.mark.usefixtures("short")
def test_what_is_handed_in_without_a_name_is_looked_at_under_the_clock() -> None:
    for answer in (Shy(), made(Held, __len__=for_ever), made(str, __format__=for_ever)):
        start = time.monotonic()
        result = check(answer)
        assert time.monotonic() - start < FOR_EVER
        assert result.message.startswith("check takes")


@pytest.mark.usefixtures("short")
def test_a_warning_is_shown_under_the_clock() -> None:
    def talks(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        warn(made(UserWarning, __str__=once_then_for_ever()))
        return query @ key.mT

    start = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert check(talks, NAME).passed
    assert time.monotonic() - start < FOR_EVER
