"""Is the answer the learner's own? Calls into course_lib and forbidden calls are seen."""

import ast
import contextlib
import inspect
import io
import sys
import textwrap
import warnings
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

import course_lib
from grading.calling import call
from grading.dispatch import Watch
from grading.exercise import Answer, Exercise, Probe
from grading.observe import draw

__all__ = ["borrowed", "goes_without_loop"]

LIBRARY = str(Path(course_lib.__file__).parent)


def borrowed(exercise: Exercise, answer: Answer, probe: Probe) -> str | None:
    """Return the name of the first call that the task does not allow, or None.

    The call is watched and not the text, so a renamed import is seen as well. A function that
    lives in another process cannot be watched; its judge has to keep the library out of reach.
    """
    written = _written(exercise, answer)
    if written is not None:
        return written
    seen: list[str] = []
    watch = _watcher(seen, _forbidden(exercise))
    previous = sys.getprofile()
    given = list(draw(exercise, probe).values())
    own: list[str] = []
    dispatched = Watch(lambda name, made: own.append(name) if name in exercise.forbidden else None)
    quiet = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
    with quiet[0], quiet[1], warnings.catch_warnings(), dispatched:
        warnings.simplefilter("ignore")
        sys.setprofile(watch)
        try:
            call(answer, given, exercise.time_limit)
        finally:
            sys.setprofile(previous)
    return next(iter([*seen, *(f"PyTorch's own {name}" for name in own)]), None)


#: Built-in functions that go through nothing.
_STRAIGHT = {"len", "float", "int", "print", "abs", "isinstance", "tuple", "list", "zip", "range"}
#: Functions of NumPy that call another one again and again.
_LOOPING = {"vectorize", "apply_along_axis", "fromiter", "fromfunction", "reduce"}


def _is_numpy(called: ast.Attribute) -> bool:
    """Return whether a call is one of NumPy or mathematics that holds no loop of the learner's."""
    owner = called.value.id if isinstance(called.value, ast.Name) else ""
    known = owner in ("np", "numpy", "math") or hasattr(np.ndarray, called.attr)
    return known and called.attr not in _LOOPING


def goes_without_loop(answer: Answer) -> bool:
    """Return whether the answer's text holds no loop, and calls nothing in which one could be."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(answer)))
    except (OSError, TypeError, SyntaxError):
        return False
    loops = (ast.For, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
    for node in ast.walk(tree):
        if isinstance(node, loops):
            return False
        called = node.func if isinstance(node, ast.Call) else None
        # A function by its bare name may be the learner's own, or map.
        if isinstance(called, ast.Name) and called.id not in _STRAIGHT:
            return False
        if isinstance(called, ast.Attribute) and not _is_numpy(called):
            return False
    return True


def _written(exercise: Exercise, answer: Answer) -> str | None:
    """Return a forbidden name that stands in the answer's text, where there is a text.

    Operators such as ``@`` and NumPy's universal functions leave no call that could be watched.
    """
    numpy = [name for name in exercise.forbidden if name.startswith("numpy.")]
    names = {name.rpartition(".")[2]: name for name in numpy}
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(answer)))
    except (OSError, TypeError, SyntaxError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.MatMult) and "@" in exercise.forbidden:
            return "@, the matrix product"
        if isinstance(node, ast.Attribute) and node.attr in names:
            return names[node.attr]
    return None


def _forbidden(exercise: Exercise) -> dict[int, str]:
    """Return the forbidden functions by identity, since they go by many names."""
    found = {}
    for name in exercise.forbidden:
        module_name, _, attribute = name.rpartition(".")
        module: Any = sys.modules.get(module_name)
        if module is None:
            head, _, tail = module_name.rpartition(".")
            module = getattr(sys.modules.get(head), tail, None)
        function = getattr(module, attribute, None)
        if function is not None:
            found[id(function)] = name
            found[id(getattr(function, "__code__", function))] = name
    return found


def _watcher(seen: list[str], forbidden: dict[int, str]) -> Callable[[FrameType, str, Any], None]:
    def watch(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            code = frame.f_code
            if code.co_filename.startswith(LIBRARY):
                module = Path(code.co_filename).relative_to(Path(LIBRARY).parent).with_suffix("")
                seen.append(f"{'.'.join(module.parts)}.{code.co_name}")
            elif id(code) in forbidden:
                seen.append(forbidden[id(code)])
        elif event == "c_call":
            name = forbidden.get(id(argument)) or _method(argument, forbidden.values())
            if name is not None:
                seen.append(name)

    return watch


def _method(function: Any, forbidden: Any) -> str | None:
    """Return the forbidden name of a bound method, ``x.softmax()`` for "torch.Tensor.softmax"."""
    owner = getattr(function, "__self__", None)
    if owner is None or isinstance(owner, type(sys)):
        return None
    name = f"{type(owner).__module__}.{type(owner).__name__}.{function.__name__}"
    return name if name in forbidden else None
