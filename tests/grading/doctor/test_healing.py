"""What the doctor does to a notebook, without nbgrader."""

import copy
import json
from pathlib import Path

import nbformat
import pytest
from damaged_hand_ins import CASES

from grading.doctor.errors import UngradableError
from grading.doctor.healing import heal
from grading.doctor.python_text import defined
from grading.doctor.released import bare, released_notebook
from grading.notebooks import NOTICE_ID, ROOT, notebook, read_notebook, slugs

GRADED = [case for case in CASES if not case.ungraded]


def graded_cells(nb):
    return {
        cell.metadata.nbgrader.grade_id: cell for cell in nb.cells if "nbgrader" in cell.metadata
    }


@pytest.mark.parametrize("slug", slugs())
@pytest.mark.parametrize("folder", ["exercises", "solutions"])
def test_a_notebook_without_damage_stays_as_it_is(slug, folder):
    given = read_notebook(notebook(ROOT / "exercises", slug))
    healed = heal(
        {f"{slug}.ipynb": notebook(ROOT / folder, slug).read_bytes()},
        released_notebook(slug, given),
    )
    assert healed.repairs == ()
    found = read_notebook(notebook(ROOT / folder, slug))
    assert [cell.source for cell in healed.nb.cells] == [cell.source for cell in found.cells]
    if folder == "exercises":
        healed.nb.metadata = given.metadata
        assert nbformat.writes(healed.nb) == nbformat.writes(given)


def test_the_cell_that_says_how_to_install_the_course_may_be_anywhere_or_gone():
    """Copies from before it was given out lack it, and nothing needs what it imports."""
    given = read_notebook(notebook(ROOT / "exercises", "softmax"))
    notice = next(cell for cell in given.cells if cell["id"] == NOTICE_ID)
    for change in (lambda cells: None, lambda cells: cells.append(notice)):
        nb = copy.deepcopy(given)
        nb.cells = [cell for cell in nb.cells if cell["id"] != NOTICE_ID]
        change(nb.cells)
        healed = heal({"a.ipynb": nbformat.writes(nb).encode()}, released_notebook("a", given))
        assert healed.repairs == ()
        assert [cell.source for cell in healed.nb.cells] == [cell.source for cell in nb.cells]
    assert "importlib" not in healed.nb.metadata["attention_course"]["imports"]


@pytest.mark.parametrize("case", GRADED, ids=lambda case: case.name)
def test_what_is_graded_is_valid_and_has_each_released_cell_once(hand_in, released, case):
    nb = heal(case.files(hand_in), released).nb
    nbformat.validate(nb)
    assert nbformat.writes(nb).encode()
    cells = graded_cells(nb)
    assert cells.keys() == released.by_grade_id.keys()
    assert len([cell for cell in nb.cells if "nbgrader" in cell.metadata]) == len(cells)
    for name, one in released.by_grade_id.items():
        assert dict(cells[name].metadata.nbgrader) == dict(one.marks)
        assert cells[name].cell_type == one.cell_type
        if one.is_check:
            assert cells[name].source == one.source


@pytest.mark.parametrize("case", GRADED, ids=lambda case: case.name)
def test_a_check_stands_behind_the_answers_up_to_its_own(hand_in, released, case):
    nb = heal(case.files(hand_in), released).nb
    places = {name: nb.cells.index(cell) for name, cell in graded_cells(nb).items()}
    for task in ("softmax", "logsumexp", "log-softmax"):
        assert places[f"softmax-{task}"] > places[f"softmax-{task}-answer"]


@pytest.mark.parametrize("case", GRADED, ids=lambda case: case.name)
def test_no_repair_gives_what_was_not_written(hand_in, released, case):
    """With another answer in the file, the same damage and repair lead to that answer."""
    wrong = "def softmax(x, axis=-1):\n    wrong = 1\n    return wrong"
    hand_in.cell("softmax-answer")["source"] = wrong
    answers = graded_cells(heal(case.files(hand_in), released).nb)
    source = answers["softmax-softmax-answer"].source
    stub = released.by_grade_id["softmax-softmax-answer"].source
    assert (
        "wrong" in source or source == stub or "os._exit" in source or "nreturn x" in repr(source)
    )


