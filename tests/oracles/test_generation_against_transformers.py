"""The next token and the loop against transformers' processors and generate; PyTorch's draws."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import normal, seeds
from tiny_models import ARCHITECTURES, make_pair
from tiny_parts import WINDOW, V
from torch.testing import assert_close
from transformers import (
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from course_lib.generation.choice import greedy, pick, sample, sampler
from course_lib.generation.logits import temperature_logits, top_k_logits, top_p_logits
from course_lib.generation.prompts import (
    continue_prompts,
    continue_prompts_without_cache,
    padded_left,
)
from course_lib.generation.writing import (
    continue_ids,
    continue_ids_without_cache,
    continue_until,
    generate,
)

B, T, DRAWS = 2, 7, 20_000
NAMES = sorted(ARCHITECTURES)
#: The statistic's value that chance exceeds once in a million, for few degrees of freedom (to 12).
CHI_SQUARE_BOUND = 56.0


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(seed=seeds, temperature=st.floats(0.05, 20), k=st.integers(1, 11), p=st.floats(0.01, 1.0))
def test_logits_are_those_of_the_processors(
    seed: int, temperature: float, k: int, p: float
) -> None:
    for dtype in (torch.float32, torch.float64):
        logits = normal(seed, B, 11, dtype=dtype)  # no two are equal
        theirs = TemperatureLogitsWarper(temperature)(None, logits)
        assert_close(temperature_logits(logits, temperature), theirs, rtol=0, atol=0)
        assert_close(top_k_logits(logits, k), TopKLogitsWarper(k)(None, logits), rtol=0, atol=0)
        assert_close(top_p_logits(logits, p), TopPLogitsWarper(p)(None, logits), rtol=0, atol=0)
    both = LogitsProcessorList([TopKLogitsWarper(k), TopPLogitsWarper(p)])
    assert_close(top_p_logits(top_k_logits(logits, k), p), both(None, logits), rtol=0, atol=0)


def test_where_we_differ_ties_with_the_kth() -> None:
    logits = torch.tensor([[1.0, 3.0, 1.0, 2.0, 1.0]])
    assert TopKLogitsWarper(3)(None, logits).isfinite().sum() == 5
    assert top_k_logits(logits, 3).isfinite().sum() == 3


@given(seed=seeds)
def test_greedy_is_argmax(seed: int) -> None:
    logits = normal(seed, B, T, V)
    assert_close(greedy(logits), logits.argmax(-1))


@given(seed=seeds)
def test_pick_is_a_search_in_the_cumulated_weights(seed: int) -> None:
    logits, source = 3 * normal(seed, B, T, V), generator(seed)
    points = torch.rand(B, T, generator=source, dtype=torch.float64)
    ends = torch.softmax(logits, -1).cumsum(-1)
    expected = torch.searchsorted(ends, points.unsqueeze(-1), right=True).squeeze(-1)
    assert_close(pick(logits, points), expected)


def chi_square(drawn: torch.Tensor, weights: torch.Tensor) -> float:
    counts = torch.bincount(drawn, minlength=len(weights)).double()
    expected = len(drawn) * weights
    possible = weights > 0
    assert (counts[~possible] == 0).all()
    return ((counts - expected) ** 2 / expected)[possible].sum().item()


@pytest.mark.parametrize("seed", range(4))
def test_draws_are_as_frequent_as_multinomials(seed: int) -> None:
    logits = normal(seed, 9)
    weights = torch.softmax(logits, -1)
    ours = sample(logits.expand(DRAWS, 9), generator(seed))
    theirs = torch.multinomial(weights, DRAWS, replacement=True, generator=generator(seed))
    assert chi_square(theirs, weights) < CHI_SQUARE_BOUND
    assert chi_square(ours, weights) < CHI_SQUARE_BOUND
    # The bound has teeth: draws of a slightly other temperature are beyond it.
    other = sample(1.2 * logits.expand(DRAWS, 9), generator(seed))
    assert chi_square(other, weights) > CHI_SQUARE_BOUND


def test_a_sampler_draws_from_what_the_processors_leave() -> None:
    logits = normal(3, 13)
    theirs = LogitsProcessorList(
        [TemperatureLogitsWarper(0.7), TopKLogitsWarper(8), TopPLogitsWarper(0.9)]
    )
    weights = torch.softmax(theirs(None, logits[None])[0], -1)
    choose = sampler(generator(0), temperature=0.7, top_k=8, top_p=0.9)
    assert 2 < (weights > 0).sum() < 8
    assert chi_square(choose(logits.expand(DRAWS, 13)), weights) < CHI_SQUARE_BOUND


@pytest.mark.usefixtures("without_annotations")  # they cost more than these small models
@pytest.mark.parametrize("name", NAMES)
def test_greedy_sequences_are_those_of_transformers(name: str) -> None:
    theirs, ours = make_pair(name, seed=4)
    ids = torch.randint(V, (B, T), generator=generator(1))
    n = 12
    expected = theirs.double().generate(
        ids, max_new_tokens=n, do_sample=False, attention_mask=torch.ones_like(ids)
    )
    ours = ours.double()
    assert expected.shape == (B, T + n)
    assert T + n > 3 * WINDOW
    assert_close(continue_ids(ours, ids, n, greedy), expected)
    assert_close(continue_ids_without_cache(ours, ids, n, greedy), expected)
    assert_close(generate(ours, ids, n, 0.0, None, generator(0)), expected)


@pytest.mark.usefixtures("without_annotations")
def test_sequences_end_where_those_of_transformers_end() -> None:
    theirs, ours = make_pair("Llama 3", seed=4)
    both = torch.randint(V, (B, T), generator=generator(1))
    n, lengths = 12, set()
    for ids in (both[:1], both[1:], both):
        for end_id in continue_ids(ours, ids, n, greedy)[:, T:].unique().tolist():
            expected = theirs.generate(
                ids,
                max_new_tokens=n,
                do_sample=False,
                attention_mask=torch.ones_like(ids),
                eos_token_id=end_id,
                pad_token_id=end_id,
            )
            assert_close(continue_until(ours, ids, n, greedy, end_id), expected)
            lengths.add(expected.shape[1] - T)
    assert len(lengths) > 3
    assert min(lengths) < n


#: One of each way to know positions: a table, RoPE, RoPE and windows, windows and caps, ALiBi; and
#: states, which no mask hides padding from.
PADDED = ("GPT-2", "Llama 3", "Mistral", "Gemma 2", "BLOOM", "Qwen3-Next")


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize("name", PADDED)
def test_prompts_of_different_lengths_are_continued_as_by_transformers(name: str) -> None:
    # In float32: in float64 their softmax over a row of padding, cast to float32, is NaN.
    theirs, ours = make_pair(name, seed=4)
    n = 8
    given = [torch.randint(V, (length,), generator=generator(length)) for length in (9, 2, 6)]
    ids, padding = padded_left(given)
    is_token = torch.arange(ids.shape[1]) >= padding[:, None]
    with torch.no_grad():
        whole = theirs.generate(
            ids,
            max_new_tokens=n,
            do_sample=False,
            attention_mask=is_token.long(),
            pad_token_id=0,
        )
    expected = [row[first:] for row, first in zip(whole, padding.tolist(), strict=True)]
    for go_on in (continue_prompts, continue_prompts_without_cache):
        for longer, theirs_alone in zip(go_on(ours, given, n, greedy), expected, strict=True):
            assert_close(longer, theirs_alone)
