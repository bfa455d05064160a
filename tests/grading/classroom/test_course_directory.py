"""What decides a mark is hashed; what does not, is not."""

import os
import shutil

import pytest

from grading.classroom.course_directory import engine_digest, scripts_on_path


@pytest.fixture
def root(tmp_path):
    for name in (
        "grading/check.py",
        "grading/classroom/sample_answers/learner-01.py",
        "course_lib/a.py",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {name}")
    return tmp_path


def test_the_engine_decides_marks_and_a_learners_answers_do_not_decide_those_of_others(root):
    before = engine_digest(root)
    (root / "grading" / "classroom" / "sample_answers" / "learner-01.py").write_text(
        "# another answer"
    )
    assert engine_digest(root) == before
    (root / "course_lib" / "a.py").write_text("# another reference")
    assert engine_digest(root) != before


def test_alembic_is_found_without_an_activated_environment(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert shutil.which("alembic") is None
    scripts_on_path()
    assert shutil.which("alembic") is not None
    once = os.environ["PATH"]
    scripts_on_path()
    assert os.environ["PATH"] == once
