"""What is asked of a witness, and the observation that it gives back."""

import builtins
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from grading.observation.values import Array

__all__ = [
    "LONG",
    "PATIENCE",
    "Error",
    "Observation",
    "Request",
    "Signature",
    "UnanswerableError",
    "Warned",
]

#: So many characters of an error's or a warning's text are kept.
LONG = 10**4
#: So many times its seconds a run may last where other processes have the machine, or it sleeps.
PATIENCE = 3
#: All that can be seen of a function.
ASPECTS = ("value", "twice", "gradients", "largest", "narrow", "calls", "loop", "signature")


class UnanswerableError(LookupError):
    """A question that nobody can answer: the fault of who asks, and of no learner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a witness shall do with the function, and what of it it shall tell.

    Attributes:
        inputs: the arguments, by name and in their order.
        see: what is wanted; each but the last two is a run of its own.
            "value": what it returns or raises, prints, warns of, changes.
            "twice": whether a second call, with other numbers, changes what the first returned.
            "gradients": what flows back from its results to its floating-point tensors.
            "largest": the largest tensor or array that it makes on the way.
            "narrow": whether it makes numbers of less than float64 on the way.
            "calls": the calls that the task does not allow.
            "loop": whether a loop may stand in its text.
            "signature": whether it takes such arguments.
        seconds: how long one run may take; on a busy machine, of what the process gets of it.
        forbidden: dotted names that must not be called.
        parameters: the names of the contract's arguments, for "signature".
        optional: how many of the last ones a call may leave out.
        aloud: whether what it prints and warns of is let through, and not only told.
    """

    inputs: Mapping[str, Any] = field(default_factory=dict)
    see: tuple[str, ...] = ("value",)
    seconds: float = 5.0
    forbidden: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    optional: int = 0
    aloud: bool = False

    def __post_init__(self) -> None:
        """Refuse what no witness sees."""
        unknown = [name for name in self.see if name not in ASPECTS]
        if unknown:
            raise UnanswerableError(f"a witness sees {', '.join(ASPECTS)}; not {unknown[0]!r}")


@dataclass(frozen=True, slots=True)
class Error:
    """An error that the function raised.

    Attributes:
        kinds: the names of its class and of all above it: ("ZeroDivisionError",
            "ArithmeticError", "Exception", …).
        text: what it says; "" where it has no text.
        line: the number and the text of the learner's own line at which it arose, or None.
    """

    kinds: tuple[str, ...]
    text: str
    line: tuple[int, str] | None = None

    @classmethod
    def of(cls, error: BaseException, line: tuple[int, str] | None = None) -> "Error":
        """Return an error as plain data; one whose text raises is still an error."""
        kinds = tuple(kind.__name__ for kind in type(error).__mro__ if kind is not object)
        try:
            text = str(error)[:LONG]
        except Exception:
            text = ""
        return cls(kinds, text, line)

    def again(self) -> Exception:
        """Return an error of that kind and text, as whoever called the function meets it.

        The error itself holds frames, and they hold the code of what was called.
        """
        known = [getattr(builtins, name, None) for name in self.kinds]
        at = next(n for n, one in enumerate(known) if isinstance(one, type))
        kind: Any = known[at]
        for name in reversed(self.kinds[:at]):
            kind = type(name, (kind,), {})
        try:
            return kind(self.text)  # type: ignore[no-any-return]
        except TypeError:  # some take more than a text
            return RuntimeError(self.text)

    @property
    def first_line(self) -> str:
        """The first line of its text, without a full stop."""
        return (self.text.strip().splitlines() or [""])[0].rstrip(".")


@dataclass(frozen=True, slots=True)
class Warned:
    """A warning: the class by its full name, the text, the place, the module it was given in."""

    category: str
    text: str
    filename: str
    line: int
    module: str | None = None


@dataclass(frozen=True, slots=True)
class Signature:
    """What can be said of an answer without calling it.

    Attributes:
        is_callable: whether it is a function at all.
        words: what it is, "a tensor of float32".
        is_result: whether it looks like what such a function returns.
        text: its signature, "(query, key)"; None where it has none to show.
        fits: whether it takes the contract's arguments, with and without those that may be left
            out; True where that cannot be known.
        defaults: by the contract's names, what stands in where one is left out, as far as known.
    """

    is_callable: bool
    words: str
    is_result: bool = False
    text: str | None = None
    fits: bool = True
    defaults: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a function did; what was not asked for is as it stands here.

    Attributes:
        value: what it returned, as plain data. Where an argument is handed over in turn: for each
            call what it returned, or the `Error` that it raised.
        error: what it raised instead.
        timed_out: whether it was stopped.
        in_total: whether the time of all its runs together was over.
        deaf: whether it caught, again and again, what was raised to stop it.
        unseen: the name of the error that looking at its result raised; else "".
        changed: the arguments that it changed.
        overwritten: whether a second call, with other numbers, changed what the first returned.
        moved: whether it drew from a generator that it was given.
        traffic: what the ranks of a generator function handed on, step by step.
        gradients: one for each floating-point tensor; None where nothing flows back.
        largest: the entries and the shape of the largest tensor made.
        narrow: whether it made numbers of less than float64.
        calls: the calls that are not allowed, the first one first.
        loop: whether there may be a loop in its text.
    """

    value: Any = None
    error: Error | None = None
    timed_out: bool = False
    in_total: bool = False
    deaf: bool = False
    unseen: str = ""
    changed: tuple[str, ...] = ()
    overwritten: bool = False
    moved: bool = False
    traffic: tuple[Any, ...] = ()
    said: str = ""
    warned: tuple[Warned, ...] = ()
    gradients: tuple[Array, ...] | None = None
    largest: tuple[int, tuple[int, ...]] = (0, ())
    narrow: bool = False
    calls: tuple[str, ...] = ()
    loop: bool = True
    signature: Signature | None = None

    @property
    def returned(self) -> bool:
        """Whether the function came to its end."""
        return self.error is None and not self.timed_out
