"""Damaged hand-ins: each made anew from a public thread, with what it deserves.

What a case deserves was written down before it was graded: all points of the checks except those
that it names in `loses`, and whether a person reads the explanation; or nothing, with a reason.
"""

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

GITHUB = "https://github.com/"
Files = dict[str, bytes]


class HandIn:
    """A solved notebook as plain JSON, to be damaged."""

    def __init__(self, released: dict[str, Any], solved: dict[str, Any]) -> None:
        self.name = "softmax"
        self.released = released
        self.nb = copy.deepcopy(solved)

    @property
    def cells(self) -> list[dict[str, Any]]:
        return self.nb["cells"]

    def at(self, name: str) -> int:
        return next(n for n, cell in enumerate(self.cells) if cell.get("id") == name)

    def cell(self, name: str) -> dict[str, Any]:
        return self.cells[self.at(name)]

    def blank(self, name: str) -> dict[str, Any]:
        found = next(cell for cell in self.released["cells"] if cell["id"] == name)
        return copy.deepcopy(found)

    def add(self, source: str, *, behind: str = "", kind: str = "code", **more: Any) -> None:
        made = {"cell_type": kind, "id": f"own-{len(self.cells)}", "metadata": {}, "source": source}
        if kind == "code":
            made |= {"outputs": [], "execution_count": None}
        place = self.at(behind) + 1 if behind else len(self.cells)
        self.cells.insert(place, made | more)

    def text(self) -> str:
        return json.dumps(self.nb, indent=1, ensure_ascii=False) + "\n"

    def files(self, name: str = "softmax.ipynb") -> Files:
        return {name: self.text().encode()}

    def answers(self) -> list[str]:
        return [cell["id"] for cell in self.cells if str(cell.get("id", "")).endswith("-answer")]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One damaged hand-in.

    Attributes:
        name: in a few words, what happened.
        thread: where somebody met it.
        build: makes the files that are handed in.
        loses: the checks that deserve nothing, by the names of their tasks.
        read: whether a person reads the explanation; otherwise nothing was written.
        ungraded: a part of the reason where there is no mark.
    """

    name: str
    thread: str
    build: Callable[[HandIn], Files | None]
    loses: tuple[str, ...] = ()
    read: bool = True
    ungraded: str = ""

    def files(self, hand_in: HandIn) -> Files:
        made = self.build(hand_in)
        return hand_in.files() if made is None else made


CASES: list[Case] = []


def case(thread: str, **deserves: Any) -> Callable[[Callable[[HandIn], Any]], Any]:
    def add(build: Callable[[HandIn], Any]) -> Any:
        name = build.__name__.strip("_").replace("_", "-")
        CASES.append(Case(name=name, thread=GITHUB + thread, build=build, **deserves))
        return build

    return add


EVERYTHING = ("softmax", "logsumexp", "log-softmax")

# --- the bytes of the file


@case("microsoft/markitdown/pull/2425")
def utf_8_with_a_byte_order_mark(one):
    return {"softmax.ipynb": one.text().encode("utf-8-sig")}


@case("jupyter/nbdime/pull/506")
def utf_16(one):
    return {"softmax.ipynb": one.text().encode("utf-16")}


@case("jupyter/nbformat/issues/181")
def utf_32_without_a_mark(one):
    return {"softmax.ipynb": one.text().encode("utf-32-be")}


@case("ucbds-infra/otter-grader/pull/527")
def saved_in_the_encoding_of_windows(one):
    own = "Their sum is 1 \N{EN DASH} always. Na\N{LATIN SMALL LETTER I WITH DIAERESIS}ve!"
    one.cell("explain-answer")["source"] = own
    return {"softmax.ipynb": one.text().encode("cp1252", "ignore")}


@case("microsoft/vscode-jupyter/issues/4576")
def line_ends_of_windows_in_file_and_cells(one):
    for cell in one.cells:
        cell["source"] = "".join(cell["source"]).replace("\n", "\r\n")
    return {"softmax.ipynb": one.text().replace("\n", "\r\n").encode()}


@case("AnswerDotAI/nbdev/issues/365")
def line_ends_of_an_old_mac_in_cells(one):
    for cell in one.cells:
        cell["source"] = "".join(cell["source"]).replace("\n", "\r")


@case("jupyter/help/issues/171")
def text_behind_the_end(one):
    return {"softmax.ipynb": one.text().encode() + b' "nbformat_minor": 5\n}\n'}


@case("wesm/pydata-book/issues/24")
def commas_too_many(one):
    text = one.text().replace('"nbformat_minor": 5', '"nbformat_minor": 5,')
    return {"softmax.ipynb": text.replace("\n ],\n", "\n ,],\n", 1).encode()}


@case("jupyterlab/jupyterlab/issues/5038", ungraded="cut off")
def cut_off(one):
    text = one.text().encode()
    return {"softmax.ipynb": text[: len(text) // 2]}


@case("jupyter/notebook/issues/3285", ungraded="empty")
def empty_file(one):
    return {"softmax.ipynb": b""}


@case("notepad-plus-plus/notepad-plus-plus/issues/6133", ungraded="zero bytes")
def nothing_but_zero_bytes(one):
    return {"softmax.ipynb": bytes(4000)}


@case("ageron/handson-ml/issues/580", ungraded="web page")
def web_page_under_the_name(one):
    return {"softmax.ipynb": b"\n\n\n<!DOCTYPE html>\n<html lang='en'><body>Sign in</body></html>"}


@case("jupyter/help/issues/67")
def conflict_of_git_in_the_file(one):
    ours = json.dumps("So that the sum stays 1.")
    theirs = json.dumps("YOUR ANSWER HERE")
    one.cell("explain-answer")["source"] = "@@"
    block = (
        f'\n<<<<<<< HEAD\n   "source": {ours},\n=======\n   "source": {theirs},\n>>>>>>> a1f5ac\n'
    )
    before, behind = one.text().split('   "source": "@@"')
    block = block.replace(",\n=", "\n=").replace(",\n>", "\n>")
    return {"softmax.ipynb": (before.rstrip(" ") + block.lstrip("\n") + behind).encode()}


@case("jupyter/nbdime/issues/379")
def conflict_of_git_in_a_cell(one):
    cell = one.cell("softmax-answer")
    stub = "".join(one.blank("softmax-answer")["source"])
    own = "".join(cell["source"])
    cell["source"] = f"<<<<<<< local\n{stub}\n=======\n{own}\n>>>>>>> remote\n"


@case("TU-Wien-dataLAB/grader-service/issues/190")
def zero_byte_in_a_cell(one):
    one.cell("softmax-answer")["source"] = "".join(one.cell("softmax-answer")["source"]) + "\0"


@case("kratzert/finetune_alexnet_with_tensorflow/issues/34")
def half_a_surrogate_pair(one):
    one.add("# \ud83d", behind="imports")
    return {"softmax.ipynb": json.dumps(one.nb).encode()}


# --- the notebook's format


@case("jupyter/nbgrader/pull/46")
def format_3(one):
    old = []
    for cell in one.cells:
        kept = {"cell_type": cell["cell_type"], "metadata": cell["metadata"]}
        if cell["cell_type"] == "code":
            code = {"input": cell["source"], "language": "python", "outputs": []}
            kept |= code | {"collapsed": False, "prompt_number": 1}
        else:
            kept["source"] = cell["source"]
        old.append(kept)
    version = {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": "softmax"}}
    one.nb = version | {"worksheets": [{"cells": old, "metadata": {}}]}


@case("jupyter/nbformat/issues/407")
def format_5(one):
    one.nb |= {"nbformat": 5, "nbformat_minor": 9}


@case("jupyter/nbformat/issues/335")
def no_ids(one):
    for cell in one.cells:
        del cell["id"]
    one.nb["nbformat_minor"] = 4


@case("jupyter/nbgrader/issues/1331")
def one_id_for_many_cells(one):
    for cell in one.cells[3:]:
        cell["id"] = "same"


@case("jsboige/CoursIA/pull/15638")
def no_outputs(one):
    for cell in one.cells:
        cell.pop("outputs", None)


@case("deepnote/deepnote/issues/430")
def fields_of_code_in_text_cells(one):
    for cell in one.cells:
        cell |= {"outputs": [], "execution_count": None}
        cell["metadata"]["deepnote_cell_type"] = cell["cell_type"]


@case("petrobras/3W/issues/71")
def no_metadata(one):
    del one.nb["metadata"]
    for cell in one.cells:
        if not cell.get("metadata"):
            cell.pop("metadata", None)


@case("googlecolab/colabtools/issues/4559")
def widgets_without_state(one):
    kind = "application/vnd.jupyter.widget-state+json"
    one.nb["metadata"]["widgets"] = {kind: {"a1": {"model_name": "HTMLModel"}}}


@case("microsoft/azuredatastudio/issues/4863")
def no_execution_counts(one):
    for cell in one.cells:
        cell.pop("execution_count", None)


@case("jupyter/nbconvert/issues/1872")
def fields_of_the_wrong_type(one):
    for cell in one.cells:
        if cell["cell_type"] == "code":
            cell["outputs"] = "0.25"
    one.add("")
    one.cells[-1]["source"] = None
    one.cells.append(None)


@case("jupyter/nbformat/issues/73")
def fields_that_nobody_knows(one):
    for cell in one.cells:
        cell |= {"outputExpanded": False, "collapsed": True}


@case("PrairieLearn/PrairieLearn/issues/3015")
def five_megabytes_of_stored_outputs(one):
    data = {"text/plain": "x" * 5_000_000}
    output = {"output_type": "display_data", "metadata": {}, "data": data}
    one.cell("softmax-answer")["outputs"] = [output]


# --- nbgrader's metadata


def remark(one: HandIn, **changes: Any) -> None:
    for cell in one.cells:
        if "nbgrader" in cell["metadata"]:
            cell["metadata"]["nbgrader"] |= changes


@case("jupyter/nbgrader/issues/883")
def schema_version_1(one):
    remark(one, schema_version=1)


@case("jupyter/nbgrader/issues/1086")
def schema_version_2(one):
    remark(one, schema_version=2)


@case("jupyter/nbgrader/issues/916")
def schema_version_9(one):
    remark(one, schema_version=9, points="many")


@case("microsoft/vscode-jupyter/issues/2325")
def no_metadata_of_any_cell(one):
    for cell in one.cells:
        cell["metadata"] = {}


@case("googlecolab/colabtools/issues/581")
def no_metadata_and_other_ids(one):
    for number, cell in enumerate(one.cells):
        cell["metadata"] = {"id": f"x{number}", "colab": {"base_uri": "here"}}
        cell["id"] = f"x{number}"
    one.nb["metadata"] |= {"colab": {"provenance": []}, "accelerator": "GPU"}


@case("jupyter/nbgrader/issues/981")
def points_raised_and_a_check_rewritten(one):
    check = one.cell("softmax-check")
    check["metadata"]["nbgrader"] |= {"points": 50.0, "locked": False}
    check["source"] = "50.0"


@case("sagemathinc/cocalc/issues/6687")
def names_swapped(one):
    first, second = one.cell("softmax-answer"), one.cell("logsumexp-answer")
    first["metadata"], second["metadata"] = second["metadata"], first["metadata"]
    first, second = one.cell("softmax-check"), one.cell("explain-answer")
    first["metadata"], second["metadata"] = second["metadata"], first["metadata"]


@case("jupyter/nbgrader/issues/424")
def explanation_without_its_mark(one):
    one.cell("explain-answer")["metadata"] = {}
    one.cell("explain-answer")["id"] = "new"


@case("jupyter/nbgrader/issues/92")
def check_turned_into_text(one):
    one.cell("softmax-check")["cell_type"] = "markdown"


@case("jupyter/nbgrader/issues/107")
def answer_turned_into_text(one):
    one.cell("softmax-answer")["cell_type"] = "markdown"


@case("jupyter/nbgrader/issues/907")
def explanation_turned_into_code(one):
    one.cell("explain-answer")["cell_type"] = "code"


@case("jupyterlab/jupyterlab/issues/2412")
def tags_that_skip(one):
    for name in ("imports", "softmax-answer", "softmax-check"):
        one.cell(name)["metadata"]["tags"] = ["skip-execution", "raises-exception"]


@case("ucbds-infra/otter-grader/pull/623")
def kernel_of_another_place(one):
    one.nb["metadata"]["kernelspec"] = {"name": "python", "display_name": "Pyodide"}


# --- cells deleted, pasted, moved


@case("jupyter/nbgrader/issues/1682")
def checks_deleted(one):
    del one.cells[one.at("softmax-check")]
    del one.cells[one.at("log-softmax-check")]


@case("jupyter/nbgrader/issues/1083")
def check_pasted(one):
    copied = copy.deepcopy(one.cell("softmax-check")) | {"id": "pasted"}
    one.cells.insert(1, copied)


@case("jupyter/nbgrader/issues/108")
def blank_copy_of_an_answer_below(one):
    one.cells.insert(one.at("softmax-answer") + 1, one.blank("softmax-answer") | {"id": "copy"})


@case("TU-Wien-dataLAB/grader-service/issues/51")
def explanation_above_a_blank_copy(one):
    one.cells.append(one.blank("explain-answer") | {"id": "copy"})


@case("jupyter/nbgrader/issues/1546")
def explanation_in_a_copy(one):
    filled = copy.deepcopy(one.cell("explain-answer")) | {"id": "copy"}
    one.cells[one.at("explain-answer")] = one.blank("explain-answer")
    one.cells.append(filled)


@case("moorepants/resonance/issues/109")
def explanation_in_a_new_cell_below(one):
    text = one.cell("explain-answer")["source"]
    one.cells[one.at("explain-answer")] = one.blank("explain-answer")
    one.add(text, kind="markdown")


@case("moorepants/resonance/issues/109")
def explanation_in_the_task(one):
    text = "".join(one.cell("explain-answer")["source"])
    one.cells[one.at("explain-answer")] = one.blank("explain-answer")
    one.cell("explain-task")["source"] = "".join(one.cell("explain-task")["source"]) + "\n\n" + text


@case("jupyter/nbgrader/issues/1546", read=False)
def explanation_not_written(one):
    one.cells[one.at("explain-answer")] = one.blank("explain-answer")


@case("jeflem/ananke/issues/12")
def answer_split_in_two(one):
    cell = one.cell("softmax-answer")
    lines = "".join(cell["source"]).split("\n")
    half = copy.deepcopy(cell) | {"id": "half", "source": "\n".join(lines[-1:])}
    cell["source"] = "\n".join(lines[:-1])
    one.cells.insert(one.at("softmax-answer") + 1, half)


@case("TU-Wien-dataLAB/grader-service/issues/213")
def imports_deleted(one):
    del one.cells[one.at("imports")]


@case("mrdbourke/pytorch-deep-learning/issues/175")
def imports_rewritten(one):
    one.cell("imports")["source"] = "import sys"


@case("sagemathinc/cocalc/issues/4916")
def answer_in_a_cell_of_its_own(one):
    text = "".join(one.cell("softmax-answer")["source"])
    one.cells[one.at("softmax-answer")] = one.blank("softmax-answer")
    one.add(text, behind="softmax-check")


@case("microsoft/vscode/issues/97275")
def cells_in_another_order(one):
    one.cells.reverse()


@case("jupyter/nbgrader/issues/1322", loses=("softmax",))
def answer_and_check_deleted(one):
    del one.cells[one.at("softmax-answer") : one.at("softmax-check") + 1]


# --- names


@case("ucbds-infra/otter-grader/issues/817")
def own_function_called_check(one):
    source = "def check(values):\n    return len(values)\n\n\ncheck([1])"
    one.add(source, behind="imports")
    cell = one.cell("softmax-answer")
    cell["source"] = "".join(cell["source"]).replace("    return", "    check([0])\n    return")


@case("inducer/relate/pull/443", loses=("softmax",))
def function_replaced_by_a_number(one):
    one.add("softmax = 0.5", behind="softmax-answer")


@case("mrdbourke/pytorch-deep-learning/issues/174")
def modules_and_check_deleted(one):
    one.add("del check\nmath = 3\ntorch = [1.0]", behind="softmax-check")


@case("numpy/numpy/issues/16198")
def file_named_like_a_module(one):
    names = ("random.py", "torch.py", "small_checks.py")
    own = dict.fromkeys(names, b"raise RuntimeError('not the module')")
    return one.files() | own | {"notes.csv": b"1"}


# --- what happens while it runs


@case("PrairieLearn/PrairieLearn/pull/3093", loses=("softmax",))
def syntax_error_in_an_answer(one):
    one.cell("softmax-answer")["source"] = "def softmax(x, axis=-1):\nreturn x"


@case("jupyter/nbgrader/issues/1033")
def endless_loop_in_a_cell_of_its_own(one):
    one.add("while True:\n    pass", behind="softmax-check")


@case("jupyter/nbgrader/issues/427")
def endless_loop_that_cannot_be_stopped(one):
    one.add(
        "import time\nwhile True:\n    try:\n        time.sleep(0.1)\n    except BaseException:\n"
        "        pass",
        behind="softmax-check",
    )


@case("sagemathinc/cocalc/issues/4951")
def process_ended_in_a_cell_of_its_own(one):
    one.add("import os\nos._exit(1)", behind="softmax-check")


@case("sagemathinc/cocalc/issues/4879")
def process_ended_in_the_last_cell(one):
    one.add("import os\nos._exit(1)")


@case("sagemathinc/cocalc/issues/4951")
def process_ended_between_answer_and_check(one):
    one.add("import os\nos._exit(1)", behind="softmax-answer")


@case("sagemathinc/cocalc/issues/4951")
def process_ended_again_and_again(one):
    for _ in range(7):
        one.add("import os\nos._exit(1)")


@case("jupyter/notebook/issues/4400")
def quit_in_the_middle(one):
    one.add("quit()", behind="softmax-check")


@case("nteract/papermill/issues/474")
def sys_exit_in_the_middle(one):
    one.add("import sys\nsys.exit(1)", behind="softmax-check")


@case("jupyter/nbgrader/issues/1429", loses=("softmax",))
def process_ended_by_an_answer(one):
    one.cell("softmax-answer")["source"] = (
        "def softmax(x, axis=-1):\n    import os\n    os._exit(9)"
    )


@case("jupyter/nbgrader/pull/77")
def input_and_debugger_left(one):
    one.add("name = input('Your name? ')", behind="imports")
    one.add("1 / 0", behind="softmax-check")
    one.add("%debug")


@case("ipython/ipython/issues/6771")
def twenty_megabytes_printed(one):
    one.add("print('x' * 20_000_000)", behind="softmax-check")


# --- files


@case("ucbds-infra/otter-grader/issues/433")
def work_beside_a_blank_notebook(one):
    blank = json.dumps(one.released).encode()
    return {"softmax.ipynb": blank} | one.files("softmax (1).ipynb")


@case("jupyter/nbgrader/issues/1302")
def notebook_renamed(one):
    return one.files("softmax & final.ipynb")


@case("sagemathinc/cocalc/issues/4575")
def notebook_in_a_folder(one):
    return one.files("student/work/softmax.ipynb") | {"desktop.ini": b"[x]"}


@case("BME1478H/Fall2022class/issues/49")
def notebook_with_two_suffixes(one):
    return one.files("softmax.ipynb.json")


@case("codalab/codabench/issues/1655")
def files_of_macos(one):
    fork = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        "
    return one.files() | {"._softmax.ipynb": fork, "__MACOSX/._softmax.ipynb": fork}


@case("Submitty/Submitty/pull/11736")
def two_full_notebooks(one):
    other = copy.deepcopy(one)
    other.add("# a second attempt")
    return one.files() | other.files("softmax-2.ipynb")


@case("jupyter/help/issues/171")
def whole_copy_beside_an_empty_file(one):
    return {"softmax.ipynb": b""} | one.files(".ipynb_checkpoints/softmax-checkpoint.ipynb")


@case("ucbds-infra/otter-grader/issues/442", ungraded="another assignment")
def notebook_of_another_assignment(one):
    for cell in one.cells:
        marks = cell["metadata"].get("nbgrader", {})
        if marks:
            marks["grade_id"] = marks["grade_id"].replace("softmax-", "scaling-")
        cell["source"] = "".join(cell["source"]).replace("softmax", "scale").replace("log", "root")


@case("ucbds-infra/otter-grader/issues/176", ungraded="No notebook was handed in")
def script_instead_of_a_notebook(one):
    return {"softmax.py": b"def softmax(x):\n    return x\n"}


@case("abjer/sds2019/issues/11", ungraded="a PDF")
def pdf_under_the_name(one):
    return {"softmax.ipynb": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"}


@case("jupyter/nbgrader/issues/744", ungraded="Nothing was handed in")
def empty_folder(one):
    return {}


@case("jupyter/nbgrader/issues/260", loses=EVERYTHING, read=False)
def nothing_written(one):
    return {"softmax.ipynb": json.dumps(one.released).encode()}
