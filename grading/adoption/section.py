"""A learner's part: their answer, with what it needs, in a function's scope of its own."""

import ast
from dataclasses import dataclass

from grading.adoption.indented import indented
from grading.adoption.names import names_of
from grading.adoption.needed import needed
from grading.adoption.statements import Code, Statement
from grading.exercise import Exercise

__all__ = ["Section", "sections"]


@dataclass(frozen=True, slots=True)
class Section:
    """A learner's part as it stands in mine.py.

    Attributes:
        name: the exercise's name.
        text: the function that makes it; "" where there is none.
        reason: why there is none.
        doubts: what may be why it does otherwise here than in its notebook.
    """

    name: str
    text: str = ""
    reason: str = ""
    doubts: str = ""


def sections(exercise: Exercise, code: Code) -> list[Section]:
    """Return what may be the learner's answer to an exercise, the likeliest one first; often none.

    That is what the last check in the notebook sees; or what stands at the notebook's end, if the
    answer was written below its check.
    """
    names = (exercise.name, *exercise.formerly)
    end = len(code.statements)
    checks = list(_checks(code.statements, names))
    plain = [ast.Name(name) for name in names]
    tried = [*checks[-1:], *((end, one) for one in [*(one for _, one in checks[-1:]), *plain])]
    found: list[Section] = []
    for place, answer in tried:
        one = _section(exercise.name, code, answer, place)
        if one is not None and one not in found:
            found.append(one)
    if found:
        return found
    cell = _unreadable(code, names)
    if cell:
        return [Section(exercise.name, reason=f"not gathered: {cell}")]
    if checks:
        asked = ast.unparse(checks[-1][1])
        reason = f"not gathered: no statement of the notebook defines `{asked}`"
        return [Section(exercise.name, reason=reason)]
    return []


def _checks(statements: list[Statement], names: tuple[str, ...]) -> list[tuple[int, ast.expr]]:
    """Return where an answer of these names is checked, and the answer as it stands there."""
    found = []
    for number, one in enumerate(statements):
        for call in ast.walk(one.node):
            if not isinstance(call, ast.Call) or not call.args:
                continue
            if ast.unparse(call.func).rpartition(".")[2] != "check":
                continue
            keywords = {word.arg: word.value for word in call.keywords}
            said = keywords.get("exercise", call.args[1] if len(call.args) > 1 else None)
            name = said.value if isinstance(said, ast.Constant) else None
            if name is None and isinstance(call.args[0], ast.Name):
                name = call.args[0].id
            if name in names:
                found.append((number, call.args[0]))
    return found


def _section(name: str, code: Code, answer: ast.expr, place: int) -> Section | None:
    """Return an answer at a place of its notebook as a section; None where there is none."""
    asked = names_of(ast.Expr(answer))
    reads = asked.now | asked.later
    own = needed(code.statements, reads, place)
    if reads & set(own.missing):
        return None
    reason = _refused(own.statements)
    if reason:
        return Section(name, reason=f"not gathered: {reason}")
    text = _scope(name, own.statements, answer)
    if not text:
        return Section(name, reason="not gathered: its text means something else in a function")
    doubts = [
        f"reads `{one}`, which nothing above its check defines by name" for one in own.missing
    ]
    doubts += [f"depends on what a cell does with `{one}`" for one in own.acts]
    return Section(name, text, doubts=" and ".join(doubts[:2]))


def _refused(statements: list[Statement]) -> str:
    """Return why an answer cannot stand in a scope of its own; "" where it can."""
    for one in statements:
        if one.names.outside:
            kept = ", ".join(sorted(one.names.outside))
            return f"it writes `global {kept}`; a part keeps nothing outside its own scope"
        is_import = isinstance(one.node, ast.Import | ast.ImportFrom)
        if is_import and "mine" in ast.unparse(one.node).replace(",", " ").split():
            return "it uses mine.py itself; define what it needs in the notebook"
    return ""


def _scope(name: str, statements: list[Statement], answer: ast.expr) -> str:
    """Return a function that holds statements as they are and returns an answer; "" if none can."""
    for with_documents in (True, False):
        lines = [f"def {name}():"]
        for number, one in enumerate(statements):
            apart = number > 0 and not _may_touch(statements[number - 1], one)
            lines += ["", one.text] if apart else [one.text]
        lines += ["", f"return {ast.unparse(answer)}"]
        text = lines[0] + "\n" + indented("\n".join(lines[1:]), documents=with_documents)
        if _is_unchanged(text, statements):
            return text
    return ""


def _may_touch(above: Statement, below: Statement) -> bool:
    """Return whether a statement may stand directly below another."""
    kinds = (ast.Import | ast.ImportFrom, ast.Assign | ast.AnnAssign | ast.AugAssign)
    both = (above.node, below.node)
    return any(all(isinstance(node, kind) for node in both) for kind in kinds)


def _is_unchanged(text: str, statements: list[Statement]) -> bool:
    """Return whether a section's text still says what its statements said."""
    try:
        compile(text, "mine.py", "exec", dont_inherit=True)
        (function,) = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    assert isinstance(function, ast.FunctionDef)
    written = [_dumped(node) for node in function.body[:-1]]
    return written == [_dumped(one.node) for one in statements]


def _dumped(node: ast.stmt) -> str:
    """Return a statement's syntax as text; how far a docstring is indented does not count."""
    copy = ast.parse(ast.unparse(node))
    for inner in ast.walk(copy):
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            document = ast.get_docstring(inner)
            if document is not None:
                lines = [line.rstrip() for line in document.split("\n")]
                inner.body[0] = ast.Expr(ast.Constant("\n".join(lines)))
    return ast.dump(copy)


def _unreadable(code: Code, names: tuple[str, ...]) -> str:
    """Return what is wrong with the cell in which an answer stands; "" where nothing is."""
    for text, why in code.unreadable:
        if any(f"def {name}(" in text or f"{name} =" in text for name in names):
            return f"Python cannot read its cell ({why})"
    return ""
