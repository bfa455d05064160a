"""What a learner reads holds no word of the engine, and says what differs, where, by how much."""

import re
from typing import Any

import pytest
import torch

from grading import check
from grading.asking import function_of
from grading.catalogue.kill_table import wrong_answers
from grading.exercise import Exercise
from grading.exercises import all_exercises
from grading.verdict.record import Record

pytestmark = pytest.mark.filterwarnings("ignore")
CODE = re.compile(r"\b[A-Z][A-Z0-9]+-[A-Z0-9]+\b")
#: Words of the engine, and sentences that say nothing.
JARGON = re.compile(
    r"\b(probe|misconception|finding|observation|witness|stage|frame|tolerance|verdict|"
    r"edge case|control row|sizes? (all )?differ(ent)?)\b|differs from what the contract",
    re.IGNORECASE,
)
each = pytest.mark.parametrize("exercise", all_exercises(), ids=lambda exercise: exercise.name)


def said(record: Record) -> list[str]:
    """Every sentence of a record, and the label of its example."""
    label = [record.example.label] if record.example is not None else []
    return [*record.parts, record.rule or "", *label]


@each
def test_no_sentence_holds_a_code_or_a_word_of_the_engine(exercise: Exercise) -> None:
    answers = {choice for choice in CODE.findall(str(exercise.functions))}
    for who in wrong_answers(exercise):
        record = check(function_of(exercise, who), exercise=exercise.name).record
        for sentence in said(record):
            told = sentence.split("Your function raised an error")[0]  # Python's own words follow
            # A question's answers are codes, and so is what a learner's test lets pass.
            quoted = re.sub(r'"[^"]*"|`[^`]*`', "", told)
            assert not CODE.search(quoted), (who, sentence)
            assert not JARGON.search(quoted), (who, sentence)
    assert not answers or exercise.kind == "test"  # its functions go by their codes, unseen


@each
def test_the_catalogues_own_sentences_hold_no_code(exercise: Exercise) -> None:
    laws = [law.rule for law in exercise.laws]
    mistakes = [mistake.sentence for mistake in exercise.misconceptions]
    for sentence in (*mistakes, *laws, exercise.next_rung, exercise.title):
        assert not CODE.search(re.sub(r'"[^"]*"', "", sentence)), sentence
        assert not JARGON.search(sentence), sentence


def first_sentence(answer: Any, exercise: str) -> str:
    result = check(answer, exercise=exercise)
    assert not result.passed
    return result.record.parts[0]


def test_what_differs_is_said_with_its_place_and_its_size() -> None:
    def one_row(query: Any, key: Any) -> Any:
        scores = query @ key.mT
        return scores + 0.5 * (torch.arange(scores.shape[-2]) == 0)[:, None]

    assert first_sentence(one_row, "attention_scores") == ("scores[0, 0] is 1.5 and has to be 1.")
    by_half = lambda x, axis=-1: 0.5 * torch.softmax(x, axis)  # noqa: E731
    assert first_sentence(by_half, "log_softmax").startswith("log-weights[0, 0, 0] is 0.5 and has")
    assert first_sentence(lambda *_: 3.0, "softmax_scale") == "scale is 3 and has to be 0.125."


def test_numbers_that_are_not_finite_are_counted_and_placed() -> None:
    def overflows(x: Any, axis: int = -1) -> Any:
        return x.exp() / x.exp().sum(axis, keepdim=True)

    text = first_sentence(overflows, "softmax")
    assert re.fullmatch(r"weights\[0, 0\] is NaN, not a number, and has to be 1\.", text)

    def always_nan(query: Any, key: Any) -> Any:
        return query @ key.mT * torch.nan

    result = check(always_nan, exercise="attention_scores")
    assert "is NaN, not a number, and has to be" in result.message


def test_a_wrong_gradient_is_said_with_its_input_and_its_size() -> None:
    class Doubled(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, value: torch.Tensor) -> torch.Tensor:
            return value.clone()

        @staticmethod
        def backward(context: Any, gradient: torch.Tensor) -> torch.Tensor:
            return 2 * gradient

    def answer(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        return query @ Doubled.apply(key).mT

    text = first_sentence(answer, "attention_scores")
    assert text.startswith("The values are right, but the gradient with respect to `key` is not: ")
    assert re.search(r"2700 of its 2700 numbers are wrong, by up to \d", text)


def test_what_is_no_result_at_all_is_shown_on_the_smallest_inputs() -> None:
    def words_for_masks(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
        if may_attend is not None:
            return "masked"
        weights = torch.softmax(query @ key.mT / query.shape[-1] ** 0.5, -1)
        return weights @ value, weights

    result = check(words_for_masks, exercise="scaled_dot_product_attention")
    assert result.message.startswith("It returned a str, not 2 results, output and weights.")
    assert "may_attend = [[True]]" in result.example
    assert "yours" not in result.example


def test_where_no_example_shows_the_inputs_they_are_told() -> None:
    def narrow_on_masks(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
        weights = torch.softmax(query @ key.mT / query.shape[-1] ** 0.5, -1)
        output = weights @ value
        return (output if may_attend is None else output.float()), weights

    result = check(narrow_on_masks, exercise="scaled_dot_product_attention")
    assert result.rule == "results have the dtype of the inputs"
    assert "yours is float32. The inputs were: " in result.message
