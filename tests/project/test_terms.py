"""A term of the glossary is introduced before a chapter uses it."""

import re
from pathlib import Path

import pytest
from prose_of_pages import BOOK, blank, chapters, prose

# Pages that stand before the first chapter and may introduce a term.
BEFORE = ["prerequisites"]

# Other forms in which a term is the same term. The term itself and its plural count always.
FORMS: dict[str, list[str]] = {
    "embedding": ["embedded"],
    "entropy": ["entropies"],
    "projection": ["project", "projects", "projected"],
}

# Where a word of the glossary may come early: the term, what is said, and why it may.
MAY_COME_EARLY: dict[tuple[str, str], str] = {
    ("key", "the key must match exactly"): "the key of a dictionary, as everybody knows it",
    ("head", "the head of this page"): "the top of a page, as everybody knows it",
    ("value", "singular value"): "a number of a matrix, and a term of its own",
    ("Transformer block", "*The Transformer block*"): "the name of a chapter",
    ("vocabulary", "scores over the vocabulary"): "all words of a language, as everybody knows it",
    ("unembedding", "unembedding of 617,558,016"): "said of a film's list, which shows both tables",
}


def terms() -> list[str]:
    """Return the terms of the glossary."""
    listed = (BOOK / "glossary.md").read_text().split("```{glossary}")[1]
    return re.findall(r"^(\S.*)\n  \S", listed, re.MULTILINE)


def forms(term: str) -> re.Pattern[str]:
    """Return the pattern of a term in its listed forms."""
    words = [re.escape(word).replace(r"\ ", r"\s+") for word in [term, *FORMS.get(term, [])]]
    return re.compile(rf"(?<![\w-])(?:{'|'.join(words)})(?:s|es)?(?![\w-])", re.IGNORECASE)


def introduced(text: str) -> dict[str, int]:
    """Return where the sentence begins that introduces each term."""
    found: dict[str, int] = {}
    for role in re.finditer(r"\{term\}`([^`<]*?)(?:\s*<([^>]*)>)?`", text):
        term = " ".join((role[2] or role[1]).split()).lower()
        before = [*re.finditer(r"[.?!:]\s|\n\s*\n|\n\s*(?:[-*]|\d+\.)\s", text[: role.start()])]
        found.setdefault(term, before[-1].end() if before else 0)
    return found


def too_early(text: str, known: set[str]) -> list[str]:
    """Return what a page says with terms that neither it nor a page before has introduced."""
    text = re.sub(r"^# .*$", lambda title: blank(title[0]), prose(text), count=1, flags=re.M)
    for _, around in MAY_COME_EARLY:
        text = re.sub(re.escape(around).replace(r"\ ", r"\s+"), lambda said: blank(said[0]), text)
    here = introduced(text)
    faults = []
    for term in terms():
        begin = here.get(term.lower(), len(text))
        # A heading may name what its own section introduces.
        section = text.rfind("\n#", 0, begin) + 1 if begin < len(text) else begin
        heading = text[section:].split("\n")[0] if text.startswith("#", section) else ""
        used = forms(term).search(text[:section] + blank(heading) + text[section + len(heading) :])
        if used and term.lower() not in known and used.start() < begin:
            line = text[: used.start()].count("\n") + 1
            around = " ".join(text[max(0, used.start() - 40) : used.end() + 40].split())
            faults.append(f"line {line}: {term}: … {around} …")
    return faults


def known_before(chapter: Path) -> set[str]:
    """Return the terms that the pages before a chapter introduce."""
    earlier = [BOOK / f"{name}.md" for name in BEFORE]
    for one in chapters():
        if one == chapter:
            break
        earlier.append(one)
    return {term for page in earlier for term in introduced(prose(page.read_text()))}


@pytest.mark.parametrize("chapter", chapters(), ids=lambda chapter: chapter.stem)
def test_a_term_is_introduced_before_it_is_used(chapter: Path) -> None:
    assert too_early(chapter.read_text(), known_before(chapter)) == []


def test_each_exception_is_still_needed() -> None:
    said = " ".join(" ".join(prose(chapter.read_text()).split()) for chapter in chapters())
    assert [around for _, around in MAY_COME_EARLY if around not in said] == []
    assert [term for term, around in MAY_COME_EARLY if not forms(term).search(around)] == []


def test_what_is_no_prose_introduces_and_uses_nothing() -> None:
    page = """# Softmax

```{code-cell} ipython3
softmax = 1
```

```{figure} a.svg
:alt: softmax

The softmax.
```

```{chinese}
softmax
```

`softmax` and $\\text{softmax}$ and {doc}`softmax`.
"""
    assert too_early(page, set()) == []


@pytest.mark.parametrize(
    "page",
    [
        "The softmax comes early. It is the {term}`softmax`.",
        "```{dropdown} Answer\nThe softmax.\n```",
        "## The softmax\n\nIt comes.\n\n## Later\n\nIt is the {term}`softmax`.",
        "Two softmaxes.",
    ],
)
def test_a_term_without_its_sentence_is_named(page: str) -> None:
    assert [fault.split(": ")[1] for fault in too_early(page, set())] == ["softmax"]
    assert too_early(page, {"softmax"}) == []


def test_a_heading_may_name_what_its_section_introduces() -> None:
    assert too_early("## The softmax\n\nA sum. It is the {term}`softmax`.", set()) == []


def test_the_sentence_that_introduces_may_say_the_term_first() -> None:
    assert too_early("One thing. Softmax is short for {term}`softmax`.", set()) == []
