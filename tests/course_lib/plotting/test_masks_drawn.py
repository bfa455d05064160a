"""Masks as grids, values with their hulls, and a mask to switch: what is drawn is what came."""

import json
import re

import numpy as np
import pytest
import torch
from matplotlib.text import Text
from torch.testing import assert_close

from course_lib.attention.dot_product import scaled_dot_product_attention
from course_lib.masks import causal_mask, window_mask
from course_lib.plotting.colors import INK, OUTPUT
from course_lib.plotting.hulls import hull_of, hulls
from course_lib.plotting.mask_grids import mask_grids
from course_lib.plotting.mask_switches import layers_needed, mask_switches
from course_lib.plotting.standard import SHEETS, Sheet, in_dark

VALUE = torch.tensor([[0.0, 0], [4, 0], [3, 3], [0, 4]])
FOUR = {f"W = {W}": window_mask(8, 8, W) for W in (1, 2, 3, 8)}


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_a_cell_is_filled_where_a_key_may_be_read(sheet: Sheet) -> None:
    figure = mask_grids(FOUR)
    drawn = figure.drawn(sheet)
    for axes, (name, mask) in zip(drawn.axes, FOUR.items(), strict=True):
        assert axes.get_title(loc="left") == name
        # A colour that the dark page knows: black would not be seen there.
        titles = [one for one in axes.findobj(Text) if one.get_text() == name]
        assert [one.get_color() for one in titles] == [INK]
        paths = axes.collections[0].get_paths()
        corners = [np.asarray(path.vertices)[0] + 0.5 for path in paths]
        assert {(round(t), round(s)) for s, t in corners} == set(
            map(tuple, mask.nonzero().tolist())
        )
    svg = figure.svg(sheet)
    assert svg == mask_grids(FOUR).svg(sheet)
    assert OUTPUT in svg
    assert OUTPUT not in in_dark(svg)


@pytest.mark.usefixtures("without_annotations")
def test_grids_of_two_shapes_or_too_many_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"one to 4 masks of one shape; 2 came: .*\(3, 3\).*\(2, 3"
    ):
        mask_grids({"a": causal_mask(3), "b": causal_mask(2, 3)})
    with pytest.raises(ValueError, match="one to 4 masks of one shape; 5 came"):
        mask_grids({str(n): causal_mask(3) for n in range(5)})


def test_a_hull_holds_its_points_and_its_corners_are_some_of_them() -> None:
    points = np.random.default_rng(0).normal(size=(40, 2))
    corners = hull_of(points)
    assert {tuple(one) for one in corners} <= {tuple(one) for one in points}
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        (x, y), (dx, dy) = start, end - start
        assert (dx * (points[:, 1] - y) - dy * (points[:, 0] - x) >= -1e-12).all()
    assert len(hull_of(points[:1])) == 1
    assert len(hull_of(np.array([[0.0, 0], [1, 1], [2, 2]]))) == 2
    square = np.array([[0.0, 0], [1, 0], [0.5, 0.5], [1, 1], [0, 1]])
    assert len(hull_of(square)) == 4


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_the_hull_is_that_of_the_readable_values_and_holds_the_output(sheet: Sheet) -> None:
    mask = causal_mask(4)
    output, _ = scaled_dot_product_attention(VALUE, VALUE, VALUE, mask)
    drawn = hulls(VALUE, mask, output, list("abcd")).drawn(sheet)
    assert [axes.get_title(loc="left") for axes in drawn.axes] == list("abcd")
    for t, axes in enumerate(drawn.axes):
        corners = {tuple(one) for one in np.asarray(axes.patches[0].get_path().vertices).tolist()}
        assert corners == {tuple(one) for one in hull_of(VALUE[: t + 1].numpy()).tolist()}
        diamond = axes.lines[-1].get_xydata()
        assert_close(torch.tensor(np.asarray(diamond)[0]).float(), output[t])
    hulls(VALUE, torch.zeros(1, 4, dtype=torch.bool), torch.zeros(1, 2), ["nothing"]).svg(sheet)


@pytest.mark.usefixtures("without_annotations")
def test_hulls_refuse_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match=r"one to 4 queries.*'may_attend': 4, 'output': 3"):
        hulls(VALUE, causal_mask(4), torch.zeros(3, 2), list("abcd"))
    with pytest.raises(ValueError, match="it has 3 and value has 4 rows"):
        hulls(VALUE, causal_mask(3), torch.zeros(3, 2), list("abc"))


def test_the_fewest_layers_are_counted() -> None:
    found = layers_needed(window_mask(8, 8, 3))
    for t in range(8):
        for s in range(8):
            assert found[t, s] == (-(-(t - s) // 2) if s <= t else -1)


def test_the_switches_begin_with_the_first_mask() -> None:
    figure = mask_switches({"b": causal_mask(4), "a": window_mask(4, 4, 2)}, num_layers=2, query=1)
    assert figure.data["names"] == ["b", "a"]
    assert figure.data["masks"]["a"] == window_mask(4, 4, 2).int().tolist()
    for drawing in (figure.wide, figure.narrow):
        cells = [one for one in drawing if 'data-part="cell"' in one]
        filled = ["var(--output)" in one for one in cells]
        assert filled == causal_mask(4).flatten().tolist()
    assert "10 pairs may read. After 2 layers 10 inputs arrive" in figure.alt_text
    data = re.search(r'<script type="application/json">(.*?)</script>', figure.html())
    assert data is not None
    assert json.loads(data[1])["layers"] == 2


@pytest.mark.usefixtures("without_annotations")
def test_switches_too_small_for_a_finger_or_of_two_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one size from 2 to 8; 1 came, of the shapes \[\(9, 9\)"):
        mask_switches({"a": causal_mask(9)}, num_layers=1, query=0)
    with pytest.raises(ValueError, match="2 came"):
        mask_switches({"a": causal_mask(3), "b": causal_mask(4)}, num_layers=1, query=0)