@pytest.mark.parametrize("case", GRADED, ids=lambda case: case.name)
def test_no_stub_stands_beside_an_answer(hand_in, released, case):
    nb = heal(case.files(hand_in), released).nb
    for name, cell in graded_cells(nb).items():
        stub = released.by_grade_id[name].bare
        if name.endswith("-answer") and bare(cell.source) != stub:
            assert stub not in {bare(other.source) for other in nb.cells}


def test_only_the_answers_own_text_is_graded(hand_in, released):
    """Text that defines the function elsewhere does not replace an answer that was written."""
    hand_in.add("def softmax(x):\n    return 'another'", behind="title")
    answer = graded_cells(heal(hand_in.files(), released).nb)["softmax-softmax-answer"]
    assert "another" not in answer.source


def test_an_answer_within_a_cell_of_several_counts(hand_in, released):
    names = ("softmax-answer", "logsumexp-answer")
    both = "\n\n\n".join("".join(hand_in.cell(name)["source"]) for name in names)
    for name in names:
        hand_in.cells[hand_in.at(name)] = hand_in.blank(name)
    hand_in.add(both, behind="imports")
    healed = heal(hand_in.files(), released)
    sources = [cell.source for cell in healed.nb.cells if cell.cell_type == "code"]
    assert both in sources
    assert not any("NotImplementedError" in source for source in sources)
    assert sum("in another cell than its own" in repair for repair in healed.repairs) == 2


def test_pictures_of_an_explanation_are_kept(hand_in, released):
    hand_in.cells[hand_in.at("explain-answer")] = hand_in.blank("explain-answer")
    picture = {"sum.png": {"image/png": "aGVsbG8="}}
    hand_in.add("![](attachment:sum.png)", kind="markdown", attachments=picture)
    explain = graded_cells(heal(hand_in.files(), released).nb)["softmax-explain"]
    assert explain.attachments == picture


def test_code_of_ones_own_is_no_explanation(hand_in, released):
    hand_in.cells[hand_in.at("explain-answer")] = hand_in.blank("explain-answer")
    hand_in.add("print('scratch')")
    hand_in.add("# The weights have to sum to 1.")
    explain = graded_cells(heal(hand_in.files(), released).nb)["softmax-explain"]
    assert explain.source == "# The weights have to sum to 1."


def test_a_written_explanation_is_left_alone(hand_in, released):
    text = "".join(hand_in.cell("explain-answer")["source"])
    hand_in.add("More words.", kind="markdown")
    healed = heal(hand_in.files(), released)
    assert graded_cells(healed.nb)["softmax-explain"].source == text
    assert healed.repairs == ()


def test_both_sides_of_a_conflict_are_compared(hand_in, released):
    theirs = copy.deepcopy(hand_in)
    for name in hand_in.answers():
        hand_in.cells[hand_in.at(name)] = hand_in.blank(name)
    text = f"<<<<<<< HEAD\n{hand_in.text()}=======\n{theirs.text()}>>>>>>> theirs\n"
    nb = heal({"softmax.ipynb": text.encode()}, released).nb
    assert defined(graded_cells(nb)["softmax-softmax-answer"].source) == {"softmax"}
    assert "NotImplementedError" not in graded_cells(nb)["softmax-softmax-answer"].source


def test_a_release_without_order_is_enough(hand_in, released):
    """Where only the gradebook knows what was released, the graded cells alone are there."""
    bare = type(released)(name="softmax", cells=tuple(released.by_grade_id.values()))
    assert heal(hand_in.files(), bare).repairs == ()


def test_the_gradebook_and_the_file_say_the_same(small_course, released):
    from grading.classroom.course_directory import gradebook_url
    from grading.nbgrader_steps.released_cells import notebook_names
    from grading.nbgrader_steps.released_cells import released as enrolled

    url = gradebook_url(small_course.root)
    assert notebook_names(url, "softmax") == ["softmax"]
    assert notebook_names(url, "unknown") == []
    assert enrolled(url, "softmax", "softmax", small_course.released_file) == released
    alone = enrolled(url, "softmax", "softmax", Path("missing.ipynb"))
    assert {cell.grade_id: cell.marks for cell in alone.cells} == {
        name: cell.marks for name, cell in released.by_grade_id.items()
    }


