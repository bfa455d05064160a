"""What a learner reads holds no word of the engine, and says what differs, where, by how much."""

import re
from typing import Any

import numpy as np
import pytest
import torch

from grading import check
from grading.asking import function_of
from grading.catalogue.kill_table import wrong_answers
from grading.exercise import Exercise
from grading.exercises import all_exercises
from grading.verdict.operations import in_words
from grading.verdict.record import Record

pytestmark = pytest.mark.filterwarnings("ignore")
#: A mistake's code; two names of the world look like one.
CODE = re.compile(r"\b(?!GPT-\d|UTF-8)[A-Z][A-Z0-9]+-[A-Z0-9]+\b")
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
    assert result.message.startswith(
        "It returned a str; two results are asked for: output and weights."
    )
    assert "may_attend = [[True]]" in result.example
    assert "yours" not in result.example


def test_where_no_example_shows_the_inputs_they_are_told() -> None:
    def narrow_on_masks(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
        weights = torch.softmax(query @ key.mT / query.shape[-1] ** 0.5, -1)
        output = weights @ value
        return (output if may_attend is None else output.float()), weights

    result = check(narrow_on_masks, exercise="scaled_dot_product_attention")
    assert result.rule == "results have the dtype of the inputs"
    assert "yours is float32. PyTorch makes new tensors in float32 unless" in result.message
    assert " is told the dtype. The inputs were: " in result.message


def test_a_forbidden_operation_is_called_by_what_it_computes() -> None:
    names = {name for one in all_exercises() for name in one.forbidden}
    for name in names:
        said = in_words(f"PyTorch's own {name}" if name.startswith("aten.") else name)
        assert "aten" not in said
        assert "_" not in said.replace(f"`{name}`", "")
    assert in_words("PyTorch's own aten._softmax") == "PyTorch's own softmax"
    assert in_words("PyTorch's own aten._some_thing") == "PyTorch's own some thing"
    assert in_words("torch.softmax") == "`torch.softmax`"


def test_a_task_with_loops_says_what_it_asks_for() -> None:
    def product(query: Any, key: Any, value: Any) -> Any:
        rows = [query[t] @ key.T / len(query[t]) ** 0.5 for t in range(len(query))]
        exps = [np.exp(row - row.max()) for row in rows]
        return np.stack([row / row.sum() @ value for row in exps])

    assert first_sentence(product, "attention_by_loops") == (
        "It uses @, the matrix product. This task asks for loops over single numbers or rows, "
        "so it earns nothing."
    )


def test_one_shape_where_two_are_asked_for() -> None:
    one = check(lambda T, S, D, Dv: (T, S), exercise="cross_attention_shapes")
    assert one.message.startswith(
        "With T, S, D, Dv = 3, 11, 5, 7 one shape came back, (3, 11); two are asked for."
    )
    text = check(lambda T, S, D, Dv: ("T, S", "T, Dv"), exercise="cross_attention_shapes")
    assert "the shape of the weights is 'T, S'; a tuple of sizes is asked for." in text.message


def test_another_number_of_results_is_counted() -> None:
    message = check(lambda x, w_q, w_k, w_v, context=None: x @ w_q, exercise="project_qkv").message
    assert message.startswith(
        "It returned a tensor of float64; three results are asked for: query, key and value."
    )
    two = check(
        lambda x, w_q, w_k, w_v, context=None: (x @ w_q, x @ w_k), exercise="project_qkv"
    ).message
    assert two.startswith("It returned a tuple of 2; three results are asked for: ")


@pytest.mark.parametrize(("predicted", "asked"), [(73, True), (1.5, True), (-0.1, False), (101, 0)])
def test_a_weight_that_is_none_is_said_to_be_none(predicted: float, asked: bool) -> None:
    for name in ("predict_shifted_weight", "predict_own_weight", "predict_largest_weight"):
        message = check(lambda: predicted, exercise=name).message
        assert f"A weight lies between 0 and 1; your prediction is {predicted:g}." in message
        assert ("Is it meant in per cent?" in message) == bool(asked)


def test_a_pattern_says_where_the_weight_goes_only_if_it_goes_elsewhere() -> None:
    def make(sharp: float, shift: int) -> Any:
        return lambda pattern, T: (sharp * torch.eye(T).roll(shift, 0), torch.eye(T))

    faint = first_sentence(make(10.0, 0), "make_qk_for")
    assert re.fullmatch(r'For "identity" query 0 .* to key 0; it gives 0\.922 there\.', faint)
    moved = first_sentence(make(100.0, 1), "make_qk_for")
    assert re.search(r"to key \d; it gives 0\.000 there, and \d\.\d{3} to key \d\.", moved)


def test_a_code_and_a_tuple_are_written_as_one_would_type_them() -> None:
    wrong = check(lambda: ("NO-MAX", (torch.ones(2),)), exercise="diagnose_softmax").message
    assert wrong.startswith('"NO-MAX" is no code of the list.')
    bare = check(lambda: ("ONE-MAXIMUM", torch.ones(2)), exercise="diagnose_softmax").message
    assert "the inputs have to be a tuple, (x,); yours is a tensor of float32." in bare


def test_no_zero_is_negative() -> None:
    def entropy(scores: Any) -> Any:
        weights = scores.softmax(-1)
        return -(weights * weights.log()).sum(-1)

    assert first_sentence(entropy, "weight_entropy").endswith("and has to be 0.")


def test_what_the_last_key_leaves_and_a_second_softmax_have_their_names() -> None:
    def last(query: Any, key: Any, value: Any) -> Any:
        output = np.zeros((len(query), value.shape[1]))
        for t in range(len(query)):
            scores = [sum(query[t] * k) / len(k) ** 0.5 for k in key]
            powers = [float(np.exp(z - max(scores))) for z in scores]
            for s in range(len(key)):
                output[t] = powers[s] / sum(powers) * value[s]
        return output

    def twice(weights: Any, value: Any) -> Any:
        return torch.exp(weights) / torch.exp(weights).sum(-1, keepdim=True) @ value

    def inverted(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
        scores = query @ key.mT / query.shape[-1] ** 0.5
        if may_attend is None:
            return scores.softmax(-1) @ value, scores.softmax(-1)
        weights = torch.where(may_attend, -1e30, scores).softmax(-1) * may_attend
        return weights @ value, weights

    assert check(last, exercise="attention_by_loops").misconception == "LOOP-LAST"
    assert check(twice, exercise="weighted_sum").misconception == "SUM-SOFTMAX"
    assert check(inverted, exercise="scaled_dot_product_attention").misconception == "SDPA-MASKINV"
