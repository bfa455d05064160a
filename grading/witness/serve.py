"""A witness in a process of its own: it answers one request after the other over a pipe."""

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any, BinaryIO

from grading.observation.seen import Observation
from grading.observation.wire import MOST, pack, receive, send, send_packed
from grading.witness.calling import undisturbed
from grading.witness.observe import Witness
from grading.witness.stand_in import CallBack

__all__ = ["over_pipes", "serve"]


def serve(find: Callable[[Any], Any], requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer until the other side is gone.

    A message is ``("begin", name)``, which starts a check of another function, with time of its
    own, or ``("observe", request)``. That is answered with ``("seen", observation)``, or with
    ``("unknown", text)`` where the function was not found. Before its observation the witness may
    send ``("call", (name, arguments))``, which is answered with ``("value", plain data)`` or with
    ``("raised", error)``.

    Args:
        find: returns the function of that name; raises where there is none.
        requests: where messages come from.
        replies: where observations go.
    """

    is_running, lock = False, threading.Lock()

    def call_back(name: str, arguments: tuple[Any, ...]) -> Any:
        with lock:
            if not is_running:
                raise RuntimeError(f"{name} can be called only while the answer runs")
            with undisturbed():
                send(("call", (name, arguments)), replies)
                kind, body = receive(requests)
        if kind == "raised":
            raise body.again()
        return body

    witness, unknown = Witness(None), ""
    while True:
        try:
            kind, body = receive(requests)
        except EOFError:
            return
        if kind == "begin":
            witness, unknown = _begun(find, body, call_back)
        elif unknown:
            send(("unknown", unknown), replies)
        else:
            is_running = True
            seen = witness.observe(replace(body, aloud=False))  # nobody here listens
            with lock:  # a thread that was left behind may be asking
                is_running = False
            _tell(seen, replies)


def _begun(find: Callable[[Any], Any], name: Any, call_back: CallBack) -> tuple[Witness, str]:
    """Return a witness of the function of that name; and why nothing is found, or ""."""
    try:
        return Witness(find(name), call_back), ""
    except Exception as error:
        return Witness(None), f"{type(error).__name__}: {error}"


def _tell(seen: Observation, replies: BinaryIO) -> None:
    """Send an observation, or that it cannot be sent."""
    try:
        data = pack(("seen", seen))
        if len(data) > MOST:
            raise ValueError(f"a message has at most {MOST} bytes; this one has {len(data)}")
    except Exception as error:
        data = pack(("seen", Observation(unseen=type(error).__name__)))
    send_packed(data, replies)


def over_pipes(find: Callable[[Any], Any]) -> None:
    """Serve over this process's standard input and output, which nobody else then reads or writes.

    What functions print goes to the standard error.
    """
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    serve(find, requests, replies)
