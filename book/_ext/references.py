"""How the references are written: named by author and year, and led to their source once."""

from collections import Counter
from collections.abc import Iterator
from string import ascii_lowercase
from typing import Any
from urllib.parse import urlsplit

from pybtex.database import Entry
from pybtex.plugin import register_plugin
from pybtex.richtext import HRef, Text
from pybtex.style.formatting.unsrt import Style
from pybtex.style.labels import BaseLabelStyle
from pybtex.style.sorting import BaseSortingStyle
from pybtex.style.template import field, node, sentence


def author_and_year(entry: Entry) -> str:
    """Return how a text names a work: "Weng, 2023", "Clark et al., 2019"."""
    people = entry.persons["author"]
    names = [" ".join(person.rich_last_names[0].render_as("text").split()) for person in people]
    several = names[0] + " et al." if len(names) > 2 else " and ".join(names)
    return f"{several}, {entry.fields['year']}"


class AuthorYearLabels(BaseLabelStyle):
    """Labels as the text cites them; a letter tells apart what they do not."""

    def format_labels(self, sorted_entries: list[Entry]) -> Iterator[str]:
        """Yield one label for each entry."""
        plain = [author_and_year(entry) for entry in sorted_entries]
        seen: Counter[str] = Counter()
        for label in plain:
            letter = ascii_lowercase[seen[label]] if plain.count(label) > 1 else ""
            seen[label] += 1
            yield label + letter


class ByLabel(BaseSortingStyle):
    """Entries in the order of their labels, then of their titles."""

    def sorting_key(self, entry: Entry) -> tuple[str, str]:
        """Return what is compared."""
        return author_and_year(entry).lower(), entry.fields["title"].lower()


@node
def source(children: list[Any], context: dict[str, Any]) -> Text:
    """Link to the work: by its DOI, its number at arXiv, or its address."""
    fields = context["entry"].fields
    if "doi" in fields:
        return HRef(f"https://doi.org/{fields['doi']}", f"doi:{fields['doi']}")
    if "eprint" in fields:
        return HRef(f"https://arxiv.org/abs/{fields['eprint']}", f"arXiv:{fields['eprint']}")
    return HRef(fields["url"], urlsplit(fields["url"]).netloc.removeprefix("www."))


class CourseStyle(Style):
    """Titles as their authors wrote them, and one link for each entry."""

    default_label_style = AuthorYearLabels
    default_sorting_style = "course"

    def format_title(self, entry: Entry, which_field: str, as_sentence: bool = True) -> Any:
        """Write the title."""
        return sentence[field(which_field)] if as_sentence else field(which_field)

    def format_web_refs(self, entry: Entry) -> Any:
        """Write the one link."""
        return sentence[source]


def register() -> None:
    """Make the style known as `course`."""
    register_plugin("pybtex.style.formatting", "course", CourseStyle)
    register_plugin("pybtex.style.sorting", "course", ByLabel)
