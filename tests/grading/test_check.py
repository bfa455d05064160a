"""What `check` promises whatever it is given: one result, one clear sentence, no error of ours."""

import asyncio
import dataclasses
import functools
import json
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from grading import check, recordings
from grading.exercises import all_exercises, find, names
from grading.observation.seen import Request
from grading.observation.values import tensor
from grading.verdict.record import MIME, Record
from grading.witness.observe import Witness
from grading.witness.saying import silence
from grading.words.result import CheckResult

NAME = "attention_scores"
HOUSE = ("Traceback", "grading/", "/home", "site-packages", "AssertionError", "observe", "probe.")


def scores(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    return query @ key.mT


def assert_refused(answer: Any, exercise: str | None = NAME) -> CheckResult:
    """Check a wrong answer, and demand what every refusal promises."""
    result = check(answer, exercise)
    assert not result.passed
    assert result.points == 0
    assert result.rule
    assert len(result.message) > 20
    for shown in (str(result), result.html):
        assert not [word for word in HOUSE if word in shown], shown
    return result


@pytest.fixture(autouse=True)
def _book(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let links lead to one address, wherever the course lies."""
    monkeypatch.setenv("COURSE_BOOK", "https://example.org/book")


# -- what is no function, or no exercise -----------------------------------------------------------


class Hostile:
    """An object whose every attribute raises."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("no " + name)


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (None, "None"),
        ("attention_scores", "without quotes"),
        (3, "int"),
        (torch.ones(2, 3), "without brackets"),
        ([scores], "list"),
    ],
)
def test_what_is_no_function_is_said_to_be_none(answer: Any, word: str) -> None:
    assert word in assert_refused(answer, None).message


def test_an_object_that_resists_being_looked_at_is_refused() -> None:
    assert_refused(Hostile(), None)
    assert_refused(Hostile())
    assert_refused(lambda query, key: Hostile())


def test_a_name_that_is_nearly_right_is_guessed() -> None:
    result = assert_refused(scores, "atention_scores")
    assert 'No exercise is called "atention_scores". Did you mean attention_scores?' in str(result)
    assert result.max_points == 0

    def atention_scores(query: Any, key: Any) -> Any:
        return query @ key.mT

    assert 'check(f, exercise="attention_scores")' in assert_refused(atention_scores, None).message


def test_the_name_or_the_argument_finds_the_exercise() -> None:
    def attention_scores(query: Any, key: Any) -> Any:
        return query @ key.mT

    assert check(attention_scores).passed
    assert check(lambda q, k: q @ k.mT, exercise=NAME).passed
    assert len(names()) == len(all_exercises()) >= 20


def test_a_wrong_signature_is_shown_beside_the_contract() -> None:
    message = assert_refused(lambda query: query).message
    assert "attention_scores(query, key)" in message
    assert "(query)" in message


# -- what the learner's code may do ----------------------------------------------------------------

ERRORS: list[BaseException] = [
    SystemExit(1),
    KeyboardInterrupt(),
    RecursionError("maximum recursion depth exceeded"),
    MemoryError(),
    StopIteration(),
    GeneratorExit(),
    ValueError("<script>alert(1)</script>"),
    NotImplementedError(),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_every_error_is_an_outcome(error: BaseException) -> None:
    def fails(query: Any, key: Any) -> Any:
        raise error

    result = assert_refused(fails)
    if isinstance(error, NotImplementedError):
        assert result.message.startswith("This task is not filled in yet.")
    elif not isinstance(error, KeyboardInterrupt | SystemExit):
        assert type(error).__name__ in result.message
        assert "raise error" in result.message
    assert "<script>" not in result.html


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_an_error_without_a_text_is_one_too() -> None:
    def fails(query: Any, key: Any) -> Any:
        raise Unspeakable

    assert "Unspeakable" in assert_refused(fails).message


def test_the_confused_axes_are_named() -> None:
    def fails(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        return query @ key

    message = assert_refused(fails).message
    assert "`return query @ key`" in message
    assert "an axis of size D met one of size S" in message


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (None, "returned None"),
        ("scores", "a str"),
        ([[1.0]], "a list"),
        (np.ones((3, 4)), "a NumPy array"),
        (1.5, "a float"),
        ((torch.ones(2), torch.ones(2)), "a tuple"),
    ],
)
def test_what_comes_back_is_described(value: Any, word: str) -> None:
    assert word in assert_refused(lambda query, key: value).message


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda z: z.float(), "dtype"),
        (lambda z: z.to(torch.complex128), "dtype"),
        (lambda z: z.mT, "shape"),
        (lambda z: z.unsqueeze(0), "shape"),
        (lambda z: z[..., :1], "shape"),  # broadcasts against the truth
        (lambda z: z.sum(), "shape"),
        (lambda z: z / 0, "finite"),
        (lambda z: z * torch.nan, "finite"),
        (lambda z: z + 1e-3, "values"),
        (lambda z: z.detach().requires_grad_(), "gradients flow"),
        (lambda z: torch.tensor(z.tolist(), dtype=z.dtype), "gradients flow"),
    ],
)
def test_the_first_broken_rule_is_named(change: Callable[[Any], Any], rule: str) -> None:
    assert rule in (assert_refused(lambda query, key: change(query @ key.mT)).rule or "")


