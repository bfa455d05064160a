"""The figures of the chapter on training: what they refuse, what they hold, and three laws."""

import pytest
import torch

from course_lib.plotting.compute_budget import LAWS, compute_budget
from course_lib.plotting.next_token import next_token
from course_lib.trained.next_tokens import shakespeare_tokens

TOKENS = [b"a", b" b", b"\n", b"\xe2"]


@pytest.mark.parametrize("name", LAWS)
def test_the_best_size_is_the_lowest_point_of_its_curve(name: str) -> None:
    law = LAWS[name]
    for flops in (1e19, 1e21, 5.76e23, 1e26):
        sizes = torch.logspace(6, 14, 4001, dtype=torch.float64).tolist()
        losses = [law.loss(size, flops / 6 / size) for size in sizes]
        lowest = sizes[losses.index(min(losses))]
        assert law.best(flops) == pytest.approx(lowest, rel=0.005)


def test_a_law_is_a_floor_and_two_powers() -> None:
    law = LAWS["as printed, 2022"]
    # Chinchilla: 70 billion parameters and 1.4 trillion tokens.
    by_hand = 1.69 + 406.4 / 70e9**0.34 + 410.7 / 1.4e12**0.28
    assert law.loss(70e9, 1.4e12) == pytest.approx(by_hand, abs=1e-12)
    assert law.loss(1e60, 1e60) == pytest.approx(1.69)


def test_the_drawing_says_what_it_shows() -> None:
    figure = compute_budget()
    assert "'10^'" in str(figure.spec)
    for width in ("wide", "narrow"):
        svg = figure.svg(width)
        assert "tokens per parameter: 50.1" in svg
    assert figure.svg() == compute_budget().svg()


def test_tokens_are_readable_and_their_logits_rounded() -> None:
    logits = {"x": torch.tensor([0.12345, 2, 1, 0]), "y": torch.zeros(4)}
    figure = next_token(logits, TOKENS, "x")
    values = {one["name"]: one.get("value") for one in figure.spec["params"]}
    assert values["words"] == ["a", "␣b", "⏎", "e2"]
    assert values["logits"] == [[0.123, 2, 1, 0], [0, 0, 0, 0]]
    assert values["line"] == "x"
    weights = torch.tensor([0.123, 2, 1, 0]).softmax(-1)
    assert f"{weights[1]:.2f}" in figure.svg("narrow")


@pytest.mark.usefixtures("without_annotations")
def test_lines_without_a_logit_for_each_token_are_refused() -> None:
    tokens = shakespeare_tokens()
    with pytest.raises(ValueError, match=r"856 tokens, rows of \[855\] logits, and 'x' is shown"):
        next_token({"x": torch.zeros(855)}, tokens, "x")
    with pytest.raises(ValueError, match=r"rows of \[856\] logits, and 'y' is shown"):
        next_token({"x": torch.zeros(856)}, tokens, "y")
