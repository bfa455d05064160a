"""Whatever of a learner's can run stands under the clock: also what their objects do when seen."""

import dataclasses
import time
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch

from grading import check
from grading.exercises import find
from grading.observation.seen import Observation, Request
from grading.observation.values import tensor
from grading.witness.observe import Witness

NAME = "attention_scores"
LIMIT = 0.2


def for_ever(*arguments: Any, **options: Any) -> Any:
    while True:
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
    assert time.monotonic() - start < LIMIT + 1.5
    assert (seen.timed_out, seen.value, seen.error) == (True, None, None)


def test_a_warnings_text_is_told_within_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grading.witness.observe.TELLING", LIMIT)
    start = time.monotonic()
    seen = observed(lambda x, n: warn(made(UserWarning, __str__=once_then_for_ever())), "value")
    assert time.monotonic() - start < 2
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
    assert "did not return within 0.2 seconds (all sizes different)" in result.message


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
        assert time.monotonic() - start < 2
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
    assert time.monotonic() - start < 5
