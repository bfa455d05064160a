"""Is the answer the learner's own? Calls into course_lib and forbidden calls are seen."""

import ast
import importlib.util
import inspect
import sys
import textwrap
from collections.abc import Callable, Collection
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from grading.witness.dispatch import Watch

__all__ = ["borrowed", "may_loop", "written"]


def _library() -> str:
    """Return where course_lib lies, which is never imported here; "" where it is not."""
    spec = importlib.util.find_spec("course_lib")
    return str(Path(spec.origin).parent) if spec is not None and spec.origin else ""


LIBRARY = _library()


def borrowed(run: Callable[[], Any], forbidden: Collection[str]) -> tuple[str, ...]:
    """Return the names of the calls that the task does not allow, the first one first.

    The call is watched and not the text, so a renamed import is seen as well.

    Args:
        run: runs the answer once.
        forbidden: dotted names.
    """
    seen: list[str] = []
    own: list[str] = []
    previous = sys.getprofile()
    dispatched = Watch(lambda name, made: own.append(name) if name in forbidden else None)
    with dispatched:
        sys.setprofile(_watcher(seen, _by_identity(forbidden)))
        try:
            run()
        finally:
            sys.setprofile(previous)
    return tuple(dict.fromkeys([*seen, *(f"PyTorch's own {name}" for name in own)]))


#: Built-in functions that go through nothing.
_STRAIGHT = {"len", "float", "int", "print", "abs", "isinstance", "tuple", "list", "zip", "range"}
#: Functions of NumPy that call another one again and again.
_LOOPING = {"vectorize", "apply_along_axis", "fromiter", "fromfunction", "reduce"}


def _is_numpy(called: ast.Attribute) -> bool:
    """Return whether a call is one of NumPy or mathematics that holds no loop of the learner's."""
    owner = called.value.id if isinstance(called.value, ast.Name) else ""
    known = owner in ("np", "numpy", "math") or hasattr(np.ndarray, called.attr)
    return known and called.attr not in _LOOPING


def _tree(function: Callable[..., Any]) -> ast.Module | None:
    """Return the answer's text as a tree, where there is a text."""
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return None


def may_loop(function: Callable[..., Any]) -> bool:
    """Return whether there is a loop in the answer's text, or a call in which one could be."""
    tree = _tree(function)
    if tree is None:
        return True
    loops = (ast.For, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
    for node in ast.walk(tree):
        if isinstance(node, loops):
            return True
        called = node.func if isinstance(node, ast.Call) else None
        # A function by its bare name may be the learner's own, or map.
        if isinstance(called, ast.Name) and called.id not in _STRAIGHT:
            return True
        if isinstance(called, ast.Attribute) and not _is_numpy(called):
            return True
    return False


def written(function: Callable[..., Any], forbidden: Collection[str]) -> tuple[str, ...]:
    """Return the first forbidden name that stands in the answer's text, where there is a text.

    Operators such as ``@`` and NumPy's universal functions leave no call that could be watched.
    """
    names = {
        name.rpartition(".")[2]: name for name in forbidden if name.startswith("numpy.")
    }  # fmt: skip
    for node in ast.walk(_tree(function) or ast.Module([], [])):
        if isinstance(node, ast.MatMult) and "@" in forbidden:
            return ("@, the matrix product",)
        if isinstance(node, ast.Attribute) and node.attr in names:
            return (names[node.attr],)
    return ()


def _by_identity(forbidden: Collection[str]) -> dict[int, str]:
    """Return the forbidden functions by identity, since they go by many names."""
    found = {}
    for name in forbidden:
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
            if LIBRARY and code.co_filename.startswith(LIBRARY):
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
