"""Only what changed is done again, and one job that dies stops no other."""

import os

import pytest

from grading.jobs import Stamps, digest, flat, in_processes


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
