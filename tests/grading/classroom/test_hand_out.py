"""One notebook alone, where nothing is known of a clone: what it needs, and that it works."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import nbformat
import pytest

from grading.classroom.hand_out import (
    add_notice,
    clone_command,
    course_archive,
    install_command,
    notice,
)
from grading.classroom.sample_learners import ANSWERS, read_learner, submission
from grading.nbgrader_steps.shown_records import record_of
from grading.notebooks import ROOT, notebook, slugs
from grading.words.links import PLACEHOLDER

SETTINGS = "repository:\n  url: {url}\n  branch: {branch}\n"


def settings(folder: Path, url: str, branch: str = "main") -> Path:
    path = folder / "_config.yml"
    path.write_text(SETTINGS.format(url=url, branch=branch))
    return path


@pytest.mark.parametrize(
    ("url", "branch", "archive"),
    [
        ("https://github.com/a/b", "main", "https://github.com/a/b/archive/refs/heads/main.zip"),
        ("https://github.com/a/b/", "v2", "https://github.com/a/b/archive/refs/heads/v2.zip"),
        ("https://git.example.org/a/b", "main", "git+https://git.example.org/a/b"),
    ],
)
def test_the_address_follows_from_the_repository(tmp_path, url, branch, archive):
    where = settings(tmp_path, url, branch)
    assert course_archive(where) == archive
    cpu_builds = "https://download.pytorch.org/whl/cpu"
    assert install_command(where) == f'pip install "{archive}" --extra-index-url {cpu_builds}'
    assert f'\n        \'%pip install "{archive}" ' in notice(where).source


def test_as_long_as_the_address_is_a_placeholder_nothing_leads_to_it(tmp_path):
    where = settings(tmp_path, f"https://github.com/{PLACEHOLDER}/b")
    assert course_archive(where) is None
    assert clone_command(where) is None
    assert install_command(where).startswith('pip install "PATH_OF_THE_COURSE" --extra-index-url')
    said = speak(notice(where).source, finds=False)
    assert "Ask whoever handed this notebook out where the course is" in said
    assert PLACEHOLDER not in said
    there = settings(tmp_path, "https://github.com/a/b/")
    assert clone_command(there) == "git clone https://github.com/a/b"
    assert "Ask" not in speak(notice(there).source, finds=False)


def speak(source: str, *, finds: bool) -> str:
    """Run a cell where the course is installed, or is not; return what it raised."""
    code = (
        "import importlib.util, sys; real = importlib.util.find_spec\n"
        f"importlib.util.find_spec = lambda name: real('sys') if {finds} else None\n"
        "try:\n    exec(sys.stdin.read())\nexcept ImportError as error:\n    print(error)\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, input=source, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_notebook_says_what_it_needs_where_the_course_is_missing():
    for slug in slugs():
        cells = nbformat.read(notebook(ROOT / "exercises", slug), as_version=4).cells
        first = next(cell for cell in cells if cell.cell_type == "code")
        assert first.source == notice().source
        assert first.metadata["jupyter"] == {"source_hidden": True}
        assert "nbgrader" not in first.metadata
        assert "from grading import check" in cells[cells.index(first) + 1].source
    said = speak(notice().source, finds=False)
    assert "The course is not installed where this notebook runs." in said
    assert said.rstrip().endswith(f"%{install_command()}")
    assert speak(notice().source, finds=True) == ""


def test_the_solutions_of_the_clone_hold_no_such_cell(tmp_path):
    for slug in slugs():
        assert "course-is-missing" not in notebook(ROOT / "solutions", slug).read_text("utf-8")
    text_only = tmp_path / "a.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("a")]), text_only)
    add_notice(text_only)
    kinds = [cell.cell_type for cell in nbformat.read(text_only, as_version=4).cells]
    assert kinds == ["markdown", "code"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The course as pip installs it, from what git knows of the clone and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if name.startswith(("course_lib/", "grading/")) or "/" not in name:
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_file():
                shutil.copyfile(ROOT / name, folder / "source" / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "-q"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "-w", "wheels", "./source"]
    subprocess.run([*pip, *build], cwd=folder, check=True, timeout=240)
    (wheel,) = (folder / "wheels").glob("*.whl")
    target = ["install", "--no-deps", "--no-index", "--target", "packages", str(wheel)]
    subprocess.run([*pip, *target], cwd=folder, check=True, timeout=240)
    shutil.rmtree(folder / "source")
    return folder


def test_every_file_of_the_two_packages_is_installed(installed):
    def below(root: Path) -> set[str]:
        found = (path for path in root.rglob("*") if path.is_file() and path.suffix != ".pyc")
        return {path.relative_to(root).as_posix() for path in found}

    for package in ("course_lib", "grading"):
        assert below(installed / "packages" / package) == below(ROOT / package)


RUN = """
import json, sys
from pathlib import Path
import course_lib, grading
from grading.classroom.solution_runs import execute
print(json.dumps([course_lib.__file__, grading.__file__]))
for name in ("right", "wrong"):
    execute(Path(f"{name}.ipynb"), Path(f"{name}-run.ipynb"), allow_errors=name == "wrong")
