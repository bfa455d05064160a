"""The witness: runs a function as it is asked to, and tells what it did as plain data."""

import gc
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from grading.observation.seen import Observation, Request, Warned
from grading.observation.values import EachRank
from grading.witness.calling import Called, Clock, call, outcome, settings_kept, told_error
from grading.witness.changes import changed, equal, states
from grading.witness.conversion import other_numbers, plain
from grading.witness.footprint import Run, largest_tensor, makes_narrow
from grading.witness.gradients import gradients
from grading.witness.own_work import borrowed, may_loop, written
from grading.witness.ranks import on_ranks, ranks
from grading.witness.registry import handed_over
from grading.witness.saying import aloud, show, silence, told, warnings_kept
from grading.witness.signature import signature
from grading.witness.stand_in import CallBack
from grading.witness.turns import in_turn, turns

__all__ = ["TOTAL", "Witness"]

#: Seconds that all calls of one function may take together.
TOTAL = 10.0
#: Seconds for telling what it warned of, also where all time is used up.
TELLING = 1.0


class Witness:
    """Stands beside one function.

    Whatever can run code of the learner's stands under the clock: the function, looking at what it
    returned, raised or changed, and letting go of it. An object's own methods can take for ever.

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
                    if seen.unseen:
                        break
            return seen
        except BaseException as error:  # an answer can be built to break whatever looks at it
            return Observation(unseen=type(error).__name__)

    def _clocked(
        self, request: Request, seen: Observation, work: Callable[[], Observation], *held: list[Any]
    ) -> Observation:
        """Observe something within what is left of the time; say so where that was too little.

        What is held in these lists can be the learner's: it is let go within the time as well.
        """
        if self.left <= 0:
            return replace(seen, timed_out=True, in_total=True)
        clock, seconds = Clock(), min(request.seconds, self.left)
        called = call(_unbroken, [work, *held], seconds)
        is_last = self.left < request.seconds
        self.left -= clock.spent
        if called.timed_out:
            call(_let_go, [*held], TELLING)  # while it was made to stop, nothing was
            return replace(seen, timed_out=True, in_total=is_last, deaf=called.deaf)
        found: Observation = called.value if called.returned else Observation(unseen="an error")
        return found

    def _quietly(
        self, request: Request, seen: Observation, work: Callable[[], Observation], *held: list[Any]
    ) -> Observation:
        with silence(), warnings_kept() as caught:
            return self._clocked(request, seen, work, *held, caught)

    def _value(self, request: Request, seen: Observation) -> Observation:
        traffic: list[Any] = []
        # Building arguments is our work, and imports much: it costs the function no time.
        several = turns(request.inputs)
        given = [] if several or ranks(request.inputs) else self._given(request.inputs)
        ran = partial(self._ran, request, seen, given, traffic)
        work = partial(self._ran_in_turn, seen, several) if several else ran
        with warnings_kept() as caught:
            if request.aloud:
                with aloud():
                    seen, said = self._clocked(request, seen, work, given), ""
            else:
                with silence() as collected:
                    seen = self._clocked(request, seen, work, given)
                said = collected.getvalue()
        # A function that was stopped may have warned as well.
        warned = call(_told, [caught, self.function], TELLING).value or ()
        if request.aloud:
            call(show, [warned], TELLING)
        return replace(seen, traffic=tuple(traffic), said=said, warned=warned)

    def _ran(
        self, request: Request, seen: Observation, given: list[Any], traffic: list[Any]
    ) -> Observation:
        """Run the function and tell what it did."""
        before = states(given)
        called = self._called(request, given, traffic)
        return replace(
            seen,
            value=plain(called.value) if called.returned else None,
            error=None if called.error is None else told_error(called.error),
            changed=changed(request.inputs, given) if given else (),
            moved=before != states(given),
        )

    def _ran_in_turn(self, seen: Observation, several: Sequence[Mapping[str, Any]]) -> Observation:
        """Run the function once for each value, whatever it did with the one before."""
        return replace(seen, value=in_turn(self.function, [self._given(one) for one in several]))

    def _given(self, inputs: Mapping[str, Any], rank: int | None = None) -> list[Any]:
        own = {
            name: value.values[rank or 0] if isinstance(value, EachRank) else value
            for name, value in inputs.items()
        }
        return handed_over(own, self.call_back)

    def _called(
        self, request: Request, given: list[Any], traffic: list[Any] | None = None
    ) -> Called:
        """Call the function, or on every rank where its arguments are spread."""
        spread = ranks(request.inputs)
        if not spread:
            return outcome(self.function, given)
        per_rank = [self._given(request.inputs, rank) for rank in range(spread)]
        return outcome(on_ranks, [self.function, per_rank, [] if traffic is None else traffic])

    def _watched(
        self, request: Request, seen: Observation, look: Callable[[Run, list[Any]], Any]
    ) -> tuple[Any, Observation]:
        """Watch one run from outside; return what was found, and whether it was stopped."""
        ends = [seen]

        def run(given: list[Any]) -> None:
            def work() -> Observation:
                self._called(request, given)
                return ends[-1]

            ends.append(self._quietly(request, ends[-1], work, given, arguments))

        arguments = self._given(request.inputs)
        found = look(run, arguments)
        return found, ends[-1]

    def _twice(self, request: Request, seen: Observation) -> Observation:
        given = self._given(request.inputs)
        other = replace(request, inputs=other_numbers(request.inputs))
        again = self._given(other.inputs)

        def work() -> Observation:
            first = self._called(request, given)
            before = plain(first.value)
            self._called(other, again)
            return replace(seen, overwritten=not equal(before, plain(first.value)))

        return self._quietly(request, seen, work, given, again)

    def _gradients(self, request: Request, seen: Observation) -> Observation:
        given = self._given(request.inputs)

        def work() -> Observation:  # what flows back can be the learner's code as well
            found = gradients(lambda one: self._called(request, one).value, given)
            return replace(seen, gradients=found)

        return self._quietly(request, seen, work, given)

    def _largest(self, request: Request, seen: Observation) -> Observation:
        found, seen = self._watched(request, seen, largest_tensor)
        return replace(seen, largest=found)

    def _narrow(self, request: Request, seen: Observation) -> Observation:
        found, seen = self._watched(request, seen, makes_narrow)
        return replace(seen, narrow=found)

    def _calls(self, request: Request, seen: Observation) -> Observation:
        def read() -> Observation:
            return replace(seen, calls=written(self.function, request.forbidden))

        def look(run: Run, given: list[Any]) -> tuple[str, ...]:
            return borrowed(lambda: run(given), request.forbidden)

        told_by_text = self._quietly(request, seen, read)
        if told_by_text.calls or told_by_text.timed_out or told_by_text.unseen:
            return told_by_text
        found, seen = self._watched(request, seen, look)
        return replace(seen, calls=found)

    def _loop(self, request: Request, seen: Observation) -> Observation:
        return self._quietly(request, seen, lambda: replace(seen, loop=may_loop(self.function)))

    def _signature(self, request: Request, seen: Observation) -> Observation:
        def read() -> Observation:
            told = signature(self.function, request.parameters, request.optional)
            return replace(seen, signature=told)

        return self._quietly(request, seen, read)


_ASPECTS: dict[str, Callable[[Witness, Request, Observation], Observation]] = {
    "value": Witness._value,
    "twice": Witness._twice,
    "gradients": Witness._gradients,
    "largest": Witness._largest,
    "narrow": Witness._narrow,
    "calls": Witness._calls,
    "loop": Witness._loop,
    "signature": Witness._signature,
}


def _told(caught: list[warnings.WarningMessage], function: Any) -> tuple[Warned, ...]:
    """Tell the warnings, and let go of them."""
    try:
        return told(caught, function)
    finally:
        caught.clear()


def _unbroken(work: Callable[[], Observation], *held: list[Any]) -> Observation:
    """Observe something, and let go of it; what cannot be looked at is said to be that."""
    try:
        looked = outcome(work, [])
    finally:
        _let_go(*held)
    if looked.error is not None:
        return Observation(unseen=type(looked.error).__name__)
    seen: Observation = looked.value
    return seen


def _let_go(*held: list[Any]) -> None:
    for one in held:
        one.clear()
    gc.collect(1)  # objects that hold each other, an error and its own frame for one
