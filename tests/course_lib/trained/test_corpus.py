"""The committed play is what its script extracts from the package, and nothing else."""

from course_lib.data import extract_sonnets
from course_lib.data.extract_shakespeare import extract
from course_lib.trained.corpus import SHAKESPEARE, SONNETS


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


def test_the_script_writes_the_committed_sonnets() -> None:
    assert SONNETS.read_bytes() == extract_sonnets.extract().encode("utf-8")


def test_there_are_thirty_sonnets_of_fourteen_lines() -> None:
    sonnets = SONNETS.read_bytes().decode("ascii").strip().split("\n\n")
    assert [len(one.splitlines()) for one in sonnets] == [14] * 30
    assert sonnets[0].startswith("From fairest creatures we desire increase,\n")
    assert sonnets[17].startswith("Shall I compare thee to a summer's day?\n")
    assert all(line == line.strip() for one in sonnets for line in one.splitlines())
