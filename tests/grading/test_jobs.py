"""Only what changed is done again, and one job that dies stops no other."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from jobs_that_die import die_later, wait_then

from grading.jobs import Stamps, died, digest, flat, in_processes

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")


def test_two_texts_are_not_one():
    assert digest(["ab", "c"]) != digest(["a", "bc"])
    assert digest(["ab"]) == digest([b"ab"])


def test_a_file_is_its_name_and_its_content_in_any_order():
    files = {"b": b"2", "a": b"1"}
    assert flat(files) == ["a", b"1", "b", b"2"]
    assert digest(flat({"a": b"2", "b": b"1"})) != digest(flat(files))


def test_a_job_is_done_until_its_inputs_change(tmp_path):
    stamps = Stamps(tmp_path / "stamps")
    assert not stamps.is_done("learner-01--softmax", "first")
    assert not stamps.folder.exists()
    stamps.note("learner-01--softmax", "first")
    assert stamps.is_done("learner-01--softmax", "first")
    assert not stamps.is_done("learner-01--softmax", "second")
    assert not stamps.is_done("learner-02--softmax", "first")


def test_how_a_job_ended_is_kept_for_another_process(tmp_path):
    Stamps(tmp_path).note("a", "inputs", "the file is damaged")
    assert Stamps(tmp_path).reason("a") == "the file is damaged"
    assert Stamps(tmp_path).is_done("a", "inputs")
    Stamps(tmp_path).note("a", "inputs")
    assert Stamps(tmp_path).reason("a") == ""
    assert Stamps(tmp_path).reason("b") == ""


def test_a_process_that_dies_while_it_notes_leaves_the_old_note(tmp_path, monkeypatch):
    stamps = Stamps(tmp_path)
    stamps.note("a", "old")

    def killed(*paths):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        stamps.note("a", "new")
    assert stamps.is_done("a", "old")


def test_each_job_ends_with_its_own_result_or_error():
    runs = dict(in_processes(divmod, {"seven": (7, 2), "none": (7, 0), "nine": (9, 4)}))
    assert runs["seven"].result() == (3, 1)
    assert runs["nine"].result() == (2, 1)
    assert isinstance(runs["none"].exception(), ZeroDivisionError)


def test_a_process_that_ends_itself_is_an_error_of_its_job():
    runs = dict(in_processes(os._exit, {"ends": (3,)}, processes=1))
    assert type(runs["ends"].exception()).__name__ == "BrokenProcessPool"


def test_a_process_that_dies_stops_no_other_job():
    jobs = {name: (os._exit if name == "second" else None, name) for name in ORDINALS}
    runs = list(in_processes(wait_then, jobs))
    assert sorted(job for job, _ in runs) == sorted(jobs)
    assert {job for job, run in runs if died(run)} == {"second"}
    assert all(run.result() == job for job, run in runs if job != "second")


def test_a_process_that_dies_after_its_result_stops_no_other_job():
    jobs = {number: (number,) for number in range(5)}
    runs = dict(in_processes(die_later, jobs, processes=1))
    assert sorted(run.result() for run in runs.values()) == [0, 1, 2, 3, 4]


ENDLESS = """
import sys, time
from grading.jobs import in_processes

def beat(path):
    while True:
        with open(path, "a") as file:
            file.write(".")
        time.sleep(0.02)

if __name__ == "__main__":
    list(in_processes(beat, {"job": (sys.argv[1],)}))
"""


def test_a_process_ends_with_the_one_that_started_it(tmp_path):
    """A run that is killed (−9) leaves no process behind that goes on with its work."""
    script, heart = tmp_path / "endless.py", tmp_path / "heart.txt"
    script.write_text(ENDLESS)
    run = subprocess.Popen([sys.executable, str(script), str(heart)])
    while not heart.exists():
        time.sleep(0.05)
    run.kill()
    run.wait()
    assert any(stands_still(heart) for _ in range(20)), "it goes on"


def stands_still(file: Path) -> bool:
    """Return whether a file that grows while its process lives stays as it is."""
    before = file.stat().st_size
    time.sleep(0.5)
    return file.stat().st_size == before
