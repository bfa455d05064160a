"""The witness tells all that the later contracts take and return, here and over a wire alike."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch

from grading.observation.seen import Observation, Request
from grading.observation.values import (
    EachRank,
    Module,
    Named,
    Other,
    Randomness,
    numbers,
    tensor,
)
from grading.observation.wire import pack, unpack
from grading.witness.conversion import given, plain
from grading.witness.observe import Witness


def seen_of(function: Any, /, *see: str, call_back: Any = None, **inputs: Any) -> Observation:
    """Observe a function by a request and a reply that have both been through the wire."""
    request = unpack(pack(Request(inputs=inputs, see=see or ("value",))))
    seen: Observation = unpack(pack(Witness(function, call_back).observe(request)))
    return seen


# What is handed over and what comes back


@pytest.mark.parametrize(
    "value",
    [3, -1.5, True, "rnn", b"\xc3\xa9", None, [1, 2], (1, None), {"L": 2, "tied": False}],
)
def test_what_python_has_itself_goes_both_ways(value: Any) -> None:
    seen = seen_of(lambda value: [value, type(value).__name__], value=value)
    assert seen.value == [value, type(value).__name__]
    assert seen.changed == ()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16, torch.int64,
                                   torch.bool, torch.uint8, torch.complex64])  # fmt: skip
def test_a_tensor_is_the_same_tensor_there(dtype: torch.dtype) -> None:
    value = torch.tensor([[0, 1, 2], [3, 4, 5]]).to(dtype)
    got = []
    seen = seen_of(lambda x: got.append(x) or x.mT, x=plain(value))
    assert torch.equal(got[0], value)
    assert got[0].dtype == dtype
    assert seen.value.dtype == str(dtype).removeprefix("torch.")
    assert torch.equal(given(seen.value), value.mT)


def test_arrays_and_numpys_numbers_say_what_they_were() -> None:
    array = seen_of(lambda x: (x, x.sum()), x=plain(np.ones((2, 3), dtype=np.float32))).value
    assert [(one.kind, one.dtype, one.shape) for one in array] == [
        ("array", "float32", (2, 3)),
        ("scalar", "float32", ()),
    ]


class Mine(torch.Tensor):
    pass


ODD = {
    "a sparse": lambda: torch.eye(2).to_sparse(),
    "a meta": lambda: torch.ones(2, device="meta"),
    "a nested": lambda: torch.nested.nested_tensor([torch.ones(1), torch.ones(2)]),
    "a quantized": lambda: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.quint8),
    "an enormous": lambda: torch.ones(1).expand(10**9),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("odd", ODD)
def test_odd_tensors_are_told_and_not_copied(odd: str) -> None:
    told = plain(ODD[odd]())
    assert (told.odd, told.numbers, told.kind) == (odd, None, "tensor")


def test_subclasses_are_stripped_and_what_is_no_data_is_described() -> None:
    assert plain(torch.ones(2).as_subclass(Mine)).numbers.tolist() == [1, 1]
    assert plain(torch.Size((2, 3))) == (2, 3)
    assert plain({1, 2}) == Other("a set")
    assert plain(iter([1])) == Other("a list_iterator")
    assert plain({(1,): 2}) == Other("a dict")
    deep: list[Any] = []
    deep.append(deep)
    assert "Other" in repr(plain(deep))
    words = np.array(["a"])
    assert (plain(words).numbers, plain(words).kind) == (None, "array")


def test_what_is_written_into_a_result_later_is_no_part_of_it() -> None:
    kept = torch.zeros(2)
    seen = Witness(lambda: kept).observe(Request())
    kept += 1
    assert seen.value.numbers.tolist() == [0, 0]


# What is seen of a run


def test_changes_are_seen_in_tensors_arrays_lists_and_dicts() -> None:
    def meddles(t: Any, a: Any, n: Any, d: Any, kept: Any, nan: Any) -> None:
        t[0] = 5
        a *= 2
        n.append(1)
        d["new"] = 1

    seen = seen_of(
        meddles, t=tensor([1.0]), a=plain(np.ones(2)), n=[0], d={}, kept=[tensor([1.0])],
        nan=tensor([np.nan]),
    )  # fmt: skip
    assert seen.changed == ("t", "a", "n", "d")


def test_printing_and_warnings_are_told() -> None:
    import warnings

    def talks() -> int:
        print("here")
        warnings.warn("look", UserWarning, stacklevel=1)
        return 1

    seen = seen_of(talks)
    assert (seen.said, seen.value) == ("here\n", 1)
    assert [(one.category, one.text, one.filename) for one in seen.warned] == [
        ("builtins.UserWarning", "look", __file__)
    ]


def test_errors_are_told_with_their_kinds_and_the_learners_line() -> None:
    seen = seen_of(lambda x: 1 / x, x=0)
    assert seen.error is not None
    assert not seen.returned
    assert seen.error.kinds[:2] == ("ZeroDivisionError", "ArithmeticError")
    assert seen.error.text == "division by zero"
    assert seen.error.line is not None
    assert "1 / x" in seen.error.line[1]


def test_every_aspect_is_seen_over_the_wire() -> None:
    def square(x: torch.Tensor) -> torch.Tensor:
        return (x[:, None] * x[None, :]).float().sum(0)

    aspects = ("value", "gradients", "largest", "narrow", "loop", "signature", "calls")
    request = Request(
        inputs={"x": tensor([1.0, 2.0, 3.0])}, see=aspects, forbidden=("torch.Tensor.sum",),
        parameters=("x",),
    )  # fmt: skip
    seen = unpack(pack(Witness(square).observe(request)))
    assert seen.value.numbers.tolist() == [6, 12, 18]
    assert len(seen.gradients) == 1
    assert seen.gradients[0].shape == (3,)
    assert seen.largest == (9, (3, 3))
    assert (seen.narrow, seen.loop) == (True, True)  # .float() may be anybody's

    def at_once(x: Any) -> Any:
        return np.exp(x).sum()

    assert not seen_of(at_once, "loop").loop
    assert seen.calls == ("torch.Tensor.sum",)
    assert (seen.signature.fits, seen.signature.text) == (True, "(x: torch.Tensor) -> torch.Tensor")


def test_a_detached_result_has_no_gradients() -> None:
    assert seen_of(lambda x: x.detach() * 2, "gradients", x=tensor([1.0])).gradients is None
    assert seen_of(lambda x: x * 2, "gradients", x=tensor([1.0])).gradients is not None


class OnlyHalfASecond:
    """A clock that was looked at after half a second, however long a busy machine takes."""

    spent = 0.5


def test_time_is_counted_for_one_run_and_for_all_together(monkeypatch: Any) -> None:
    naps = iter([3.0, 0.0, 3.0, 0.0])

    def sleeps() -> None:
        import time

        time.sleep(next(naps))  # asleep, a third of it counts

    one = Witness(sleeps).observe(Request(seconds=0.1))
    assert (one.timed_out, one.in_total) == (True, False)
    monkeypatch.setattr("grading.witness.observe.TOTAL", 0.75)
    monkeypatch.setattr("grading.witness.observe.Clock", OnlyHalfASecond)
    witness = Witness(sleeps)
    both = [witness.observe(Request(seconds=2.0)) for _ in range(3)]
    assert [(seen.timed_out, seen.in_total) for seen in both] == [
        (False, False),
        (True, True),
        (True, True),
    ]


def test_what_cannot_be_looked_at_is_said_to_be_that() -> None:
    class Hostile:
        def __getattribute__(self, name: str) -> Any:
            raise RuntimeError("no")

    assert seen_of(lambda: Hostile()).unseen == "RuntimeError"


# Generators, in both senses


def test_a_generator_is_handed_over_by_seed_or_by_state() -> None:
    def draws(generator: torch.Generator) -> float:
        return float(torch.rand(1, generator=generator, dtype=torch.float64))

    state = plain(torch.Generator().manual_seed(7))
    by_seed = seen_of(draws, generator=Randomness(seed=7))
    by_state = seen_of(draws, generator=state)
    assert by_seed.value == by_state.value == draws(torch.Generator().manual_seed(7))
    assert by_seed.moved
    assert not seen_of(lambda generator: 1.0, generator=state).moved


def ring_sum(own: Any, rank: int, ranks: int) -> Any:
    total, passed = own, own
    for _ in range(ranks - 1):
        passed = yield passed
        total = total + passed
    return total, rank


def spread(ranks: int) -> dict[str, Any]:
    own = EachRank(tuple(tensor([10.0**rank]) for rank in range(ranks)))
    return {"own": own, "rank": EachRank(tuple(range(ranks))), "ranks": ranks}


def test_a_generator_function_runs_on_every_rank_and_its_traffic_is_recorded() -> None:
    seen = seen_of(ring_sum, **spread(3))
    assert [(total.numbers.tolist(), rank) for total, rank in seen.value] == [
        ([111.0], 0),
        ([111.0], 1),
        ([111.0], 2),
    ]
    traffic = [[numbers(value).tolist() for value in step] for step in seen.traffic]
    # Rank r sends to r + 1: in the second step it hands on what came from r - 1.
    assert traffic == [[[1.0], [10.0], [100.0]], [[100.0], [1.0], [10.0]]]


def test_ranks_that_part_are_an_error_and_no_generator_is_one_too() -> None:
    def leaves(own: Any, rank: int, ranks: int) -> Any:
        for _ in range(rank):
            yield own

    seen = seen_of(leaves, **spread(3))
    assert seen.error is not None
    assert seen.error.text == "1 of 3 ranks returned while the others still waited"
    plainly = seen_of(lambda own, rank, ranks: own, **spread(2))
    assert plainly.error is not None
    assert plainly.error.kinds[0] == "AttributeError"


def test_a_ring_without_an_end_is_stopped() -> None:
    def endless(own: Any, rank: int, ranks: int) -> Any:
        while True:
            yield own

    seen = seen_of(endless, **spread(2))
    assert seen.error is not None
    assert "after 1000 steps no rank has returned" in seen.error.text


# What goes by name


def test_a_function_by_name_is_built_beside_the_answer_and_has_gradients() -> None:
    def depends(f: Any, x: torch.Tensor) -> Any:
        jacobian = torch.autograd.functional.jacobian(f, x)
        return (jacobian.abs().sum((1, 3)) > 0).tolist()

    f = Named("across positions", {"weights": tensor([[1.0, 0.0], [2.0, 3.0]])})
    assert seen_of(depends, f=f, x=tensor(np.ones((2, 4)))).value == [[True, False], [True, True]]


def test_a_function_that_only_the_judge_knows_is_called_back() -> None:
    asked = []

    def call_back(name: str, arguments: tuple[Any, ...]) -> Any:
        asked.append((name, arguments[0].numbers.tolist()))
        return tensor(2 * arguments[0].numbers)

    seen = seen_of(
        lambda f, x: f(f(x)), call_back=call_back, f=Named("doubled"), x=tensor([1.0, 3.0])
    )
    assert seen.value.numbers.tolist() == [4.0, 12.0]
    assert asked == [("doubled", [1.0, 3.0]), ("doubled", [2.0, 6.0])]
    assert seen_of(lambda f: f(1), f=Named("unknown")).unseen == "ValueError"


MODEL = Named("linear", {"weight": tensor([[1.0, 2.0]]), "bias": tensor([0.5]), "training": False})


@pytest.mark.parametrize(
    ("optimiser", "expected"),
    [(Named("SGD", {"of": "model", "lr": 0.1, "momentum": 0.9}), [[0.8, 1.6]]),
     (Named("AdamW", {"of": "model", "lr": 0.1, "weight_decay": 0.0}), [[0.9, 1.9]])],
)  # fmt: skip
def test_a_model_and_its_optimiser_are_built_and_the_trained_model_comes_back(
    optimiser: Named, expected: Any
) -> None:
    def step(model: torch.nn.Module, optimiser: Any, x: torch.Tensor) -> Any:
        model.train()
        optimiser.zero_grad()
        loss = model(x).sum()
        loss.backward()
        optimiser.step()
        return model, loss.item()

    seen = seen_of(step, model=MODEL, optimiser=optimiser, x=tensor([[2.0, 4.0]]))
    module, loss = seen.value
    assert isinstance(module, Module)
    assert (module.training, loss) == (True, 10.5)
    np.testing.assert_allclose(module.state["weight"].numbers, expected)
    assert seen.changed == ()  # a model is there to be changed


# What the witness may know


def test_a_process_with_a_witness_knows_no_answer_and_no_library() -> None:
    code = """
import sys
import grading.witness.serve
known = [name for name in sys.modules if name.split(".")[0] in ("grading", "course_lib")]
print([name for name in known if not name.startswith(("grading.witness", "grading.observation"))])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "['grading']", done.stderr
