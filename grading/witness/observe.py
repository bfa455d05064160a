"""The witness: runs a function as it is asked to, and tells what it did as plain data."""

import inspect
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from grading.observation.seen import Observation, Request, Signature
from grading.observation.values import Array, EachRank, described
from grading.witness.calling import Called, call, settings_kept, told_error
from grading.witness.conversion import plain
from grading.witness.footprint import largest_tensor, makes_narrow
from grading.witness.gradients import gradients
from grading.witness.own_work import borrowed, may_loop
from grading.witness.ranks import on_ranks, ranks
from grading.witness.registry import CallBack, handed_over
from grading.witness.saying import show, silence, told, warnings_kept

__all__ = ["TOTAL", "Witness"]

#: Seconds that all calls of one function may take together.
TOTAL = 10.0


class Witness:
    """Stands beside one function.

    Args:
        function: whatever was handed in as an answer; it need not be a function.
        call_back: reaches the judge's own functions, where an argument is one.
    """

    def __init__(self, function: Any, call_back: CallBack | None = None) -> None:
        self.function = function
        self.call_back = call_back
        self.left = TOTAL

    def observe(self, request: Request) -> Observation:
        """Run the function as the request says; nothing is raised, whatever it is or does."""
        try:
            seen = Observation()
            with settings_kept():
                for aspect in request.see:
                    seen = _ASPECTS[aspect](self, request, seen)
            return seen
        except BaseException as error:  # an answer can be built to break whatever looks at it
            return Observation(unseen=type(error).__name__)

    def _value(self, request: Request, seen: Observation) -> Observation:
        traffic: list[Any] = []
        spread = ranks(request.inputs)
        given = self._given(request.inputs) if not spread else []
        before = [_state(value) for value in given]
        with warnings_kept() as caught:
            if request.aloud:
                called, in_total, said = *self._run(given, request, traffic), ""
            else:
                with silence() as collected:
                    called, in_total = self._run(given, request, traffic)
                said = collected.getvalue()
        warned = told(caught, self.function)
        if request.aloud:
            show(warned)
        return replace(
            seen,
            value=plain(called.value) if called.returned else None,
            error=None if called.error is None else told_error(called.error),
            timed_out=called.timed_out,
            in_total=in_total,
            changed=_changed(request.inputs, given) if given else (),
            moved=before != [_state(value) for value in given],
            traffic=tuple(traffic),
            said=said,
            warned=warned,
        )

    def _given(self, inputs: Mapping[str, Any], rank: int | None = None) -> list[Any]:
        own = {
            name: value.values[rank or 0] if isinstance(value, EachRank) else value
            for name, value in inputs.items()
        }
        return handed_over(own, self.call_back)

    def _run(
        self, given: list[Any], request: Request, traffic: list[Any] | None = None
    ) -> tuple[Called, bool]:
        """Call the function within what is left of its time; say whether that was too little."""
        if self.left <= 0:
            return Called(timed_out=True), True
        function, spread = self.function, ranks(request.inputs)
        if spread:
            given = [self._given(request.inputs, rank) for rank in range(spread)]
            steps = [] if traffic is None else traffic
            function = _Spread(self.function, steps)
        start, seconds = time.monotonic(), min(request.seconds, self.left)
        called = call(function, given, seconds)
        in_total = called.timed_out and self.left < request.seconds
        self.left -= time.monotonic() - start
        return called, in_total

    def _quietly(self, request: Request, seen: list[bool]) -> Callable[[list[Any]], Any]:
        """Return what runs the function unheard and returns its result, or None."""

        def run(given: list[Any]) -> Any:
            with silence(), warnings_kept():
                called, in_total = self._run(given, request)
            seen.append(in_total)
            return called.value if called.returned else None

        return run

    def _gradients(self, request: Request, seen: Observation) -> Observation:
        over: list[bool] = []
        found = gradients(self._quietly(request, over), self._given(request.inputs))
        return replace(seen, gradients=found, in_total=seen.in_total or any(over))

    def _largest(self, request: Request, seen: Observation) -> Observation:
        over: list[bool] = []
        found = largest_tensor(self._quietly(request, over), self._given(request.inputs))
        return replace(seen, largest=found, in_total=seen.in_total or any(over))

    def _narrow(self, request: Request, seen: Observation) -> Observation:
        over: list[bool] = []
        found = makes_narrow(self._quietly(request, over), self._given(request.inputs))
        return replace(seen, narrow=found, in_total=seen.in_total or any(over))

    def _calls(self, request: Request, seen: Observation) -> Observation:
        over: list[bool] = []
        run, given = self._quietly(request, over), self._given(request.inputs)
        found = borrowed(self.function, lambda: run(given), request.forbidden)
        return replace(seen, calls=found, in_total=seen.in_total or any(over))

    def _loop(self, request: Request, seen: Observation) -> Observation:
        return replace(seen, loop=may_loop(self.function))

    def _signature(self, request: Request, seen: Observation) -> Observation:
        return replace(seen, signature=_signature(self.function, request.parameters))


_ASPECTS: dict[str, Callable[[Witness, Request, Observation], Observation]] = {
    "value": Witness._value,
    "gradients": Witness._gradients,
    "largest": Witness._largest,
    "narrow": Witness._narrow,
    "calls": Witness._calls,
    "loop": Witness._loop,
    "signature": Witness._signature,
}


class _Spread:
    """A generator function as one function of the arguments of all ranks."""

    def __init__(self, function: Callable[..., Any], traffic: list[Any]) -> None:
        self.function, self.traffic = function, traffic

    def __call__(self, *per_rank: list[Any]) -> Any:
        return on_ranks(self.function, list(per_rank), self.traffic)


def _state(value: Any) -> bytes:
    """Return where a generator stands; nothing for anything else."""
    return value.get_state().numpy().tobytes() if isinstance(value, torch.Generator) else b""


def _changed(inputs: Mapping[str, Any], given: list[Any]) -> tuple[str, ...]:
    """Return the names of the tensors, arrays and containers that are not what they were."""
    kinds = (Array, list, dict)
    pairs = zip(inputs.items(), given, strict=True)
    return tuple(
        name
        for (name, before), after in pairs
        if isinstance(before, kinds) and not _equal(before, plain(after))
    )


def _equal(before: Any, after: Any) -> bool:
    if isinstance(before, Array):
        if not isinstance(after, Array) or before.numbers is None or after.numbers is None:
            return False
        nan = before.numbers.dtype.kind in "fc"
        return before.dtype == after.dtype and np.array_equal(
            before.numbers, after.numbers, equal_nan=nan
        )
    if isinstance(before, list | tuple):
        if type(before) is not type(after) or len(before) != len(after):
            return False
        return all(_equal(one, other) for one, other in zip(before, after, strict=True))
    if isinstance(before, dict):
        if not isinstance(after, dict) or list(before) != list(after):
            return False
        return all(_equal(before[name], after[name]) for name in before)
    return type(before) is type(after) and bool(before == after)


def _signature(function: Any, parameters: tuple[str, ...]) -> Signature:
    words = described(plain(function))
    if not callable(function):
        is_result = isinstance(function, torch.Tensor | np.ndarray | tuple | float)
        return Signature(is_callable=False, words=words, is_result=is_result)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return Signature(is_callable=True, words=words)  # calling it will tell
    try:
        signature.bind(*parameters)
    except TypeError:
        return Signature(is_callable=True, words=words, text=str(signature), fits=False)
    return Signature(is_callable=True, words=words, text=str(signature))
