"""A notebook runs to its end: what a cell does to its process costs that cell alone.

nbgrader's own step goes on after an error and after a cell that can be interrupted. A process that
ended, or that cannot be interrupted, ends the grading of the notebook. Here it is replaced by a new
one in which the earlier cells run again, without the cell that ended it.
"""

import ast
import os
from typing import Any

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.notebooknode import NotebookNode, from_dict
from nbgrader.preprocessors import Execute

from grading.doctor.healing import COURSE_KEY
from grading.doctor.python_text import names_read
from grading.journal.place import OWNER
from grading.nbgrader_steps.fail_closed import is_check

#: As often a process that died before its first cell is started; no learner has a part in that.
MOST_STARTS = 3
#: As often a process is replaced; what then is left is not run.
MOST_RESTARTS = 5
#: As many characters of one output are kept.
LONGEST = 100_000
#: How a check's text calls what the release imports, whatever a learner calls by that name.
PRIVATE = "_released_"


class ExecuteToTheEnd(Execute):  # type: ignore[misc]  # nbgrader has no types
    """Run every cell that can be run, and each check with what the release imports."""

    def start_new_kernel(self, **options: Any) -> None:
        """Start a process that keeps no learner's journal."""
        environment = os.environ | {OWNER: "off"}
        super().start_new_kernel(**({"env": environment} | options))

    def start_new_kernel_client(self, **options: Any) -> Any:
        """Wait until the process answers; where it dies before it does, start another.

        It is told on which ports to listen, and they are free when they are chosen: another
        process that starts at the same time may take one before it does.
        """
        for _ in range(MOST_STARTS - 1):
            try:
                return super().start_new_kernel_client(**options)
            except RuntimeError as error:
                self.log.warning("The process is started again: %s", error)
                self.km = self.create_kernel_manager()
                self.start_new_kernel()
        return super().start_new_kernel_client(**options)

    def preprocess(
        self, nb: NotebookNode, resources: Any, km: Any = None
    ) -> tuple[NotebookNode, Any]:
        """Run a notebook."""
        self.left_out: set[int] = set()
        self.restarts = 0
        self.gave_up = False
        self.wants_to_exit = False
        self.course = nb.metadata.get(COURSE_KEY, {})
        done: tuple[NotebookNode, Any] = super().preprocess(nb, resources, km)
        return done

    def preprocess_cell(
        self, cell: NotebookNode, resources: Any, index: int
    ) -> tuple[NotebookNode, Any]:
        """Run one cell; if the process ends, go on in a new one."""
        if cell.cell_type != "code" or self.gave_up:
            return cell, resources
        source = cell.source
        try:
            if is_check(cell):
                self.prepare(cell, index)
                cell.source = private_names(source, self.course.get("imports", {}))
            super().preprocess_cell(cell, resources, index)
        except (DeadKernelError, CellTimeoutError) as error:
            self.end_in(cell, index, error)
        finally:
            cell.source = source
        if self.wants_to_exit:
            self.wants_to_exit = False
            self.left_out.add(index)
            self.note(index, "asked the process to end")
            self.restart(index)
        shorten(cell)
        return cell, resources

    def on_cell_executed(self, **arguments: Any) -> None:
        """Note a cell that may not run again, and one whose `quit()` takes effect later."""
        super().on_cell_executed(**arguments)
        content = arguments["execute_reply"]["content"]
        if content.get("ename") == self.error_on_timeout["ename"]:
            self.left_out.add(arguments["cell_index"])
        payload = content.get("payload") or []
        self.wants_to_exit = any(one.get("source") == "ask_exit" for one in payload)

    def end_in(self, cell: NotebookNode, index: int, error: Exception) -> None:
        """Let a cell show that the process ended in it, and go on in a new one."""
        stuck = isinstance(error, CellTimeoutError)
        text = "did not stop when its time was up" if stuck else "ended the process"
        output = {"output_type": "error", "ename": type(error).__name__, "traceback": []}
        output["evalue"] = f"This cell {text} that runs the notebook."
        cell.outputs.append(from_dict(output))  # type: ignore[no-untyped-call]
        self.left_out.add(index)
        self.note(index, text)
        self.restart(index)

    def note(self, index: int, what: str) -> None:
        """Tell the learner what was left out."""
        line = self.nb.cells[index].source.strip().split("\n")[0][:60]
        self.course.setdefault("repairs", []).append(
            f'The cell that starts "{line}" {what}; the cells behind it were run without it.'
        )

    def restart(self, until: int) -> None:
        """Start a new process, and run in it what led up to a cell."""
        while self.restarts < MOST_RESTARTS:
            self.restarts += 1
            self._cleanup_kernel()
            self.km = self.create_kernel_manager()
            self.start_new_kernel()
            self.start_new_kernel_client()
            ended = self.replay(until)
            if ended is None:
                return
            self.left_out.add(ended)
        self.gave_up = True
        repairs = self.course.setdefault("repairs", [])
        repairs.append(f"The process ended more than {MOST_RESTARTS} times; the rest was not run.")

    def replay(self, until: int) -> int | None:
        """Run earlier cells again, except checks; return the one in which the process ended."""
        for index, cell in enumerate(self.nb.cells[:until]):
            if cell.cell_type == "code" and index not in self.left_out and not is_check(cell):
                try:
                    self.run_quietly(cell.source, cell)
                except DeadKernelError:
                    return index
        return None

    def run_quietly(self, source: str, cell: NotebookNode) -> None:
        """Run some code without keeping what it shows."""
        assert self.kc is not None
        message = self.kc.execute(source, silent=True, store_history=False, stop_on_error=False)
        self.wait_for_reply(message, cell)

    def prepare(self, cell: NotebookNode, index: int) -> None:
        """Bind what the release imports before a check reads it."""
        imports = self.course.get("imports", {})
        used = names_read(cell.source) & imports.keys()
        code = preparation(imports, used)
        if not code:
            return
        try:
            self.run_quietly(code, cell)
        except DeadKernelError:
            before = [n for n in range(index) if self.nb.cells[n].cell_type == "code"]
            if not before:
                raise
            self.left_out.add(before[-1])
            self.note(before[-1], "ended the process")
            self.restart(index)
            self.run_quietly(code, cell)


