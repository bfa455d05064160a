"""A process of its own with answers that call back, return too much, or leave."""

import itertools
import os
import threading
from typing import Any

import numpy as np
import torch

from grading.witness.serve import over_pipes


def loops(f: Any) -> None:
    while True:
        f(torch.eye(3))


def catches(f: Any) -> str:
    try:
        f("nonsense")
    except TypeError as error:
        return str(error)
    return "no error"


def keeps(f: Any) -> int:
    threading.Thread(target=lambda: [f(torch.eye(3)) for _ in range(99)], daemon=True).start()
    return 1


def deaf(f: Any) -> int:
    """Stay in C, where nothing that is raised is seen."""
    return sum(itertools.repeat(1))


def scribbles(f: Any) -> None:
    """Write to every open file, and so into the pipe."""
    for number in range(3, 10):
        try:
            os.write(number, b"[[[[ no message ]]]]" * 8)
        except OSError:
            continue


ANSWERS = {
    "deaf": deaf,
    "scribbles": scribbles,
    "a GiB": lambda f: np.zeros(2**27),
    "many of one": lambda f: [torch.zeros(10**6)] * 10**4,
    "a long text": lambda f: "x" * 10**8,
    "right": lambda f: f(torch.eye(3)),
    "loops": loops,
    "catches": catches,
    "keeps": keeps,
    "raises": lambda f: f("nonsense"),
    "huge": lambda f: 10**6000,
    "prints": lambda f: print("here"),
    "leaves": lambda f: os._exit(3),
}

if __name__ == "__main__":
    over_pipes(lambda name: ANSWERS[name])
