"""Gather the answers that pass now, and say of the others why they do not."""

import warnings
from dataclasses import dataclass
from pathlib import Path

from grading.adoption.judging import Judged, judged
from grading.adoption.section import Section, sections
from grading.adoption.statements import Code, code_of
from grading.exercise import Exercise
from grading.exercises import parts
from grading.notebooks import notebook, read_notebook

__all__ = ["Adopted", "adopt"]

#: What is said of a part on which nobody has worked.
NOT_YET = "not answered yet"


@dataclass(frozen=True, slots=True)
class Adopted:
    """What was gathered.

    Attributes:
        own: the sections that pass, by the name of their part, each with its notebook.
        reasons: why each of the other parts is not the learner's.
    """

    own: dict[str, tuple[Section, str]]
    reasons: dict[str, str]


def adopt(folder: Path) -> Adopted:
    """Gather from a folder with notebooks, each in a folder of its name or beside the others."""
    slugs = sorted({one.slug for one in parts()})
    notebooks = {slug: _read(folder, slug) for slug in slugs}
    sources = {one.name: notebooks[one.slug][0] for one in parts()}
    tried = {one.name: _tried(one, notebooks[one.slug][1]) for one in parts()}
    own: dict[str, tuple[Section, str]] = {}
    reasons: dict[str, str] = {}
    for attempt in range(max(len(found) for found in tried.values())):
        todo = [found[attempt] for found in tried.values() if len(found) > attempt]
        for section, result in judged(one for one in todo if one.text and one.name not in own):
            if result.record is not None and result.record.passed:
                own[section.name] = (section, sources[section.name])
            reasons.setdefault(section.name, _reason(section, result))
        for section in todo:
            reasons.setdefault(section.name, section.reason)
    return Adopted(own, {name: reasons[name] for name in tried if name not in own})


def _read(folder: Path, slug: str) -> tuple[str, Code | str]:
    """Return where a notebook lies below the folder, and its code; or why there is none."""
    path = notebook(folder, slug)
    if not path.exists() and (folder / path.name).exists():
        path = folder / path.name
    source = path.relative_to(folder).as_posix()
    if not path.exists():
        return source, f"{NOT_YET}: there is no {source} (`make lab` copies what work/ lacks)"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a notebook's old format, which harms nothing here
            return source, code_of(read_notebook(path))
    except Exception as error:
        first = (str(error).splitlines() or [""])[0][:80]
        return source, f"not gathered: {source} cannot be read ({type(error).__name__}: {first})"


def _tried(exercise: Exercise, code: Code | str) -> list[Section]:
    """Return what may be the answer to an exercise, the likeliest first."""
    if isinstance(code, str):
        return [Section(exercise.name, reason=code)]
    return sections(exercise, code) or [Section(exercise.name, reason=NOT_YET)]


def _reason(section: Section, result: Judged) -> str:
    """Return why a section that was judged is not adopted."""
    record = result.record
    if record is None:
        return f"not gathered: {result.reason}"
    if record.rule == "it is filled in":
        return NOT_YET
    if section.doubts:
        return f"not gathered: it {section.doubts}, and is refused without (rule: {record.rule})"
    said = record.parts[1:] if record.misconceptions else record.parts[:1]
    return " ".join([f"refused. Rule: {record.rule}.", *said])
