"""What an exercise is: data that the check, the kill table, the linter and the notebooks all read.

Adding an exercise is one file like this one in ``grading/exercises/<chapter>/`` and one task in
the notebook ``solutions/<slug>/<slug>.ipynb``. Its running half (`draw`, the reference, wrong
functions, right ones in other styles) uses PyTorch. Its judging half (laws, `judge`, `view`,
`recognise`, words) sees NumPy's arrays and is read where there is no PyTorch::

    from grading.late import late, torch

    library = late("course_lib.softmax")

    def draw(generator):
        return {"x": torch.randn(3, 5, generator=generator, dtype=torch.float64)}

    SOFTMAX = Exercise(
        name="softmax", slug="softmax", task="softmax", title="A stable softmax", points=1.0,
        kind="implement", difficulty=2, importance=3, minutes=15, parameters=("x",),
        outputs=(Output(name="weights", axes="T S"),), equation="eq-softmax",
        reference=lambda x: library.softmax(x),
        probes=(Probe(name="three rows of five", draw=draw, sizes={"T": 3, "S": 5}),),
        misconceptions=(Misconception(
            code="SM-NOEXP", wrong=lambda x: x / x.sum(-1, keepdim=True),
            sentence="The scores are divided by their sum without the exponential."),),
        alternatives=(lambda x: torch.softmax(x, -1), lambda x: x.exp() / x.exp().sum(-1, True)),
    )

The chapter's ``__init__.py`` lists it in ``EXERCISES``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from grading.late import torch
from grading.observation.seen import Observation
from grading.observation.values import Inputs, LeftOut
from grading.steps import Pipeline
from grading.tolerance import ALIKE, DOUBLE, HALF, SINGLE, Tolerance

__all__ = [
    "HALF", "SINGLE", "Answer", "Exercise", "Inputs", "Law", "LeftOut", "Misconception", "Output",
    "Probe", "Seen", "Tolerance",
]  # fmt: skip

Kind = Literal["warm-up", "predict", "implement", "bug", "measure", "test"]
Stage = Literal["values", "gradient", "cost", "inputs", "generator"]
Answer = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One thing that an answer returns.

    Attributes:
        name: how the feedback calls it, for example "weights".
        axes: the letters of its axes, "..." for any leading ones; "" for a number.
        kind: a tensor, a NumPy array, a Python number, one that is an int, True or False, a list of
            numbers, or anything (then the exercise judges).
        dtype: the dtype it must have, "bool", or None for the dtype of the first floating input.
        made_from: an output that it is made from, which is shown where both are wrong.
    """

    name: str
    axes: str = ""
    kind: Literal["tensor", "array", "number", "int", "bool", "list", "any"] = "tensor"
    dtype: str | None = None
    made_from: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Inputs on which mistakes become visible.

    Attributes:
        name: what is special about these inputs, in words that a learner knows: it stands in the
            feedback.
        draw: makes the inputs, named and in the order of the parameters, from a generator. An
            argument with a default that stands at the end may be `LeftOut`.
        sizes: what each letter is here. The linter wants them all different; errors about sizes
            are explained with them.
        edge: a small case where sizes coincide on purpose, exempt from the linter.
        control: rows at a limit, extreme or empty, where a second fault shows as well. What an
            answer does on the other probes is enough to recognise its first one.
        gradient: whether the gradient is compared here too, and has to be finite.
        single: whether the same inputs in float32 must be accepted too.
        half: the same in bfloat16.
        tolerance: overrides the exercise's.
    """

    name: str
    draw: Callable[[torch.Generator], Inputs]
    sizes: Mapping[str, int] = field(default_factory=dict)
    edge: bool = False
    control: bool = False
    gradient: bool = False
    single: bool = False
    half: bool = False
    tolerance: Tolerance | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What an exercise judges: one answer on one probe.

    Attributes:
        inputs: by name; NumPy arrays where there were tensors.
        outputs: what the answer returned, one per output of the exercise, in the same way.
        returned: the same, where a tensor says that it was one (`grading.observation.values`).
        seen: all that was observed; what the ranks of a ring handed on, for example.
        observe: asks what somebody does on other inputs, and for nothing but its value unless it
            is said what to see ("gradients", "largest", … as in a `Request`). Who: "the answer",
            "the reference", one of the exercise's own functions by its name, a mistake by its
            code; another name is an UnanswerableError. None where nobody can be asked. An answer
            that is stopped then is refused for it. A function, which may get a learner's own
            inputs, is seen to be stopped (`timed_out`); anybody else is an UnanswerableError.
    """

    inputs: Inputs
    outputs: tuple[Any, ...]
    returned: tuple[Any, ...]
    seen: Observation
    observe: Callable[..., Observation | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """A rule that every right answer obeys, whatever the inputs.

    Attributes:
        rule: the rule in a few words: "each row of weights sums to 1".
        broken: returns what was seen, without a full stop, or None where the rule holds.
        output: the name of the output that it speaks of; "" is the first one.
    """

    rule: str
    broken: Callable[[Seen], str | None]
    output: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Misconception:
    """A mistake that people make, as a function that makes it.

    Attributes:
        code: its name, "SDPA-NOSCALE".  sentence: what was done and what it causes; no code.
        wrong: the function that makes the mistake. An answer that behaves like it on every probe
            is recognised, however it is written.
        recognise: for mistakes that are a family and not one function: gets the observed outputs
            of each probe by name (an `Error` where it raised) and the right ones, and says whether
            they belong to it. Asked where no function of the catalogue behaves like the answer.
        also: variants of the mistake that behave otherwise; each is recognised too.
        shows: where it becomes visible: in what the function returns or raises, or only in its
            gradient, its cost, its inputs, or in what it does with its random generator.
    """

    code: str
    sentence: str
    wrong: Answer
    recognise: Callable[[Mapping[str, Any], Mapping[str, Any]], bool] | None = None
    also: tuple[Answer, ...] = ()
    shows: Stage = "values"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise:
    """One task, its truth, and the mistakes that its grader must name.

    Attributes:
        name: the function's name, unique in the course.
        slug: the chapter.  task: the cell is ``<slug>-<task>``.
        several: the name behind the * where a call may give fewer arguments, "masks".
        formerly: names that it had before, under which old copies still check it.
        defaults: what the last parameters are where a call leaves them out.
        axes: the letters of each argument's axes, "... T D", by which the inputs are cut down to
            the smallest example. "..." are axes that may be dropped; not where one is counted.
        fitted: makes inputs that were cut down obey the contract again: rows that sum to 1.
        reference: the truth; the values are compared with what it returns.
        judge: replaces the comparison with the reference: says what is wrong, or returns None.
        view: what is compared and shown; default: the outputs.
        told: replaces it by words: how an answer differs from the reference; None where it agrees.
        functions: what laws, judge and view ask of besides, by name; and what an input that is
            `Named` calls back.
        alike: how closely an answer agrees with a mistake that it is taken for. Measures: widely.
        forbidden: dotted names that the answer must not call: "torch.softmax"; one of the
            dispatcher's, "aten._softmax", is seen whatever was called to get there.
        noise: how far a measure's results with many seeds lie apart on its last probe, by inputs.
        largest: the most elements that a tensor or array made on the way may have, by inputs.
        loops: whether an answer without any loop is refused.
        equation: the label of the equation to read, "eq-sink" or "softmax#eq-sink".
        next_rung: one sentence shown on success: what to try next.
        part: the library's function for which an answer can stand; or "".
        steps: what it consists of (`grading.steps`), so that two mistakes at once are named.
    """

    name: str
    slug: str
    task: str
    title: str
    kind: Kind
    points: float
    difficulty: int
    importance: int
    minutes: int
    parameters: tuple[str, ...]
    outputs: tuple[Output, ...]
    reference: Answer
    probes: tuple[Probe, ...]
    misconceptions: tuple[Misconception, ...]
    alternatives: tuple[Answer, ...]
    equation: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    axes: Mapping[str, str] = field(default_factory=dict)
    fitted: Callable[[Inputs], Inputs] | None = None
    laws: tuple[Law, ...] = ()
    judge: Callable[[Seen], str | None] | None = None
    view: Callable[[Seen], tuple[Any, ...]] | None = None
    told: Callable[[Seen, Seen], str | None] | None = None
    functions: Mapping[str, Answer] = field(default_factory=dict)
    tolerance: Tolerance = DOUBLE
    alike: Tolerance = ALIKE
    forbidden: tuple[str, ...] = ()
    noise: Callable[[Inputs], float] | None = None
    largest: Callable[[Inputs], int] | None = None
    loops: bool = False
    time_limit: float = 5.0
    next_rung: str = ""
    several: str = ""
    formerly: tuple[str, ...] = ()
    part: str = ""
    steps: Pipeline | None = None

    @property
    def signature(self) -> str:
        """The contract's arguments with their defaults, "x, axis=-1", or "*masks"."""
        given = {name: f"{name}={default!r}" for name, default in self.defaults.items()}
        names = ", ".join(given.get(name, name) for name in self.parameters)
        return f"*{self.several}" if self.several else names

    @property
    def cell(self) -> str:
        """The grade_id of the check's cell."""
        return f"{self.slug}-{self.task}"

    @property
    def to_read(self) -> tuple[str, str]:
        """The chapter and the label of the equation to read."""
        chapter, _, label = self.equation.rpartition("#")
        return chapter or self.slug, label