def preparation(imports: dict[str, str], used: set[str] | frozenset[str]) -> str:
    """Return code that binds the names of a check anew, and imported modules that were lost.

    A module counts as lost where its name is gone or stands for no module.
    """
    modules = {name: line for name, line in imports.items() if line.startswith("import ")}
    lines = [
        f"exec({imports[name]!r}, (_space := {{}})); {PRIVATE}{name} = _space[{name!r}]"
        for name in sorted(used)
    ]
    lines += [
        f"if not isinstance(globals().get({name!r}), type(__import__('sys'))): {line}"
        for name, line in modules.items()
    ]
    return "\n".join(lines)


def private_names(source: str, imports: dict[str, str]) -> str:
    """Return a check's text in which names of the release's imports are those bound for it."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return source
    lines = source.encode().split(b"\n")
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id in imports]
    for node in sorted(names, key=lambda node: (node.lineno, node.col_offset), reverse=True):
        line = lines[node.lineno - 1]
        start = line[: node.col_offset] + PRIVATE.encode()
        lines[node.lineno - 1] = start + line[node.col_offset :]
    return b"\n".join(lines).decode()


def shorten(cell: NotebookNode) -> None:
    """Cut what a cell printed, and drop what it displayed, where that is longer than a page."""
    for output in cell.outputs:
        if output.output_type == "stream" and len(output.text) > LONGEST:
            output.text = f"{output.text[:LONGEST]}\n[{len(output.text)} characters, cut here]"
        for kind, value in output.get("data", {}).items():
            if len(str(value)) > LONGEST * (20 if kind.startswith("image/") else 1):
                output.data[kind] = f"[{len(str(value))} characters, not kept]"
