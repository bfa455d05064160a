"""The best row of labels: as every row there is says, and by the laws of its sum."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import arrays, normal, seeds
from torch import Tensor

from course_lib.labelling.best_path import PathRules, best_path
from course_lib.naive.labelling import best_path as naive

INF, NAN = math.inf, math.nan
lengths, labels = st.integers(1, 5), st.integers(1, 4)


def drawn(seed: int, num_labels: int) -> PathRules:
    """About a third of the steps may not be taken; staying always may."""
    steps = normal(seed, num_labels, num_labels)
    steps = steps.masked_fill(normal(seed + 1, num_labels, num_labels) > 0.4, -INF)
    steps.fill_diagonal_(0.3)
    return PathRules(
        first=normal(seed + 2, num_labels), steps=steps, last=normal(seed + 3, num_labels)
    )


def gain(path: Tensor, scores: Tensor, rules: PathRules) -> float:
    total = rules.first[path[0]] + rules.last[path[-1]]
    total = total + scores.gather(1, path[:, None]).sum()
    return (total + rules.steps[path[:-1], path[1:]].sum()).item()


@given(seed=seeds, num_tokens=lengths, num_labels=labels)
def test_it_is_the_best_of_all_rows(seed: int, num_tokens: int, num_labels: int) -> None:
    scores, rules = normal(seed, num_tokens, num_labels), drawn(seed + 5, num_labels)
    found = best_path(scores, rules)
    twin = arrays(rules.first, rules.steps, rules.last)
    assert found.tolist() == naive.best_path(scores.numpy(), tuple(twin)).tolist()
    assert gain(found, scores, rules) > -INF


@given(seed=seeds, num_tokens=lengths, num_labels=labels)
def test_a_number_for_a_whole_token_changes_nothing(
    seed: int, num_tokens: int, num_labels: int
) -> None:
    scores, rules = normal(seed, num_tokens, num_labels), drawn(seed + 5, num_labels)
    found = best_path(scores, rules)
    assert torch.equal(best_path(scores + normal(seed + 9, num_tokens, 1), rules), found)
    assert torch.equal(best_path(scores.log_softmax(-1), rules), found)
    backwards = PathRules(first=rules.last, steps=rules.steps.T, last=rules.first)
    assert torch.equal(best_path(scores.flip(0), backwards).flip(0), found)


@given(seed=seeds, num_tokens=lengths, num_labels=labels)
def test_free_steps_leave_each_token_its_own_best(
    seed: int, num_tokens: int, num_labels: int
) -> None:
    none, steps = torch.zeros(num_labels), torch.zeros(num_labels, num_labels)
    scores = normal(seed, num_tokens, num_labels)
    rules = PathRules(first=none, steps=steps, last=none)
    assert torch.equal(best_path(scores, rules), scores.argmax(-1))


def test_it_looks_ahead() -> None:
    """Token by token would take label 0 first, and then could go nowhere good."""
    rules = PathRules(
        first=torch.zeros(2), steps=torch.tensor([[0.0, -INF], [0.0, 0.0]]), last=torch.zeros(2)
    )
    assert best_path(torch.tensor([[1.0, 0.0], [0.0, 3.0]]), rules).tolist() == [1, 1]


def test_no_tokens_many_tokens_and_half_precision() -> None:
    rules = drawn(1, 3)
    assert best_path(torch.zeros(0, 3), rules).tolist() == []
    scores = normal(4, 3000, 3)
    path = best_path(scores, rules)
    changed = gain(path, scores, rules)
    for place in range(0, 3000, 100):  # no neighbour of it is better
        for label in range(3):
            other = path.clone()
            other[place] = label
            assert gain(other, scores, rules) <= changed + 1e-9
    low = scores[:20].bfloat16()
    assert torch.equal(best_path(low, rules), best_path(low.double(), rules))


def test_what_has_no_best_path_is_refused() -> None:
    none, free = torch.zeros(2), torch.zeros(2, 2)
    rules = PathRules(first=none, steps=free, last=none)
    with pytest.raises(ValueError, match=r"scores are of 3 labels and the rules of 2"):
        best_path(torch.zeros(4, 3), rules)
    with pytest.raises(ValueError, match=r"scores has nan, and 1 such; shape \(1, 2\)"):
        best_path(torch.tensor([[0.0, NAN]]), rules)
    with pytest.raises(ValueError, match="scores has inf, and 1 such"):
        best_path(torch.tensor([[0.0, INF]]), rules)
    with pytest.raises(ValueError, match="steps has nan, and 4 such"):
        best_path(torch.zeros(1, 2), PathRules(first=none, steps=free * NAN, last=none))
    nowhere = PathRules(first=none, steps=free - INF, last=none)
    with pytest.raises(ValueError, match="of T=2 tokens and 2 labels none is"):
        best_path(torch.zeros(2, 2), nowhere)
    assert best_path(torch.tensor([[0.0, 1.0]]), nowhere).tolist() == [1]  # one token, no step


@pytest.mark.usefixtures("without_annotations")
def test_rules_of_the_wrong_shape_are_refused() -> None:
    none, free = torch.zeros(2), torch.zeros(2, 2)
    with pytest.raises(ValueError, match=r"first \(2,\), steps \(2, 3\), last \(2,\)"):
        PathRules(first=none, steps=torch.zeros(2, 3), last=none)
    with pytest.raises(ValueError, match=r"last \(1,\)"):
        PathRules(first=none, steps=free, last=torch.zeros(1))
    with pytest.raises(ValueError, match=r"2 in number; scores has 1; shape \(2,\)"):
        best_path(none, PathRules(first=none, steps=free, last=none))
