"""What the catalogue does is run once, kept, and run again when anything that made it changes."""

import json
from pathlib import Path
from typing import Any

import pytest

from grading import recordings
from grading.asking import Live
from grading.catalogue.kill_table import kill_table
from grading.exercises import find
from grading.verdict.judge import judge
from grading.witness.observe import Witness

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """Every run of a function, in a world without recordings."""
    monkeypatch.setattr(recordings, "FOLDER", tmp_path / "observations")
    recordings.forget()
    seen: list[Any] = []
    observe = Witness.observe

    def counted(self: Witness, request: Any) -> Any:
        seen.append(request)
        return observe(self, request)

    monkeypatch.setattr(Witness, "observe", counted)
    yield seen
    recordings.forget()


def table() -> list[tuple[str, str | None, str | None]]:
    exercise = find("attention_scores")
    assert exercise is not None
    return [(row.code, row.named, row.rule) for row in kill_table([exercise])]


def test_a_kill_table_is_run_once_and_read_from_then_on(runs: list[Any]) -> None:
    first = table()
    after_first = len(runs)
    recordings.forget()
    runs.clear()
    assert table() == first
    # Signatures alone are looked at again, one for each wrong function.
    assert [request.see for request in runs] == [("signature",)] * len(first)
    assert after_first > 3 * len(first)


def test_the_verdict_is_the_same_without_recordings(runs: list[Any]) -> None:
    assert all(code == named for code, named, _ in table())
    exercise = find("attention_scores")
    assert exercise is not None
    judged = judge(exercise, Live(exercise, Witness(exercise.misconceptions[3].wrong))).record
    recordings.forget()
    for file in recordings.FOLDER.iterdir():
        file.unlink()
    again = judge(exercise, Live(exercise, Witness(exercise.misconceptions[3].wrong))).record
    # As JSON: there a NaN is equal to itself.
    assert json.dumps(again.to_json()) == json.dumps(judged.to_json())


def test_what_was_made_by_something_else_is_not_read(
    runs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    table()
    recordings.forget()
    monkeypatch.setattr(recordings, "made_by", lambda exercise: "an older course_lib")
    runs.clear()
    table()
    assert any("value" in request.see for request in runs)


def test_a_file_that_is_cut_short_is_not_read(runs: list[Any]) -> None:
    table()
    recordings.forget()
    file = recordings.FOLDER / "attention_scores.bin"
    file.write_bytes(file.read_bytes()[:100])
    runs.clear()
    table()
    assert any("value" in request.see for request in runs)


def test_the_hash_is_that_of_the_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    place = tmp_path / "witness"
    place.mkdir()
    hashes = []
    for text in ("one", "two", "one"):
        (place / "observe.py").write_text(text, encoding="utf-8")
        recordings._hash.cache_clear()
        hashes.append(recordings._hash(place))
    recordings._hash.cache_clear()
    assert hashes[0] == hashes[2] != hashes[1]
    softmax, scores = find("softmax"), find("attention_scores")
    assert softmax is not None
    assert scores is not None
    assert recordings.made_by(softmax) != recordings.made_by(scores)
