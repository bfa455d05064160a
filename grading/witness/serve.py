"""A witness in a process of its own: it answers one request after the other over a pipe."""

import os
from collections.abc import Callable
from typing import Any, BinaryIO

from grading.observation.wire import receive, send
from grading.witness.observe import Witness

__all__ = ["over_pipes", "serve"]


def serve(find: Callable[[Any], Any], requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer until the other side is gone.

    A message is ``("begin", name)``, which starts a check of another function, with time of its
    own, or ``("observe", request)``. Between a request and its observation the witness may send
    ``("call", (name, arguments))``, which is answered with plain data.

    Args:
        find: returns the function of that name.
        requests: where messages come from.
        replies: where observations go.
    """

    def call_back(name: str, arguments: tuple[Any, ...]) -> Any:
        send(("call", (name, arguments)), replies)
        return receive(requests)

    witness = Witness(None)
    while True:
        try:
            kind, body = receive(requests)
        except EOFError:
            return
        if kind == "begin":
            witness = Witness(find(body), call_back)
        else:
            send(("seen", witness.observe(body)), replies)


def over_pipes(find: Callable[[Any], Any]) -> None:
    """Serve over this process's standard input and output, which nobody else then reads or writes.

    What functions print goes to the standard error.
    """
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    serve(find, requests, replies)
