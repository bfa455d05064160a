"""Several heads in one figure: what is drawn is what was handed over, and what does not fit."""

import re

import pytest
import torch

from course_lib.plotting.colors import ramp_color
from course_lib.plotting.head_contributions import head_contributions
from course_lib.plotting.head_grids import patterns_side_by_side
from course_lib.plotting.standard import NARROW, SHEETS, WIDE, in_dark

WEIGHTS = torch.softmax(torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(0)), -1)
TITLES = [f"head {h}" for h in range(5)]


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_each_head_has_its_grid_and_its_title(sheet):
    figure = patterns_side_by_side(WEIGHTS, TITLES, row=2).drawn(sheet)
    panels = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title(loc="left") for axes in panels] == TITLES
    for axes, grid in zip(panels, WEIGHTS, strict=True):
        # In twelfths: so many shades can be told apart in a small cell.
        shades = {ramp_color(round(12 * weight) / 12)[0] for weight in grid.flatten().tolist()}
        # The frame of the row is a patch without a fill.
        drawn = [one for one in axes.patches if one.get_fill()]
        assert len(drawn) == len(shades - {ramp_color(0)[0]})
        framed = [one for one in axes.patches if not one.get_fill()]
        assert [(one.get_y(), one.get_width()) for one in framed] == [(1.5, 4)]


def test_the_file_is_the_same_at_every_run_and_has_a_dark_one():
    one, other = (patterns_side_by_side(WEIGHTS, TITLES).svg(NARROW) for _ in range(2))
    assert one == other
    assert in_dark(one) != one
    assert len(patterns_side_by_side(WEIGHTS.repeat(3, 5, 4), TITLES * 3).svg(WIDE)) < 200_000


def test_titles_and_rows_have_to_fit():
    with pytest.raises(ValueError, match="weights has H=5 and titles are 4"):
        patterns_side_by_side(WEIGHTS, TITLES[1:])
    with pytest.raises(ValueError, match="one of the T=3 queries; row is 3"):
        patterns_side_by_side(WEIGHTS, TITLES, row=3)


def layer(heads=3, rows=2):
    generator = torch.Generator().manual_seed(1)
    weights = torch.softmax(torch.randn(heads, rows, rows, generator=generator), -1)
    parts = torch.randn(heads, rows, 7, generator=generator).double()
    return weights, parts, torch.randn(7, generator=generator).double()


def test_contributions_are_drawn_with_lengths_shares_and_their_sum():
    weights, parts, bias = layer()
    figure = head_contributions(["a", "b"], weights, parts, bias, start=1)
    whole = parts[:, 1].sum(0) + bias
    html = figure.html()
    found = {
        part: [float(text.replace("−", "-")) for text in re.findall(
            rf'data-part="{part}"[^>]*>([^<]*)<', html)]
        for part in ("length", "share", "sum", "missing")
    }  # fmt: skip
    every = [*parts[:, 1], bias]
    lengths = [one.norm().item() for one in every]
    shares = [(one @ whole / whole.norm() ** 2).item() for one in every]
    # Each drawing, for a desk and for a phone, has them all.
    assert found["length"] == pytest.approx(lengths * 2, abs=0.0051)
    assert found["share"] == pytest.approx(shares * 2, abs=0.0051)
    assert sum(shares) == pytest.approx(1)
    assert found["sum"] == pytest.approx([whole.norm().item()] * 2, abs=0.0051)
    assert found["missing"] == [0, 0]
    upper = figure.data["products"][1]
    assert upper[0] == pytest.approx((parts[0, 1] @ parts[0, 1]).item(), abs=1e-4)
    assert upper[-1] == pytest.approx((bias @ bias).item(), abs=1e-4)
    assert "-0.00" not in html
    assert html == head_contributions(["a", "b"], weights, parts, bias, start=1).html()


def test_every_head_needs_a_row_for_each_token():
    weights, parts, bias = layer()
    for tokens, shape in ((["a"], "tokens are 1"), (["a", "b", "c"], "tokens are 3")):
        with pytest.raises(ValueError, match=rf"{shape}, weights \(3, 2, 2\)"):
            head_contributions(tokens, weights, parts, bias, start=0)
