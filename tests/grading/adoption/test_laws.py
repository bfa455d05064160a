"""The library's own tests, laws, twins and oracles, hold for a mine.py made of the solutions."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from grading.adoption.adopting import adopt
from grading.adoption.keeping import write_library
from grading.adoption.library import library_text
from grading.exercises import parts
from grading.notebooks import ROOT

TESTS = ROOT / "tests"
FILES = (
    "course_lib/test_softmax.py",
    "course_lib/test_scaling.py",
    "course_lib/test_patterns.py",
    "course_lib/test_masks.py",
    "course_lib/test_documents.py",
    "course_lib/test_leaks.py",
    "course_lib/attention/test_dot_product.py",
    "course_lib/recurrence/test_sequences.py",
    "course_lib/recurrence/test_gradients.py",
    "course_lib/counts/test_paths_and_capacity.py",
    "course_lib/attention/test_heads.py",
    "course_lib/attention/test_contributions.py",
    "course_lib/counts/test_gpt3.py",
    "oracles/test_softmax_against_torch.py",
    "oracles/test_recurrence_against_torch.py",
    "oracles/test_masks_against_others.py",
    "oracles/test_attention_against_torch.py",
    "course_lib/test_lookup.py",
    "oracles/test_lookup_against_torch.py",
    "course_lib/attention/test_additive.py",
    "course_lib/recurrence/test_seq2seq.py",
    "course_lib/layers/test_norms.py",
    "course_lib/layers/test_activations.py",
    "course_lib/layers/test_feed_forward.py",
    "course_lib/positions/test_rope.py",
    "course_lib/positions/test_rope_scaling.py",
    "oracles/test_positions_against_others.py",
    "course_lib/tokenizer/test_bpe.py",
    "course_lib/layers/test_embedding.py",
    "course_lib/attention/test_grouped.py",
    "course_lib/cache/test_cache.py::test_kv_cache_bytes_equals_its_loops",
    "course_lib/cache/test_cache.py::test_bytes_of_released_models",
    "course_lib/training/test_loss.py",
)


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mine.py made of the solutions."""
    path = tmp_path_factory.mktemp("work") / "mine.py"
    write_library(path, library_text(adopt(ROOT / "solutions").own))
    return path


def run_on(mine: Path, *words: str) -> tuple[int, str]:
    """Run the library's tests on a mine.py; return how that ended and what was said."""
    command = [sys.executable, "-m", "pytest", "-p", "in_the_librarys_place", "--mine", str(mine)]
    command += ["-p", "no:cacheprovider", *words]
    run = subprocess.run(
        command, cwd=TESTS.parent, capture_output=True, text=True, timeout=600, check=False
    )
    return run.returncode, run.stdout + run.stderr


def test_the_librarys_tests_hold_for_the_solutions(mine: Path) -> None:
    status, said = run_on(mine, *(f"tests/{name}" for name in FILES))
    assert status == 0, said
    (counts,) = re.findall(r"^calls: (.*)$", said, re.MULTILINE)
    calls = json.loads(counts)
    assert min(calls[one.name] for one in parts()) >= 5
    (passed,) = re.findall(r"(\d+) passed", said)
    assert int(passed) > 150
    assert "xpassed" not in said


def test_a_part_that_is_wrong_fails_them(mine: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "mine.py"
    text = mine.read_text(encoding="utf-8")
    along_rows = text.replace("powers.sum(axis, keepdim=True)", "powers.sum(-1, keepdim=True)")
    assert along_rows != text
    wrong.write_text(along_rows, encoding="utf-8")
    rows = "tests/course_lib/test_softmax.py::test_rows_equal_their_loops"
    status, said = run_on(wrong, rows)
    assert status == 1
    assert "FAILED tests/course_lib/test_softmax.py::test_rows_equal_their_loops[softmax-0-" in said
    assert "[softmax--1-" not in said.split("short test summary")[1]
