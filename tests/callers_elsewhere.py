"""A process of its own with answers that call back, return too much, or leave."""

import os
import threading
from typing import Any

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


ANSWERS = {
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
