"""The alphabet: one letter, one meaning, and nothing that is not in it."""

import json
import re
from string import ascii_letters

import pytest
from built_site import ROOT, chapters

from course_lib.notation import SIZES, SYMBOLS, Size, size


def test_the_alphabet_is_the_courses() -> None:
    letters = " ".join(entry.letter for entry in SIZES)
    assert letters == "B T S C H G R D Dv F E A L V N Dc Dr W"
    assert len({entry.name for entry in SIZES}) == len(SIZES)
    assert len({entry.meaning for entry in SIZES}) == len(SIZES)


@pytest.mark.parametrize("entry", SIZES, ids=lambda entry: entry.letter)
def test_a_size_has_a_word_a_meaning_and_a_chinese_term(entry: Size) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", entry.name)
    assert entry.meaning.isascii()
    assert len(entry.meaning) > 5
    assert re.search(r"[\u4e00-\u9fff]", entry.chinese)
    assert size(entry.letter) is entry


def test_symbols_are_unique_and_written_in_the_alphabet() -> None:
    letters = {entry.letter for entry in SIZES}
    assert len({entry.latex for entry in SYMBOLS}) == len(SYMBOLS)
    assert len({entry.name for entry in SYMBOLS}) == len(SYMBOLS)
    for entry in SYMBOLS:
        assert set(entry.shape.split()) <= letters
        assert re.search(r"[\u4e00-\u9fff]", entry.chinese)


def page() -> list[str]:
    """Return the formulas that the notation page shows, in its text and in its tables."""
    path = ROOT / "_build" / "jupyter_execute" / "notation.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    for cell in cells:
        for output in cell.get("outputs", []):
            texts.append("".join(output["data"].get("text/markdown", "")))
    return [formula for text in texts for formula in formulas(text)]


def formulas(text: str) -> list[str]:
    """Return the formulas of a page's text: displayed ones and those within a line."""
    text = re.sub(
        r"```\{code-cell\}.*?```|`[^`\n]+`|^```python\n.*?```", "", text, flags=re.S | re.M
    )
    shown = re.findall(r"```\{math\}(.*?)```", text, re.S)
    text = re.sub(r"```\{math\}.*?```", "", text, flags=re.S)
    shown += re.findall(r"\$\$(.*?)\$\$", text, re.S)
    text = re.sub(r"\$\$.*?\$\$", "", text, flags=re.S)
    return shown + re.findall(r"(?<!\\)\$([^$]+)\$", text)


# Words of TeX that are no letter: how things are set, and operators.
SET = (
    r"\\(?:label|begin|end)\{\w+\}|:label: [\w-]+|"
    r"\\(?:operatorname|mathrm|text|mathbf)\{[^}]*\}|\\(?!(?:tau|ell|delta|sigma|mathcal|mathbb)\b)"
    r"[a-zA-Z]+|\\[,;!\\]|\[1ex\]"
)


def letters(formula: str) -> set[str]:
    """Return the letters of a formula: Latin, Greek, and those in another script."""
    formula = re.sub(SET, " ", formula)
    found = set(re.findall(r"\\(?:mathcal|mathbb)\{\w\}|\\(?:tau|ell|delta|sigma)", formula))
    return found | set(re.sub(r"\\(?:mathcal|mathbb)\{\w\}|\\[a-z]+", "", formula)) & set(
        ascii_letters
    )


def test_every_letter_of_the_chapters_is_on_the_notation_page() -> None:
    listed = {letter for formula in page() for letter in letters(formula)}
    for chapter in chapters():
        text = (ROOT / "book" / f"{chapter}.md").read_text(encoding="utf-8")
        shown = formulas(text)
        assert len(shown) > 50
        unknown = {letter: formula for formula in shown for letter in letters(formula) - listed}
        assert not unknown, f"{chapter}: {unknown}"


def test_the_page_shows_every_size_and_every_symbol_once() -> None:
    shown = page()
    for entry in (*SIZES, *SYMBOLS):
        assert shown.count(entry.latex) >= 1, entry.latex


def test_no_name_of_a_size_is_the_name_of_a_scalar() -> None:
    scalars = {entry.latex for entry in SYMBOLS if not entry.shape}
    assert {r"\tau", "a", "c", "f", "m", r"\ell"} <= scalars
    assert not scalars & {entry.latex for entry in SIZES}


def test_letters_of_a_formula_are_found() -> None:
    formula = r"\frac{\exp(z_{ts})}{\sqrt{D}} + \mathcal{L} - \operatorname{softmax}(\tau)"
    assert letters(formula) == {"z", "t", "s", "D", r"\mathcal{L}", r"\tau"}
    assert formulas("a $x$ b `$y$`\n```{math}\n:label: eq-z\nz\n```\n") == [
        "\n:label: eq-z\nz\n",
        "x",
    ]


def test_formulas_set_the_second_letter_as_an_index() -> None:
    assert size("D").latex == "D"
    assert size("Dv").latex == "D_v"


def test_an_unknown_letter_is_refused() -> None:
    with pytest.raises(ValueError, match="'K' is none; the letters are B T S C"):
        size("K")


def test_a_size_does_not_change() -> None:
    with pytest.raises(AttributeError):
        size("B").letter = "N"  # type: ignore[misc]
