"""Plain data over a wire: a head of JSON, then raw buffers of numbers; nothing is ever run."""

import dataclasses
import json
import math
import struct
from typing import Any, BinaryIO

import numpy as np

from grading.observation import seen, values

__all__ = ["MOST", "pack", "receive", "send", "send_packed", "unpack"]

#: The only classes that can come out of a message.
CLASSES: dict[str, Any] = {
    one.__name__: one
    for one in (
        values.Array, values.Randomness, values.Named, values.EachRank, values.InTurn,
        values.LeftOut, values.Module, values.Other, seen.Request, seen.Error, seen.Warned,
        seen.Signature, seen.Observation,
    )
}  # fmt: skip
#: The only dtypes that a buffer can have.
DTYPES = frozenset(np.dtype(kind).name for kind in ("?", *"bhilqBHILQ", *"efd", *"FD"))
_SIZE = struct.Struct("<Q")
#: The largest message that is read, in bytes.
MOST = 1 << 30


def pack(value: Any) -> bytes:
    """Return plain data as bytes: the head's size, the head, the buffers."""
    buffers: list[bytes] = []
    written = _written(value, buffers)
    head = {"sizes": [len(buffer) for buffer in buffers], "value": written}
    text = json.dumps(head, allow_nan=False).encode()
    return b"".join([_SIZE.pack(len(text)), text, *buffers])


def unpack(data: bytes) -> Any:
    """Return the plain data of a message.

    Raises:
        ValueError: if it is no such message.
    """
    try:
        (size,) = _SIZE.unpack_from(data)
        head = json.loads(data[_SIZE.size : _SIZE.size + size])
        buffers, start = [], _SIZE.size + size
        for length in head["sizes"]:
            buffers.append(memoryview(data)[start : start + length])
            start += length
        return _read(head["value"], buffers)
    except (
        struct.error,
        LookupError,
        TypeError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ) as error:
        raise ValueError(f"this is no message of a witness: {error!r}") from error


def send(value: Any, stream: BinaryIO) -> None:
    """Write plain data to a stream, with its size before it."""
    send_packed(pack(value), stream)


def send_packed(data: bytes, stream: BinaryIO) -> None:
    """Write what is packed already."""
    stream.write(_SIZE.pack(len(data)) + data)
    stream.flush()


def receive(stream: BinaryIO, most: int = MOST) -> Any:
    """Read what `send` wrote.

    Args:
        stream: where it comes from.
        most: the largest message that is read, in bytes.

    Raises:
        EOFError: if the other side is gone.
        ValueError: if the message is too large, or none.
    """
    (size,) = _SIZE.unpack(_exactly(stream, _SIZE.size))
    if size > most:
        raise ValueError(f"a message has at most {most} bytes; this one has {size}")
    return unpack(_exactly(stream, size))


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError("the other side is gone")
    return data


def _written(value: Any, buffers: list[bytes]) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"is": "float", "of": repr(value)}
    if isinstance(value, list):
        return [_written(entry, buffers) for entry in value]
    if isinstance(value, tuple):
        return {"is": "tuple", "of": [_written(entry, buffers) for entry in value]}
    if isinstance(value, dict):
        pairs = [[_written(name, buffers), _written(value[name], buffers)] for name in value]
        return {"is": "dict", "of": pairs}
    if isinstance(value, bytes):
        buffers.append(value)
        return {"is": "bytes", "at": len(buffers) - 1}
    if isinstance(value, np.ndarray | np.generic) and str(value.dtype) in DTYPES:
        buffers.append(value.tobytes())
        place = {"is": "numbers", "at": len(buffers) - 1}
        return place | {"dtype": str(value.dtype), "shape": list(value.shape)}
    if type(value).__name__ in CLASSES:
        fields = {
            field.name: _written(getattr(value, field.name), buffers)
            for field in dataclasses.fields(value)
        }
        return {"is": type(value).__name__, "of": fields}
    raise ValueError(f"only plain data goes over a wire; got {type(value).__name__}")


def _read(value: Any, buffers: list[memoryview]) -> Any:
    if isinstance(value, list):
        return [_read(entry, buffers) for entry in value]
    if not isinstance(value, dict):
        return value
    kind = value["is"]
    if kind == "float":
        return float(value["of"])
    if kind == "tuple":
        return tuple(_read(entry, buffers) for entry in value["of"])
    if kind == "dict":
        return {_read(name, buffers): _read(entry, buffers) for name, entry in value["of"]}
    if kind == "bytes":
        return bytes(buffers[value["at"]])
    if kind == "numbers":
        if value["dtype"] not in DTYPES:
            raise ValueError(f"a buffer holds no numbers of {value['dtype']}")
        flat = np.frombuffer(buffers[value["at"]], dtype=value["dtype"])
        return flat.reshape(value["shape"]).copy()
    fields = {name: _read(entry, buffers) for name, entry in value["of"].items()}
    return CLASSES[kind](**fields)
