"""The text of mine.py: the learner's parts, the course's for the others, and whether it was edited.

It is plain Python. YOURS and PARTS name the learner's parts and all of them; below, each part has a
section. One of the learner's is a function that holds their code as they wrote it and returns their
answer, so nothing of it meets another part's; a part of the course's is an import. A part has the
name of its exercise, which is its name in the library, and is called as it is called there.
"""

import re
from collections.abc import Mapping

from grading.adoption.section import Section
from grading.exercises import parts
from grading.jobs import digest

__all__ = ["is_as_written", "library_text", "own_parts"]

DOCUMENT = '''\
"""Your own library: {count} of {all} parts are yours, the others are the course's.

`make mine`, or `python -m grading mine`, writes this file. It gathers the answers in your notebooks
that pass. Each stands in the scope of a function, with all that it uses of its notebook, so that
equal names never meet; @own puts the answer in that function's place. In any notebook:

    from grading import mine

    weights = mine.softmax(scores, axis=-1)

A part has the name, the arguments and the defaults of the course's own function, and your code in
it: help(mine.softmax). You may change this file. The next `make mine` keeps an edited one, with the
date in its name.
"""
{stamp}
from {keeper} import own

YOURS = ({yours})
PARTS = ({parts})
'''
#: What puts an answer in its place. By its full name it is foreseen by whoever runs the file.
KEEPER = "grading.adoption.own"
STAMP = re.compile(r"^# As written: ([0-9a-f]+)$", re.MULTILINE)


def library_text(own: Mapping[str, tuple[Section, str]]) -> str:
    """Return the text of a mine.py.

    Args:
        own: the learner's sections by name, each with the notebook that it comes from.
    """
    names = tuple(one.name for one in parts())
    yours = tuple(name for name in names if name in own)
    text = DOCUMENT.format(
        count=len(yours),
        all=len(names),
        yours=_listed(yours),
        parts=_listed(names),
        stamp="# As written: ",
        keeper=KEEPER,
    )
    for one in parts():
        text += "\n\n"
        if one.name in own:
            section, source = own[one.name]
            text += f'# {one.name}: yours, from {source}\n@own("{one.part}")\n{section.text}\n'
        else:
            module, _, name = one.part.rpartition(".")
            text += f"# {one.name}: the course's own\nfrom {module} import {name}\n"
    return text.replace("# As written: ", f"# As written: {digest([text])}", 1)


def _listed(names: tuple[str, ...]) -> str:
    return "".join(f'\n    "{name}",' for name in names) + ("\n" if names else "")


def is_as_written(text: str) -> bool:
    """Return whether a mine.py is as `library_text` returned it, and nobody changed it since."""
    found = STAMP.search(text)
    return found is not None and found[1] == digest([STAMP.sub("# As written: ", text, count=1)])


def own_parts(text: str) -> frozenset[str]:
    """Return the parts that are the learner's in a mine.py."""
    return frozenset(re.findall(r"^# (\w+): yours, from ", text, re.MULTILINE))