ODD = [None, 3, "x", [None], {"a": [1]}]


def spoiled(notebook):
    """Yield the notebook with each of its fields, down to a cell's metadata, of another type."""
    cells = [1, 2, 3, 4, len(notebook["cells"]) - 1]
    paths = [[key] for key in notebook] + [["cells", n] for n in cells]
    paths += [["cells", n, key] for n in cells for key in notebook["cells"][n]]
    marked = [n for n in cells if "nbgrader" in notebook["cells"][n]["metadata"]]
    for n in marked:
        marks = ["cells", n, "metadata", "nbgrader"]
        paths += [marks] + [[*marks, key] for key in ("grade_id", "points", "schema_version")]
    for path in paths:
        for odd in ODD:
            made = copy.deepcopy(notebook)
            part = made
            for key in path[:-1]:
                part = part[key]
            part[path[-1]] = odd
            yield made


def test_a_field_of_any_type_is_mended_or_refused_in_a_sentence(hand_in, released):
    refused = 0
    for notebook_ in spoiled(hand_in.nb):
        try:
            nb = heal({"softmax.ipynb": json.dumps(notebook_).encode()}, released).nb
        except UngradableError:
            refused += 1
        else:
            nbformat.validate(nb)
    assert refused == len(ODD)  # without cells there is nothing to grade


def test_too_much_is_refused_with_its_numbers(released):
    cells = [{"cell_type": "code", "source": ""}] * 5001
    with pytest.raises(UngradableError, match="has 5001 cells"):
        heal({"softmax.ipynb": json.dumps({"cells": cells, "nbformat": 4}).encode()}, released)


#: What is told of some damage; all of it where nothing is named.
TOLD = {
    "utf-16": ["The file was encoded as UTF-16; it was read as such."],
    "imports-rewritten": [
        'The cell "imports" no longer imported all that the release imports; '
        "the released cell was put before it."
    ],
    "imports-deleted": ['The cell "imports" was missing and was put back.'],
    "schema-version-9": ["nbgrader's marks of 7 cells were not as released; they were reset."],
    "tags-that-skip": ["Tags that keep a cell from being run as it is were removed."],
    "check-turned-into-text": [
        'The cell "softmax-softmax" had become a markdown cell; it is a code cell again.'
    ],
    "answer-split-in-two": [
        'The answer "softmax-softmax-answer" was split into cells; they are one.'
    ],
    "checks-deleted": [
        'The check "softmax-softmax" was missing and was put back.',
        'The check "softmax-log-softmax" was missing and was put back.',
    ],
    "explanation-above-a-blank-copy": [
        "nbgrader's marks of 1 cell were not as released; they were reset."
    ],
    "blank-copy-of-an-answer-below": [],
    "no-ids": [],
    "fields-that-nobody-knows": [],
}


@pytest.mark.parametrize("name", TOLD)
def test_each_repair_is_one_sentence_and_what_editors_do_is_none(hand_in, released, name):
    case = next(case for case in CASES if case.name == name)
    healed = heal(case.files(hand_in), released)
    assert list(healed.repairs) == TOLD[name]
    assert healed.nb.metadata["attention_course"]["repairs"] == TOLD[name]


def test_swapped_names_neither_lose_nor_move_what_was_written(hand_in, released):
    written = {name: "".join(hand_in.cell(name)["source"]) for name in hand_in.answers()}
    case = next(case for case in CASES if case.name == "names-swapped")
    cells = graded_cells(heal(case.files(hand_in), released).nb)
    assert {f"softmax-{name}": text for name, text in written.items() if "explain" not in name} == {
        name: cell.source for name, cell in cells.items() if name.endswith("-answer")
    }
    assert cells["softmax-explain"].source == written["explain-answer"]


def test_lost_imports_stand_before_what_needs_them(hand_in, released):
    case = next(case for case in CASES if case.name == "imports-rewritten")
    cells = heal(case.files(hand_in), released).nb.cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert "from small_checks import check" in code[0].source
    assert code[1].source == "import sys"