"""


def elsewhere(installed: Path, folder: Path, code: str) -> list[str]:
    """Run Python beside the installed course and the environment's packages, without the clone."""
    places = os.pathsep.join([str(installed / "packages"), sysconfig.get_path("purelib")])
    kept = {name: text for name, text in os.environ.items() if not name.startswith("COURSE")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=kept | {"PYTHONPATH": places, "HOME": str(installed)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def alone(installed) -> Path:
    """A folder with one notebook, twice: all of it solved, and one mistake in it; both were run."""
    folder = installed / "somewhere" / "else"
    folder.mkdir(parents=True)
    folders = {"solutions": ROOT / "solutions", "exercises": ROOT / "exercises"}
    for name, learner in (("right", "learner-01"), ("wrong", "learner-13")):
        content = submission(read_learner(ANSWERS / f"{learner}.py"), "softmax", **folders)
        (folder / f"{name}.ipynb").write_bytes(content)
    used = json.loads(elsewhere(installed, folder, RUN)[0])
    assert all(Path(file).is_relative_to(installed / "packages") for file in used)
    return folder


def results(path: Path) -> dict[str, tuple[float, float, tuple[str, ...]]]:
    cells = nbformat.read(path, as_version=4).cells
    records = [record_of(cell) for cell in cells if cell.cell_type == "code"]
    return {r.exercise: (r.points, r.max_points, r.misconceptions) for r in records if r}


def test_every_check_passes_for_right_answers(alone):
    found = results(alone / "right-run.ipynb")
    assert len(found) == 11
    assert sum(points for points, _, _ in found.values()) == 8
    assert all(points == of for points, of, _ in found.values())


def test_a_wrong_answer_is_refused_by_name(alone):
    found = results(alone / "wrong-run.ipynb")
    wrong = {name: codes for name, (points, _, codes) in found.items() if points == 0}
    assert wrong == {
        "softmax": ("SM-OVERFLOW",),
        "logsumexp": ("LSE-NAIVE",),
        "log_softmax": ("LSE-LOGSOFT",),
    }


DATA = """
from course_lib.trained.heads import load_trained_head
from grading.nbgrader_steps.feedback_maths import maths_scripts, template_folders
from pathlib import Path
print(len(load_trained_head("it-animal").tokens))
print("<script>" in maths_scripts(""))
print(all((Path(folder).is_dir()) for folder in template_folders()))
print(Path(template_folders()[0]))
"""


def test_data_and_templates_are_read_where_they_were_installed(installed):
    tokens, scripts, folders, ours = elsewhere(installed, installed, DATA)
    assert int(tokens) > 5
    assert (scripts, folders) == ("True", "True")
    assert Path(ours).is_relative_to(installed / "packages")
