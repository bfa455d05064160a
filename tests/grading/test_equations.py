"""A refusal carries its equation: the book's own, without a network, a script, or the book."""

import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from built_site import ROOT, load

from grading import check
from grading.exercise import Exercise
from grading.exercises import all_exercises
from grading.words import equations

NAMESPACE = "{http://www.w3.org/1998/Math/MathML}"
KEPT = json.loads(equations.COLLECTED.read_text(encoding="utf-8"))
EXTENSIONS = ROOT / "book" / "_ext"


def test_the_kept_equations_are_those_of_the_book(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXTENSIONS))
    collector = load(EXTENSIONS / "equations.py")
    text = equations.COLLECTED.read_text(encoding="utf-8")
    assert text == collector.written(collector.collected()), "run book/_ext/equations.py"


def test_every_label_of_a_chapter_is_collected() -> None:
    for chapter in sorted((ROOT / "book").glob("*.md")):
        text = chapter.read_text(encoding="utf-8")
        labels = re.findall(r"^(?::label: |\$\$ \()(eq-[\w-]+)", text, re.M)
        assert [f"{chapter.stem}#{one}" in KEPT for one in labels] == [True] * len(labels)
    assert len(KEPT) > 15


@pytest.mark.parametrize("exercise", all_exercises(), ids=lambda exercise: exercise.name)
def test_each_exercise_points_to_an_equation_that_is_kept(exercise: Exercise) -> None:
    link = "#".join(exercise.to_read)
    assert equations.equation_tex(link)
    assert equations.equation_mathml(link)


@pytest.mark.parametrize("link", KEPT)
def test_mathml_is_well_formed_and_asks_for_nothing(link: str) -> None:
    root = ET.fromstring(KEPT[link]["mathml"])
    assert root.tag == f"{NAMESPACE}math"
    assert root.get("display") == "block"
    for element in root.iter():
        assert element.tag.startswith(NAMESPACE)
        assert element.tag.removeprefix(NAMESPACE) not in ("annotation", "merror", "script")
        assert not [name for name in element.attrib if name.startswith(("on", "href", "src"))]


def test_a_refusal_shows_the_equation_on_a_page_and_in_a_terminal() -> None:
    result = check(lambda x, axis=-1: x, exercise="softmax")
    kept = KEPT["softmax#eq-softmax"]
    assert kept["mathml"] in result.html
    assert f"The equation, in TeX:\n  {kept['tex']}\n" in str(result)
    assert "<script" not in result.html
    right = check(lambda query, key: query @ key.mT, exercise="attention_scores")
    assert "<math" not in right.html
    assert "TeX" not in str(right)


def test_an_unknown_label_shows_no_equation() -> None:
    assert equations.equation_tex("softmax#eq-none") == ""
    assert equations.equation_mathml("") == ""


def test_the_package_carries_its_equations(tmp_path: Path) -> None:
    """Where pip installed the course there is no book folder: the words are enough."""
    shutil.copytree(ROOT / "grading", tmp_path / "grading",
                    ignore=shutil.ignore_patterns("__pycache__"))  # fmt: skip
    code = "from grading.words.equations import equation_tex as t; print(t('scaling#eq-scale'))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == KEPT["scaling#eq-scale"]["tex"]
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert '"words/equations.json"' in settings
