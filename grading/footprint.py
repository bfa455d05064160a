"""What an answer makes on its way: its largest tensor, and whether it leaves float64."""

from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from grading.calling import call
from grading.dispatch import Watch
from grading.exercise import Answer, Exercise, Probe
from grading.observe import draw, silence, warnings_kept

__all__ = ["largest_tensor", "makes_single"]


class _Largest(TorchFunctionMode):
    """Remember the largest tensor or array that any operation made."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0
        self.shape: tuple[int, ...] = ()
        self.single = False

    def note(self, elements: int, shape: tuple[int, ...]) -> None:
        """Remember one result."""
        if elements > self.elements:
            self.elements, self.shape = elements, shape

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for value in result if isinstance(result, tuple | list) else (result,):
            # A view costs nothing: what counts is the memory behind a tensor.
            if isinstance(value, torch.Tensor) and value.untyped_storage().size() > 0:
                held = value.untyped_storage().size() // value.element_size()
                self.note(min(held, value.numel()), tuple(value.shape))
        return result


class _Watched(np.ndarray):
    """An array that reports every array made of it."""

    counter: _Largest | None

    def __array_finalize__(self, source: Any) -> None:
        self.counter = getattr(source, "counter", None)
        if self.counter is not None:
            self.counter.note(self.size, self.shape)
            self.counter.single |= self.dtype in (np.float32, np.float16)


def _watched_inputs(exercise: Exercise, probe: Probe, counter: _Largest) -> list[Any]:
    """Draw a probe's inputs; arrays among them report to the counter."""
    given = list(draw(exercise, probe).values())
    for place, value in enumerate(given):
        if isinstance(value, np.ndarray):
            given[place] = value.view(_Watched)
            given[place].counter = counter
    return given


def largest_tensor(exercise: Exercise, answer: Answer, probe: Probe) -> tuple[int, tuple[int, ...]]:
    """Return the size and shape of the largest tensor or array that the answer made on the way."""
    counter = _Largest()
    given = _watched_inputs(exercise, probe, counter)
    with silence(), warnings_kept(), counter:
        call(answer, given, exercise.time_limit)
    return counter.elements, counter.shape


def makes_single(exercise: Exercise, answer: Answer) -> bool:
    """Return whether the answer makes numbers of float32 or less of its float64 inputs."""
    kinds: set[torch.dtype] = set()
    watch = Watch(lambda name, made: kinds.update(value.dtype for value in made))
    for probe in exercise.probes:
        counter = _Largest()
        given = _watched_inputs(exercise, probe, counter)
        with silence(), warnings_kept(), watch:
            call(answer, given, exercise.time_limit)
        if counter.single or any(k.is_floating_point and k.itemsize < 8 for k in kinds):
            return True
    return False
