"""The judge's side of a witness in another process, which is ended where it fails."""

import os
import select
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO, Literal, cast

from grading.observation.seen import (
    PATIENCE,
    Error,
    Observation,
    Request,
    UnanswerableError,
)
from grading.observation.values import Named
from grading.observation.wire import receive, send

__all__ = ["MARGIN", "LostError", "Remote"]

#: Seconds beside a request's own: for the start of the process, and for the way there and back.
MARGIN = 30.0


class LostError(Exception):
    """The process in which an answer ran is lost, and was ended.

    Attributes:
        how: it has ended by itself, its time was over, or it sent what is no observation.
    """

    def __init__(self, how: Literal["gone", "late", "garbled"], words: str) -> None:
        super().__init__(words)
        self.how = how


class Remote:
    """A witness to be asked, wherever it runs; `grading.witness.serve` is its other side.

    Args:
        name: of the function that it shall stand beside.
        process: has pipes for its standard input and output; POSIX's, which can be waited for.
        call_back: runs the functions that an input hands over by name. Without it, an answer that
            calls one cannot be judged.
        margin: seconds that one observation may take beside those that it asks for.
    """

    def __init__(
        self,
        name: Any,
        process: subprocess.Popen[bytes],
        call_back: Callable[[str, tuple[Any, ...]], Any] | None = None,
        margin: float = MARGIN,
    ) -> None:
        self.name, self.process = name, process
        self.call_back, self.margin = call_back, margin
        self.has_begun = False

    def observe(self, request: Request) -> Observation:
        """Ask for one observation.

        Raises:
            LostError: if the process ends, is late, or sends what is no observation; it is ended.
            UnanswerableError: if the witness knows no function of that name, or the answer calls
                one that nobody here can run.
        """
        until = time.monotonic() + PATIENCE * request.seconds * len(request.see) + self.margin
        try:
            return self._observed(request, until)
        except UnanswerableError:
            raise
        except (EOFError, BrokenPipeError) as error:
            self._end()
            raise LostError("gone", "the process of the answer ended") from error
        except TimeoutError as error:
            self._end()
            raise LostError("late", f"the process of the answer was {error}") from error
        except Exception as error:  # a message can be built to break whoever reads it
            self._end()
            words = f"the process of the answer sent no observation: {type(error).__name__}"
            raise LostError("garbled", f"{words}: {error}"[:200]) from error

    def _observed(self, request: Request, until: float) -> Observation:
        assert self.process.stdin is not None, "a witness is asked over pipes"
        assert self.process.stdout is not None, "a witness is asked over pipes"
        requests = cast(BinaryIO, _Timed(self.process.stdin.fileno(), until))
        replies = cast(BinaryIO, _Timed(self.process.stdout.fileno(), until))
        is_first = not self.has_begun
        if is_first:
            send(("begin", self.name), requests)
            self.has_begun = True
        send(("observe", request), requests)
        while True:
            kind, body = receive(replies)
            if kind == "seen" and isinstance(body, Observation):
                return body
            if kind == "unknown" and is_first:
                raise UnanswerableError(f"the witness knows no {self.name!r}: {body}")
            if kind != "call":
                raise ValueError(f"a witness sends an observation; this one sent {kind!r}")
            send(self._called_back(request, *body), requests)

    def _called_back(
        self, request: Request, name: str, arguments: tuple[Any, ...]
    ) -> tuple[str, Any]:
        handed = [one.name for one in request.inputs.values() if isinstance(one, Named)]
        if self.call_back is None and name in handed:
            self._end()  # it waits for what nobody sends
            raise UnanswerableError(f"{name!r} is called back, and nobody is there to run it")
        if self.call_back is None:
            raise ValueError(f"nothing was handed over that could be called; it calls {name!r}")
        try:
            return "value", self.call_back(name, arguments)
        except Exception as error:  # it is the answer's call, and its error
            return "raised", Error.of(error)

    def _end(self) -> None:
        self.process.kill()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=10)


class _Timed:
    """One end of a pipe, as a file that waits no longer than until then."""

    def __init__(self, number: int, until: float) -> None:
        self.number, self.until = number, until

    def _wait(self, event: int) -> None:
        poll = select.poll()
        poll.register(self.number, event)
        left = self.until - time.monotonic()
        if left <= 0 or not poll.poll(1000 * left):
            raise TimeoutError("given its time and a margin, and is late")

    def read(self, size: int) -> bytes:
        """Return so many bytes, or fewer where the other side is gone."""
        data = bytearray()
        while len(data) < size:
            self._wait(select.POLLIN)
            more = os.read(self.number, min(size - len(data), 1 << 20))
            if not more:
                break
            data += more
        return bytes(data)

    def write(self, data: bytes) -> None:
        """Write all of it; a pipe that is ready takes so much at once without waiting."""
        view = memoryview(data)
        while view:
            self._wait(select.POLLOUT)
            view = view[os.write(self.number, view[: select.PIPE_BUF]) :]

    def flush(self) -> None:
        """Nothing is held back."""
