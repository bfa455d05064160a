"""Plain data over a wire comes back as it was, and nothing else comes out of it."""

import io
import json
import math
import struct
from typing import Any

import numpy as np
import pytest

from grading.observation.seen import Error, Observation, Request, Signature, Warned
from grading.observation.values import (
    Array,
    EachRank,
    Module,
    Named,
    Other,
    Randomness,
    described,
    numbers,
    tensor,
)
from grading.observation.wire import pack, receive, send, unpack


def equal(one: Any, other: Any) -> bool:
    """Whether two pieces of plain data are the same, arrays by dtype, shape and bytes."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    if isinstance(one, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(equal(one[name], other[name]) for name in one)
    if hasattr(one, "__dataclass_fields__"):
        names = one.__dataclass_fields__
        return all(equal(getattr(one, name), getattr(other, name)) for name in names)
    return bool(one == other)


ARRAYS = [
    np.arange(6.0).reshape(2, 3).T,
    np.array([[np.nan, -0.0, np.inf]], dtype=np.float32),
    np.array([1.5], dtype=np.float16),
    np.array([True, False]),
    np.array([-1, 2**62]),
    np.array([7, 255], dtype=np.uint8),
    np.array([1 + 2j]),
    np.zeros((0, 3)),
    np.asarray(2.5),
]
PLAIN = [
    None, True, 3, -(2**80), 2.5, math.nan, -math.inf, "", "κ\ud800", b"\x00\xff",
    [1, [2.0, "three"], ()], (1, (None,)), {"L": 2, b"ab": [1], 3: {"deep": (4,)}},
    *ARRAYS,
    tensor(ARRAYS[1]),
    Array("tensor", "bfloat16", (1,), np.array([1.5], dtype=np.float32)),
    Array("tensor", "float64", (), None, "a sparse"),
    Randomness(seed=3), Randomness(state=b"\x01\x02"), EachRank((1, tensor([1.0]))),
    Named("SGD", {"of": "model", "lr": 0.1}), Module({"weight": tensor([[1.0]])}, False),
    Other("a generator"),
    Request(inputs={"x": tensor([1.0]), "axis": -1}, see=("value", "gradients"), forbidden=("@",)),
    Observation(
        error=Error(("ZeroDivisionError", "ArithmeticError"), "by zero", (3, "return 1 / 0")),
        warned=(Warned("builtins.UserWarning", "careful", "cell", 3),), changed=("x",),
        gradients=(tensor([1.0]),), largest=(6, (2, 3)), calls=("torch.softmax",), loop=False,
        signature=Signature(is_callable=True, words="a function", text="(x)"),
    ),
]  # fmt: skip


@pytest.mark.parametrize("value", PLAIN, ids=lambda value: type(value).__name__)
def test_plain_data_comes_back_as_it_was(value: Any) -> None:
    assert equal(unpack(pack(value)), value)


def test_what_comes_back_has_memory_of_its_own_and_can_be_written_to() -> None:
    there = unpack(pack(ARRAYS[0]))
    there += 1
    assert ARRAYS[0][0, 0] == 0


def test_messages_follow_each_other_on_a_stream() -> None:
    stream = io.BytesIO()
    for value in ("one", ARRAYS[1], ("three",)):
        send(value, stream)
    stream.seek(0)
    assert receive(stream) == "one"
    assert equal(receive(stream), ARRAYS[1])
    assert receive(stream) == ("three",)
    with pytest.raises(EOFError, match="gone"):
        receive(stream)


def test_a_message_that_is_too_large_is_not_read() -> None:
    stream = io.BytesIO()
    send("x" * 100, stream)
    stream.seek(0)
    with pytest.raises(ValueError, match=r"at most 50 bytes; this one has 1\d\d"):
        receive(stream, most=50)


def test_what_is_no_plain_data_is_not_written() -> None:
    for value in (object(), {1, 2}, np.array([object()]), lambda: None, [print]):
        with pytest.raises(ValueError, match="only plain data goes over a wire"):
            pack(value)


def message(head: Any, rest: bytes = b"") -> bytes:
    text = json.dumps(head).encode()
    return struct.pack("<Q", len(text)) + text + rest


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x05",
        struct.pack("<Q", 3) + b"{{{",
        message({"value": 1}),
        message({"sizes": [], "value": {"is": "Popen", "of": {"args": "ls"}}}),
        message({"sizes": [], "value": {"is": "Array", "of": {"kind": "tensor"}}}),
        message({"sizes": [], "value": {"is": "bytes", "at": 0}}),
        message({"sizes": [8], "value": {"is": "numbers", "at": 0, "dtype": "object",
                                         "shape": [1]}}, b"\x00" * 8),
        message({"sizes": [8], "value": {"is": "numbers", "at": 0, "dtype": "float64",
                                         "shape": [2]}}, b"\x00" * 8),
        message({"sizes": [8], "value": {"is": "numbers", "at": 0, "dtype": "float64",
                                         "shape": [1]}}, b"\x00" * 4),
        message({"sizes": [], "value": {"is": "float", "of": "four"}}),
    ],
)  # fmt: skip
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        unpack(data)


def test_values_are_described_as_a_learner_would() -> None:
    words = {
        "a tensor of bfloat16": PLAIN[23],
        "a NumPy array of int64": Array("array", "int64", (1,), np.array([1])),
        "a float32": Array("scalar", "float32", (), np.asarray(1, dtype=np.float32)),
        "an int": 3, "a bool": True, "None": None, "a tuple": (1,), "a generator":
        Other("a generator"),
    }  # fmt: skip
    assert {described(value) for value in words.values()} == set(words)
    held = numbers({"a": [tensor([1.0]), 2], "b": Array("scalar", "float64", (), np.asarray(3.0))})
    assert held["a"][0].tolist() == [1.0]
    assert held["b"] == 3.0
