"""The annotations run in the tests: a wrongly shaped call is refused before the function starts."""

import pytest
import torch
from jaxtyping import TypeCheckError

from course_lib import softmax as lib
from course_lib.attention.dot_product import attention_scores, scaled_dot_product_attention
from course_lib.masks import padding_mask
from course_lib.naive import softmax as naive
from course_lib.softmax import masked_softmax, softmax


def test_a_wrong_size_is_refused_by_the_annotation() -> None:
    with pytest.raises(
        TypeCheckError, match=r"parameters of course_lib\.attention\.dot_product\.att"
    ):
        attention_scores(torch.zeros(3, 7), torch.zeros(5, 6))
    with pytest.raises(TypeCheckError, match="'may_attend'"):
        masked_softmax(torch.zeros(3, 5), torch.ones(5, 3, dtype=torch.bool))
    with pytest.raises(TypeCheckError, match="'value'"):
        scaled_dot_product_attention(torch.zeros(3, 7), torch.zeros(5, 7), torch.zeros(4, 6))


def test_a_wrong_dtype_is_refused_by_the_annotation() -> None:
    with pytest.raises(TypeCheckError, match="'x'"):
        softmax(torch.zeros(3, dtype=torch.int64))
    with pytest.raises(TypeCheckError, match="'may_attend'"):
        masked_softmax(torch.zeros(3, 5), torch.ones(3, 5))
    with pytest.raises(TypeCheckError, match="'lengths'"):
        padding_mask(torch.ones(3), 5)


def test_twins_take_float64_alone() -> None:
    row = torch.zeros(3).numpy()
    with pytest.raises(TypeCheckError, match=r"parameters of course_lib\.naive\.softmax\."):
        naive.softmax(row)


def test_results_are_checked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lib, "_maximum", lambda x, axis: torch.zeros(2, *x.shape))
    with pytest.raises(TypeCheckError, match=r"return value of course_lib\.softmax\.log_softmax"):
        lib.log_softmax(torch.zeros(3, 5))


@pytest.mark.usefixtures("without_annotations")
def test_the_fixture_switches_them_off() -> None:
    with pytest.raises(ValueError, match=r"needed in scores .* torch.int64; shape \(1, 2\)"):
        softmax(torch.tensor([[0, 0]]))
