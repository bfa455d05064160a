"""The figures of the chapter on positions: what they refuse, and what a pair adds."""

import json

import pytest
import torch
from torch.testing import assert_close

from course_lib.plotting.mechanism import NARROW, WIDE
from course_lib.plotting.rotated_pairs import FARTHEST, SIGNS, pair_products, rotated_pairs
from course_lib.plotting.stretched_rotations import WAYS, stretched_rotations
from course_lib.plotting.wavelengths import wavelengths
from course_lib.positions.rope import rope, rope_inv_freq

FOUR = rope_inv_freq(8, 100.0)


def test_pairs_add_up_to_the_score_of_a_query_and_a_key_that_are_alike() -> None:
    alike = torch.cat([torch.ones(1, 4), torch.zeros(1, 4)], 1).double()
    query, key = (rope(alike, torch.tensor([at]), 100.0) for at in (11, 4))
    assert_close(pair_products(FOUR, 11, 4).sum(), (query @ key.T)[0, 0])
    assert_close(pair_products(FOUR, 11, 4), torch.cos(7 * FOUR))
    assert_close(pair_products(FOUR, 11, 4, (1, -1)), torch.cos(15 * FOUR))


def test_the_drawing_says_what_it_shows_in_both_widths() -> None:
    figure = rotated_pairs(FOUR, query_at=7, key_at=2)
    products = pair_products(FOUR, 7, 2)
    assert f"the score, {products.sum():.2f}." in figure.alt_text
    assert "−0.01" in figure.alt_text
    assert figure.data["theta"] == FOUR.tolist()
    assert [one[0] for one in figure.data["signs"]] == list(SIGNS)
    for marks in (figure.wide, figure.narrow):
        assert sum("query-hand" in one for one in marks) == 4
        assert sum("key-hand" in one for one in marks) == 4
    html = figure.html()
    assert f'viewBox="0 0 {WIDE} ' in html
    assert f'viewBox="0 0 {NARROW} ' in html
    assert html == rotated_pairs(FOUR, query_at=7, key_at=2).html()


@pytest.mark.usefixtures("without_annotations")
def test_other_pairs_and_places_off_the_sliders_are_refused() -> None:
    with pytest.raises(ValueError, match=r"four clocks .* 0 to 24; 3 pairs came"):
        rotated_pairs(FOUR[:3], query_at=0, key_at=0)
    with pytest.raises(ValueError, match=r"the query at 25 and the key at 2"):
        rotated_pairs(FOUR, query_at=FARTHEST + 1, key_at=2)
    with pytest.raises(ValueError, match=r"the query at 0 and the key at -1"):
        rotated_pairs(FOUR, query_at=0, key_at=-1)


def test_a_head_that_has_no_pairs_is_refused() -> None:
    with pytest.raises(ValueError, match="rotary_dim is even; it is 7"):
        wavelengths(7, power=4, length=12)
    with pytest.raises(ValueError, match=r"rotary_dim is 2 and base is 10\.0"):
        stretched_rotations(2, 10.0, 64)
    with pytest.raises(ValueError, match=r"rotary_dim is 8 and base is 1\.0"):
        stretched_rotations(8, 1.0, 64)


@pytest.mark.parametrize("name", ["wide", "narrow"])
def test_the_still_figures_are_the_same_on_every_run(name: str) -> None:
    waves = [wavelengths(64, power=4, length=12).svg(name) for _ in range(2)]
    ways = [stretched_rotations(64, 150_000.0, 4096).svg(name) for _ in range(2)]
    assert waves[0] == waves[1]
    assert ways[0] == ways[1]
    assert "pairs that turn fully: 23 of 32" in waves[0]
    assert "ramp begins: 8.0928" in ways[0]
    assert "ramp ends: 17.3980" in ways[0]
    assert "kept as they are: 9 of 32" in ways[0]
    assert "slowed down fully: 14 of 32" in ways[0]
    assert "scores times 1.813" in ways[0]


def test_the_choices_are_those_of_the_library() -> None:
    spec = json.dumps(stretched_rotations(64, 150_000.0, 4096).spec)
    assert all(way in spec for way in WAYS)