def test_a_change_in_place_is_seen() -> None:
    def writes(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        scores = query @ key.mT
        with torch.no_grad():
            query *= 2
        return scores

    assert "`query`" in assert_refused(writes).message


def test_a_loop_without_an_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    known = find(NAME)
    assert known is not None
    task = dataclasses.replace(known, time_limit=0.3)
    monkeypatch.setattr("grading.checking.find", lambda name: task)

    def hangs(query: Any, key: Any) -> Any:
        while True:
            pass

    def swallows(query: Any, key: Any) -> Any:
        while True:
            try:
                while True:
                    pass
            except Exception:
                continue

    for endless in (hangs, swallows):
        assert "within 0.3 seconds" in assert_refused(endless).message


def test_printing_and_warnings_are_kept_and_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    def talks(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        print("shape", query.ndim)
        warnings.warn("careful", UserWarning, stacklevel=2)
        return query @ key.mT

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert check(talks, NAME).passed
    assert capsys.readouterr().out.count("shape") == 1
    assert "careful" in {str(one.message) for one in caught}


def test_what_the_failing_inputs_print_is_shown_with_their_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def talks(x: torch.Tensor, axis: int = -1) -> torch.Tensor:
        powers = x.exp()
        print("least", float(powers.sum(axis).min()))
        if bool((powers.sum(axis) == 0).any()):
            warnings.warn("all powers are 0", RuntimeWarning, stacklevel=1)
        return powers / powers.sum(axis, keepdim=True)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = check(talks, "softmax")
    assert result.misconception == "SM-OVERFLOW"
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:] == ['[printed with the inputs "a row near −1000"]', "least 0.0"]
    assert result.record.example is not None
    assert result.record.example.probe == "a row near −1000"
    warned = [str(one.message) for one in caught]
    assert warned == ['[with the inputs "a row near −1000"] all powers are 0']


def test_the_first_inputs_are_not_printed_twice(capsys: pytest.CaptureFixture[str]) -> None:
    def talks(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        print("here")
        return query

    assert_refused(talks)
    assert capsys.readouterr().out == "here\n"


def test_a_warning_that_blames_its_caller_shows_no_line_of_ours() -> None:
    def blames(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        for _ in range(3):
            warnings.warn("look at the caller", UserWarning, stacklevel=2)
        return query @ key.mT

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert check(blames, NAME).passed
    mine = [one for one in caught if str(one.message) == "look at the caller"]
    assert [(one.filename, one.lineno) for one in mine] == [
        (__file__, blames.__code__.co_firstlineno)
    ]


def test_a_warning_for_authors_is_shown_where_the_notebook_gives_it() -> None:
    code = """
import warnings
def old(query, key):
    warnings.warn("the old way", DeprecationWarning, stacklevel=1)
    return query @ key.mT
"""
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(code, "/tmp/ipykernel_1/2.py", "exec"), space)
    with warnings.catch_warnings(record=True) as caught:
        warnings.resetwarnings()
        warnings.simplefilter("ignore", DeprecationWarning)  # as Python does, but for one module
        warnings.filterwarnings("default", category=DeprecationWarning, module="__main__")
        assert check(space["old"], NAME).passed
    assert [str(one.message) for one in caught] == ["the old way"]


def test_a_warning_is_no_error_even_where_warnings_are_errors() -> None:
    def warns(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        warnings.warn("careful", UserWarning, stacklevel=1)
        return query @ key.mT

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check(warns, NAME).passed


def test_all_calls_together_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(x: torch.Tensor, axis: int = -1) -> torch.Tensor:
        time.sleep(0.5)  # asleep, a third of it counts
        return torch.softmax(x, axis)

    monkeypatch.setattr("grading.witness.observe.TOTAL", 0.4)
    result = assert_refused(slow, "softmax")
    assert result.rule == "it comes to an end"
    assert "together took longer than 10 seconds" in result.message


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda z: z.to_sparse(), "a sparse tensor"),
        (lambda z: z.to("meta"), "a meta tensor"),
        (lambda z: torch.nested.nested_tensor([z[0], z[0]]), "a nested tensor"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_tensors_of_another_kind_are_said_to_be_that(change: Any, word: str) -> None:
    assert f"scores is {word}" in assert_refused(lambda query, key: change(query @ key.mT)).message


def test_whole_numbers_are_no_queries() -> None:
    def make_qk_for(pattern: str, T: int) -> Any:
        return torch.eye(T).long() * 1000, torch.eye(T).long()

    message = assert_refused(make_qk_for, None).message
    assert "query has to hold floating-point numbers; yours is a tensor of int64" in message


def test_backticks_are_code_on_a_page() -> None:
    def fails(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        return query @ key

    result = assert_refused(fails)
    assert "`return query @ key`" in result.message
    assert "<code>return query @ key</code>" in result.html
    assert "`" not in result.html


def test_a_generator_and_a_coroutine_are_no_results() -> None:
    def yields(query: Any, key: Any) -> Any:
        yield query @ key.mT

    async def later(query: Any, key: Any) -> Any:
        return query @ key.mT

    assert "generator" in assert_refused(yields).message
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the coroutine is never awaited
        assert "coroutine" in assert_refused(later).message
    assert asyncio.iscoroutinefunction(later)


class Agreeable(torch.Tensor):
    """A tensor that says yes to every comparison."""

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if function in (torch.isclose, torch.allclose, torch.equal):
            return torch.tensor(True)
        return super().__torch_function__(function, types, args, kwargs or {})


def test_a_tensor_that_agrees_with_everything_earns_nothing() -> None:
    assert_refused(lambda query, key: (query @ key.mT * 2).as_subclass(Agreeable))


def test_what_an_answer_leaves_behind_spoils_no_later_check() -> None:
    def meddles(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(1)
        random.seed(1)
        torch.set_grad_enabled(False)
        torch.set_default_dtype(torch.float16)
        return query @ key.mT

    before = (torch.is_grad_enabled(), torch.get_default_dtype())
    try:
        check(meddles, NAME)
        assert (torch.is_grad_enabled(), torch.get_default_dtype()) == before
        assert check(scores, NAME).passed
    finally:
        torch.set_grad_enabled(before[0])
        torch.set_default_dtype(before[1])


def test_warnings_as_errors_change_no_diagnosis() -> None:
    def turns_all_axes(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        return query @ key.permute(3, 2, 1, 0) if key.ndim == 4 else query @ key.T

    recordings.forget()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check(turns_all_axes, NAME).misconception == "SC-TALL"


# -- what is right in another style ----------------------------------------------------------------


class Module(torch.nn.Module):
    def forward(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        return query @ key.mT


class Counted:
    """A callable that knows how often it was called."""

    calls = 0

    def __call__(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return torch.einsum("...td,...sd->...ts", query, key)

    def method(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        return torch.stack([(query * row.unsqueeze(-2)).sum(-1) for row in key.unbind(-2)], -1)


def general(query: torch.Tensor, key: torch.Tensor, factor: float) -> torch.Tensor:
    return factor * torch.matmul(query, key.transpose(-2, -1))


@pytest.mark.parametrize(
    "answer",
    [
        scores,
        lambda query, key: (key @ query.mT).mT,
        functools.partial(general, factor=1.0),
        Module(),
        Counted(),
        Counted().method,
        functools.lru_cache(maxsize=None)(scores),
        lambda *arguments: arguments[0] @ arguments[1].mT,
        lambda query, key, extra=None: query @ key.mT,
    ],
)
def test_every_right_style_is_accepted(answer: Any) -> None:
    result = check(answer, NAME)
    assert result.passed, str(result)
    assert result.points == result.max_points == 1
    assert result.rule is result.misconception is None
    assert result.example == ""


# -- the result ------------------------------------------------------------------------------------


def test_the_result_is_frozen_and_shows_itself() -> None:
    result = assert_refused(lambda query, key: query @ key.mT / query.shape[-1] ** 0.5)
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.points = 5  # type: ignore[misc]
    assert repr(result) == str(result)
    assert str(result).startswith(f"NOT YET  {NAME}: 0 of 1 points\nRule: ")
    assert "Smallest example" in result.example
    assert result.example in str(result)
    assert result._repr_mimebundle_()["text/plain"] == str(result)
    assert f'data-exercise="{NAME}"' in result.html


def test_in_a_notebook_the_plain_text_is_the_bare_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grading.words.result._in_kernel", lambda: True)
    bundle = check(scores, NAME)._repr_mimebundle_()
    assert float(bundle["text/plain"]) == 1
    assert "Passed" in bundle["text/html"]
    wrong = check(lambda query, key: query, NAME)._repr_mimebundle_()
    assert wrong["text/plain"] == "0.0"
    assert "Not yet" in wrong["text/html"]


def test_the_record_travels_beside_the_text_and_says_the_same() -> None:
    result = assert_refused(lambda query, key: query @ key.mT / query.shape[-1] ** 0.5)
    bundle = result._repr_mimebundle_()
    assert sorted(bundle) == [MIME, "text/html", "text/plain"]
    there = CheckResult(Record.from_json(json.loads(json.dumps(bundle[MIME], allow_nan=False))))
    assert str(there) == str(result)
    assert there.html == result.html
    assert there.record.misconceptions == ("SC-SCALED",)
    assert (there.misconception, there.points, there.max_points) == ("SC-SCALED", 0.0, 1.0)
    assert there.record.example is not None
    assert there.record.example.yours != there.record.example.expected


def test_an_accepted_answers_record_holds_its_picture() -> None:
    record = check(scores, NAME).record
    assert record.passed
    assert record.picture is not None
    assert len(record.picture.rows) == 8
    assert Record.from_json(record.to_json()) == record


def test_two_codes_are_joined() -> None:
    record = dataclasses.replace(
        assert_refused(lambda query, key: query).record, misconceptions=("SC-KQ", "SC-SCALED")
    )
    assert CheckResult(record).misconception == "SC-KQ+SC-SCALED"
    assert 'data-misconception="SC-KQ+SC-SCALED"' in CheckResult(record).html


# -- what a learner sets for all code --------------------------------------------------------------


@pytest.fixture
def usual_settings() -> Iterator[None]:
    recordings.forget()
    with np.errstate():
        yield
    torch.set_default_device(None)
    recordings.forget()


SETTINGS = {
    "NumPy's errors": lambda: np.seterr(all="raise"),
    "PyTorch's device": lambda: torch.set_default_device("meta"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("usual_settings")
@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("name", ["attention_by_loops", "attention_scores"])
def test_a_setting_above_the_answer_refuses_no_right_answer(setting: str, name: str) -> None:
    SETTINGS[setting]()
    exercise = find(name)
    assert exercise is not None
    for answer in exercise.alternatives:
        result = check(answer, exercise=name)
        assert result.passed, str(result)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("usual_settings")
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_inside_an_answer_is_undone(setting: str) -> None:
    before = np.geterr(), torch.get_default_device()

    def sets(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        SETTINGS[setting]()
        return query @ key.mT

    check(sets, exercise="attention_scores")
    assert (np.geterr(), torch.get_default_device()) == before


# -- printing, and results that are no call's own --------------------------------------------------


def test_printing_is_cut_from_the_first_call_on(capsys: pytest.CaptureFixture[str]) -> None:
    def talks(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        for _ in range(100):
            print("x" * 10**6)
        print("y" * 5, file=sys.stderr)
        return query @ key.mT

    assert check(talks, NAME).passed
    out, err = capsys.readouterr()
    told = "\n[cut here: the function printed 99,990,100 characters more]\n"
    assert (len(out), out.removeprefix("x" * 10**4), err) == (10**4 + len(told), told, "yyyyy\n")


def test_what_is_printed_in_silence_is_kept_up_to_a_length_and_warnings_up_to_a_number() -> None:
    def talks(x: int) -> int:
        for number in range(50):
            print("x" * 10**6)
            warnings.warn(f"number {number}", UserWarning, stacklevel=1)
        return x

    with pytest.raises(TypeError, match="string argument expected, got 'bytes'"), silence():
        sys.stdout.write(b"bytes")  # type: ignore[arg-type]
    seen = Witness(talks).observe(Request(inputs={"x": 1}))
    assert (len(seen.said), len(seen.warned), seen.value) == (10**5, 20, 1)


BUFFER = torch.zeros(10**5, dtype=torch.float64)


def kept(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    """Scores in memory that every call writes into."""
    scores = query @ key.mT
    held = BUFFER[: scores.numel()].view(scores.shape)
    held.copy_(scores.detach())
    return held


def test_a_result_that_the_next_call_changes_is_told_so() -> None:
    result = assert_refused(kept)
    assert result.rule == "each call returns a result of its own"
    assert result.message.startswith("The second call changed the first result: ")
    assert result.misconception is None
    assert "gradient" not in result.message


def test_wrong_values_come_before_shared_memory() -> None:
    result = assert_refused(lambda query, key: kept(query, key).add_(0.5))
    assert "changed the first" not in result.message


def test_a_view_of_the_inputs_is_a_result_of_its_own() -> None:
    def same(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        return query.mT.mT

    assert not seen_twice(same).overwritten
    assert seen_twice(kept).overwritten
    assert seen_twice(lambda query, key: [1.0, kept(query, key)]).overwritten
    told: list[int] = []
    failing = seen_twice(lambda query, key: told.append(1) or query if not told else 1 // 0)
    assert (failing.overwritten, failing.unseen) == (False, "")


def seen_twice(answer: Any) -> Any:
    inputs = {"query": tensor([[1.0, 2.0]]), "key": tensor([[3.0, 4.0]])}
    return Witness(answer).observe(Request(inputs=inputs, see=("twice",)))
