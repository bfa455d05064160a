"""The branch of notebooks holds the built folder and nothing else, one commit a change."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The machine's own git settings must not decide what the test sees.
ENVIRONMENT = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        check=True,
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
    )
    return done.stdout.strip()


def publish(source: Path, built: Path) -> str:
    done = subprocess.run(
        ["bash", str(ROOT / ".ci" / "publish-notebooks"), str(built)],
        cwd=source,
        check=True,
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
    )
    return done.stdout


def test_the_branch_follows_the_folder(tmp_path: Path) -> None:
    remote, source, built = tmp_path / "remote.git", tmp_path / "source", tmp_path / "built"
    for folder in (remote, source, built / "chapters"):
        folder.mkdir(parents=True)
    git(remote, "init", "--quiet", "--bare")
    git(source, "init", "--quiet", "--initial-branch", "main")
    git(source, "remote", "add", "origin", str(remote))
    git(
        source, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--allow-empty", "-qm", "one"
    )
    (built / "chapters" / "softmax.ipynb").write_text("{}")
    publish(source, built)
    assert git(remote, "ls-tree", "-r", "--name-only", "notebooks") == "chapters/softmax.ipynb"
    assert "up to date" in publish(source, built)
    assert git(remote, "rev-list", "--count", "notebooks") == "1"

    (built / "chapters" / "softmax.ipynb").unlink()
    (built / "index.ipynb").write_text("{}")
    publish(source, built)
    assert git(remote, "ls-tree", "-r", "--name-only", "notebooks") == "index.ipynb"
    assert git(remote, "rev-list", "--count", "notebooks") == "2"
    assert git(source, "status", "--porcelain") == ""
