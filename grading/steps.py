"""What an exercise is made of, step by step: wrong steps, and the products of two of them.

Two mistakes at once hide each other: a number that is too small for a mask, and a row of nothing
else, which nobody mends. So an exercise that consists of steps says how each is done rightly, and
how wrongly under which code; one function puts the steps in a row. From this follow the wrong
functions of the catalogue, each with one wrong step, and every function with two. A small one::

    def compose(do):
        def smooth(x):
            return do.share(do.scale(x))

        return smooth

    SMOOTH = Pipeline(
        steps=(
            Step(name="scale", right=lambda x: x / 2, wrong={"S-DOUBLE": (lambda x: 2 * x,)}),
            Step(name="share", right=lambda x: x / x.sum(), wrong={
                "S-LARGEST": (lambda x: x / x.max(),), "S-NOTHING": (lambda x: x,)}),
        ),
        compose=compose,
    )
    SMOOTH.wrong("S-NOTHING")  # the functions with that step wrong, the other right: x / 2
    SMOOTH.products  # ("S-DOUBLE+S-LARGEST", 0) and ("S-DOUBLE+S-NOTHING", 0)

The exercise gets `steps=SMOOTH`, and its misconceptions come from `exercises/shared/stepwise`.

A wrong way of one step may go with other ways elsewhere, which are no mistake by themselves, or
cannot be told from one there: `Instead` says so. Two mistakes that touch the same step make no
product, for nobody can do both. So `Instead` also keeps those apart whose sentences would not be
true together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from types import MappingProxyType, SimpleNamespace
from typing import Any

from grading.observation.values import numbers

__all__ = ["Instead", "Pipeline", "Step"]

Way = Callable[..., Any]
#: The steps that are done in another way than the right one.
Choice = Mapping[str, Way]
#: A mistake by its code, or two joined by "+", and the number of the variant.
Name = tuple[str, int]


class Instead:
    """A wrong way of one step, and what other steps do beside it, by their names."""

    def __init__(self, way: Way, /, **beside: Way) -> None:
        self.way, self.beside = way, beside


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """One step of an exercise.

    Attributes:
        name: by which `compose` finds it.
        right: the function that does it.
        wrong: the functions that do it wrongly, one or several under each code.
        given: the argument of the exercise without which the step is left out; "" where it never
            is. What two functions do there is looked at once.
    """

    name: str
    right: Way
    wrong: Mapping[str, tuple[Way | Instead, ...]] = field(default_factory=dict)
    given: str = ""

    def choices(self, code: str) -> list[Choice]:
        """Return, for each wrong way under a code, all steps that it touches."""
        ways = (one if isinstance(one, Instead) else Instead(one) for one in self.wrong[code])
        return [{self.name: one.way, **one.beside} for one in ways]


@dataclass(frozen=True, kw_only=True, eq=False)
class Pipeline:
    """The steps of an exercise, and the function that puts them in a row.

    Attributes:
        steps: in their order.
        compose: gets one namespace with a function for each step, and returns the whole function.
    """

    steps: tuple[Step, ...]
    compose: Callable[[Any], Way]

    def answer(self, choice: Choice = MappingProxyType({})) -> Way:
        """Return the function in which some steps are done in another way."""
        right = {step.name: step.right for step in self.steps}
        unknown = sorted(choice.keys() - right.keys())
        if unknown:
            raise ValueError(f"the steps are {', '.join(right)}; not {unknown[0]!r}")
        return self.compose(SimpleNamespace(**right | dict(choice)))

    def wrong(self, code: str) -> tuple[Way, ...]:
        """Return the functions in which one step is wrong, under that code."""
        chosen = [choice for (name, _), choice in self.mistakes.items() if name == code]
        return tuple(self.answer(choice) for choice in chosen)

    def function(self, name: Name) -> Way | None:
        """Return the function of a mistake or of a product, or None where there is none."""
        choice = self.mistakes.get(name) or self.products.get(name)
        return None if choice is None else self.answer(choice)

    @cached_property
    def mistakes(self) -> dict[Name, Choice]:
        """Every wrong way, by its code and number, in the order of the steps."""
        return {
            (code, number): choice
            for step in self.steps
            for code in step.wrong
            for number, choice in enumerate(step.choices(code))
        }

    @cached_property
    def products(self) -> dict[Name, Choice]:
        """Every two mistakes of different codes that touch different steps."""
        found: dict[Name, Choice] = {}
        count: dict[str, int] = {}
        for (one, choice), (other, more) in combinations(self.mistakes.items(), 2):
            if one[0] == other[0] or choice.keys() & more.keys():
                continue
            code = f"{one[0]}+{other[0]}"
            found[code, count.setdefault(code, 0)] = {**choice, **more}
            count[code] += 1
        return found

    def made_of(self, codes: Iterable[str]) -> tuple[Name, ...]:
        """Return the products of mistakes with these codes."""
        known = frozenset(codes)
        if known not in self._made_of:
            self._made_of[known] = tuple(
                name for name in self.products if known.issuperset(name[0].split("+"))
            )
        return self._made_of[known]

    def left_out(self, inputs: Mapping[str, Any]) -> frozenset[str]:
        """Return the steps that are not done on such inputs."""
        return frozenset(
            step.name
            for step in self.steps
            if step.given and numbers(inputs.get(step.given)) is None
        )

    def stand_ins(self, inputs: Mapping[str, Any]) -> Mapping[Name, Name | None]:
        """Return for each mistake and product the first one that does the same on such inputs.

        None stands for the right function: all that is wrong is left out there.
        """
        absent = self.left_out(inputs)
        if absent not in self._stand_ins:
            self._stand_ins[absent] = self._who_stands_in(absent)
        return self._stand_ins[absent]

    def _who_stands_in(self, absent: frozenset[str]) -> dict[Name, Name | None]:
        first: dict[frozenset[tuple[str, Way]], Name | None] = {frozenset(): None}
        found: dict[Name, Name | None] = {}
        for name, choice in {**self.mistakes, **self.products}.items():
            left = frozenset((step, way) for step, way in choice.items() if step not in absent)
            found[name] = first.setdefault(left, name)
        return found

    @cached_property
    def _made_of(self) -> dict[frozenset[str], tuple[Name, ...]]:
        return {}

    @cached_property
    def _stand_ins(self) -> dict[frozenset[str], Mapping[Name, Name | None]]:
        return {}
