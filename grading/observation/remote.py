"""The judge's side of a witness in another process."""

from collections.abc import Callable
from typing import Any, BinaryIO

from grading.observation.seen import Error, Observation, Request
from grading.observation.wire import receive, send

__all__ = ["GoneError", "Remote"]


class GoneError(Exception):
    """The process in which an answer ran has ended."""


class Remote:
    """A witness to be asked, wherever it runs; `grading.witness.serve` is its other side.

    Args:
        name: of the function that it shall stand beside.
        requests, replies: the pipes to it and from it.
        call_back: answers its calls.
    """

    def __init__(
        self,
        name: Any,
        requests: BinaryIO,
        replies: BinaryIO,
        call_back: Callable[[str, tuple[Any, ...]], Any] | None = None,
    ) -> None:
        self.requests, self.replies, self.call_back = requests, replies, call_back
        self.name, self.has_begun = name, False

    def observe(self, request: Request) -> Observation:
        """Ask for one observation.

        Raises:
            GoneError: if the witness is gone.
            ValueError: if it sends what is no observation.
        """
        try:
            return self._observed(request)
        except (EOFError, BrokenPipeError) as error:
            raise GoneError("the process of the answer ended") from error

    def _observed(self, request: Request) -> Observation:
        if not self.has_begun:
            send(("begin", self.name), self.requests)
            self.has_begun = True
        send(("observe", request), self.requests)
        while True:
            kind, body = receive(self.replies)
            if kind == "seen" and isinstance(body, Observation):
                return body
            if kind != "call" or self.call_back is None:
                raise ValueError(f"a witness sends an observation; this one sent {kind!r}")
            try:
                answered = ("value", self.call_back(*body))
            except Exception as error:  # it is the answer's call, and its error
                answered = ("raised", Error.of(error))
            send(answered, self.requests)
