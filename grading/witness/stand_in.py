"""What stands in a learner's hands for a function of the judge's: it can be called, and no more."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from grading.observation.values import Array, Module, Named, Other
from grading.witness.conversion import given, plain

__all__ = ["CallBack", "StandIn"]

#: Calls a function of the judge's by its name, with plain data, and returns plain data.
CallBack = Callable[[str, tuple[Any, ...]], Any]


@dataclass(frozen=True, slots=True)
class _Behind:
    """What a stand-in asks for, whom, and which arguments it takes; None for any."""

    name: str
    asked_for: str
    call_back: CallBack
    takes: inspect.Signature | None


class StandIn:
    """A function that is called back: it looks like any other one, whatever it stands for.

    Arguments and result are copies. Nothing of what it does lies in it, no code and no name.

    Args:
        name: of the argument that it is handed over as.
        named: what is called back; its arguments may hold the "parameters" and their "defaults".
        call_back: reaches the judge.
    """

    __slots__ = ("__weakref__",)

    def __init__(self, name: str, named: Named, call_back: CallBack) -> None:
        _BEHIND[self] = _Behind(name, named.name, call_back, _takes(named))

    @property
    def __name__(self) -> str:
        """The name of the argument."""
        return _BEHIND[self].name

    @property
    def __signature__(self) -> inspect.Signature | None:
        """The arguments that it takes."""
        return _BEHIND[self].takes

    def __repr__(self) -> str:
        """Every one looks like any other."""
        return f"<function {_BEHIND[self].name}>"

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Ask for the result.

        Raises:
            TypeError: if these are no arguments of it, or nothing that can be handed over.
        """
        behind = _BEHIND[self]
        if behind.takes is not None:
            bound = behind.takes.bind(*arguments, **named)
            bound.apply_defaults()
            arguments, named = bound.args, {}
        if named:
            raise TypeError(f"{behind.name} takes its arguments without their names")
        handed = tuple(plain(argument) for argument in arguments)
        for place, value in enumerate(handed):
            if odd := _odd(value):
                raise TypeError(
                    f"{behind.name} takes tensors, arrays and numbers; argument {place} is {odd}"
                )
        return given(behind.call_back(behind.asked_for, handed))


#: Not in the stand-in itself, where it could be read.
_BEHIND: "WeakKeyDictionary[StandIn, _Behind]" = WeakKeyDictionary()


def _takes(named: Named) -> inspect.Signature | None:
    if "parameters" not in named.arguments:
        return None
    defaults, kind = named.arguments.get("defaults", {}), inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Signature(
        [
            inspect.Parameter(name, kind, default=defaults.get(name, inspect.Parameter.empty))
            for name in named.arguments["parameters"]
        ]
    )


def _odd(value: Any) -> str:
    """Say what a value is, or holds, that cannot be handed over; "" where it can."""
    if isinstance(value, Array) and value.numbers is None:
        noun = "tensor" if value.kind == "tensor" else "array"
        return f"{value.odd} {noun}" if value.odd else f"an array of {value.dtype}"
    if isinstance(value, Other):
        return value.words
    if isinstance(value, Module):
        return "a module"
    inside = value.values() if isinstance(value, dict) else value
    several = inside if isinstance(value, dict | list | tuple) else ()
    return next((odd for odd in map(_odd, several) if odd), "")
