"""Which exercises are parts of a learner's library, and that the linter holds them to it."""

from dataclasses import replace

import pytest
from library import LIBRARY, module_name, public_functions, sources

from grading.catalogue.lint import complaints
from grading.exercise import Exercise
from grading.exercises import all_exercises, find, parts

PUBLIC = {
    f"{module_name(path)}.{name}"
    for path in sources()
    if not path.is_relative_to(LIBRARY / "naive")
    for name in public_functions(path)
}

#: The library's own is asked for a dtype, and keeps float64's digits where callers want them: an
#: answer of float32, which its task allows, cannot stand in its place.
OF_ONE_DTYPE = {"sinusoidal", "alibi_bias"}
#: The library's own keeps tokens in a cache that it is handed, and takes queries and keys that are
#: turned; the exercise is a function of tensors alone, for only those are compared.
OF_TENSORS = {"attend_with_cache"}
#: The library's own asks a decoder for its caches; the models of the task have none to give.
WITHOUT_A_CACHE = {"generate"}


def part(name: str) -> Exercise:
    exercise = find(name)
    assert exercise is not None
    return exercise


def test_every_exercise_that_the_library_has_by_name_is_a_part() -> None:
    by_name = {full.rpartition(".")[2]: full for full in sorted(PUBLIC)}
    expected = {one.name: by_name.get(one.name, "") for one in all_exercises()}
    for name in OF_ONE_DTYPE | OF_TENSORS | WITHOUT_A_CACHE:
        assert expected[name]
        expected[name] = ""
    assert {one.name: one.part for one in all_exercises()} == expected
    assert len(parts()) >= 13
    assert {one.part for one in parts()} <= PUBLIC


@pytest.mark.parametrize(
    ("name", "counterpart", "complaint"),
    [
        ("softmax", "course_lib.softmax.softmacks", "the library has no such function"),
        ("softmax", "course_lib.softmacks.softmax", "the library has no such function"),
        (
            "softmax",
            "course_lib.softmax.log_softmax",
            "a part goes by its exercise's name, softmax",
        ),
        ("softmax", "course_lib.softmax.log_softmax", "it is not what the reference gives"),
        ("softmax_vjp", "course_lib.softmax.softmax", "it is not what the reference gives"),
        ("saturation", "course_lib.scaling.score_variance", "it is not what the reference gives"),
    ],
)
def test_the_linter_refuses_a_part_that_is_another(
    name: str, counterpart: str, complaint: str
) -> None:
    text = "\n".join(complaints(replace(part(name), part=counterpart)))
    assert f"{counterpart}: {complaint}" in text
