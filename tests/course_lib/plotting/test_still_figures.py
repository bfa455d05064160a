"""The standard of still figures: one size of letters, two schemes, words beside marks."""

import gzip
import itertools
import os
import re
import subprocess
import sys
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

from course_lib.plotting import colors
from course_lib.plotting.bars import bar_panels, bars, bars_compared, histograms
from course_lib.plotting.curves import curves, points, steps, walks
from course_lib.plotting.grids import weights_heatmap
from course_lib.plotting.standard import (
    NARROW,
    SHEETS,
    WIDE,
    Sheet,
    StaticFigure,
    in_dark,
    in_two,
)

SVG = "{http://www.w3.org/2000/svg}"
COLOUR = re.compile(r"#[0-9a-fA-F]{6}\b")
WEIGHTS = torch.tensor([[1.0, 0.0, 0.0], [0.25, 0.75, 0.0], [0.2, 0.3, 0.5]])
TOKENS = ["the", "animal", "it"]
LINES = {"undivided": [3.0, 1.0, 2.0], "divided by √D": [0.0, 5.0, 1.0]}
NAMES = ["[CLS]", "the", "animal", "did", "not", "cross", "the", "street", "because"]


def figures() -> dict[str, StaticFigure]:
    noise = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    big = torch.rand(15, 15, generator=torch.Generator().manual_seed(0))
    names = [*NAMES, "it", "was", "too", "tired", ".", "[SEP]"]
    return {
        "small grid": weights_heatmap(WEIGHTS, TOKENS, TOKENS),
        "large grid": weights_heatmap(big, names, names),
        "curves": curves([1, 2, 4], LINES, x_label="D", y_label="weight", log="x"),
        "one curve": curves([1, 2, 4], {"a": [1, 2, 3]}, x_label="gap", y_label="p").note(
            2, 2, "two"
        ),
        "named curves": curves([1, 2, 4], LINES, x_label="τ", y_label="weight", label_at=2),
        "steps": steps([1, 2, 3], LINES, x_label="blocks", y_label="so far"),
        "walks": walks(
            [0, 1, 2],
            [[0, 1, 2], [0, -1, 0]],
            [0, 1, 1.4],
            names=("one", "√d"),
            x_label="d",
            y_label="sum",
        ),
        "points": points([4, 16, 64], LINES, x_label="D", y_label="variance", log="x"),
        "bars": bars({"it": 0.25, "animal": 0.75}, label="weight", limit=(0.5, "one half")),
        "compared": bars_compared(
            {"one": {"it": 0.25, "animal": 0.75}, "two": {"it": 0.5, "animal": 0.1}}, label="weight"
        ),
        "panels": bar_panels(LINES, [1, 2, 3], x_label="key position s", y_label="weight"),
        "histograms": histograms({"noise": noise, "more": 2 * noise}, x_label="score"),
    }


EVERY = pytest.mark.parametrize("name", figures())
BOTH = pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)


def shown(figure: Figure) -> list[Text]:
    """Return all words that are drawn."""
    figure.draw_without_rendering()
    found = [word for word in figure.findobj(Text) if word.get_visible() and word.get_text()]
    # Ticks beyond the ends of an axis are kept and not drawn.
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        beyond = [tick for tick in axis.get_major_ticks() if not low <= tick.get_loc() <= high]
        found = [word for word in found if word not in {tick.label1 for tick in beyond}]
    assert found
    return found


# -- the same bytes --------------------------------------------------------------------------------

HASHES = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
import test_still_figures as tests
for name, figure in tests.figures().items():
    drawn = figure._repr_mimebundle_()["image/svg+xml"]
    print(name, hashlib.sha256(drawn.encode()).hexdigest())
"""


def test_a_second_process_draws_the_same_bytes() -> None:
    def run(seed: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", HASHES, os.path.dirname(__file__)],
            env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip

    first = run("1")
    assert len(first.splitlines()) == len(figures())
    assert first == run("2")


@EVERY
def test_a_file_holds_no_date_no_author_and_no_name_that_nobody_uses(name: str) -> None:
    svg = figures()[name].svg()
    assert not re.search(r"metadata|<!--|\d{4}-\d\d-\d\d|matplotlib|<\?xml", svg)
    ids = re.findall(r'\bid="([^"]+)"', svg)
    assert len(set(ids)) == len(ids)
    assert all(f"#{used}" in svg for used in ids)


@EVERY
def test_a_figure_names_itself_without_an_address(name: str) -> None:
    assert figures()[name]._repr_mimebundle_()["text/plain"] == "<StaticFigure>"


def test_no_state_of_matplotlib_is_touched() -> None:
    run = (
        "import matplotlib;"
        "from course_lib.plotting.bars import bars;"
        "before = dict(matplotlib.rcParams);"
        "bars({'a': 1.0}, label='y')._repr_mimebundle_();"
        "assert dict(matplotlib.rcParams) == before;"
        "from matplotlib import pyplot;"
        "assert not pyplot.get_fignums()"
    )
    done = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# -- one width a column, one size of letters -------------------------------------------------------


@EVERY
@BOTH
def test_a_drawing_is_as_wide_as_its_column_in_pixels_of_the_page(name: str, sheet: Sheet) -> None:
    root = ElementTree.fromstring(figures()[name].svg(sheet))
    assert float(root.get("width", 0)) == sheet.width
    width, height = map(float, root.get("viewBox", "").split()[2:])
    assert width == pytest.approx(sheet.width, abs=0.5)
    assert float(root.get("height", 0)) == pytest.approx(height, abs=0.5)
    # The whole of it can be seen at once.
    assert 60 < height < 560


@EVERY
@BOTH
def test_letters_are_read_and_stay_on_the_sheet(name: str, sheet: Sheet) -> None:
    for word in shown(figures()[name].drawn(sheet)):
        assert word.get_fontsize() >= 12 or word.get_gid() == "on-mark"
        assert word.get_fontsize() >= 11
        box = word.get_window_extent()
        assert box.x0 >= -1, word.get_text()
        assert box.x1 <= sheet.width + 1, word.get_text()


@EVERY
@BOTH
def test_no_two_words_overlap(name: str, sheet: Sheet) -> None:
    boxes = {word: word.get_window_extent() for word in shown(figures()[name].drawn(sheet))}
    for one, other in itertools.combinations(boxes, 2):
        a, b = boxes[one], boxes[other]
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        up = min(a.y1, b.y1) - max(a.y0, b.y0)
        # Letters without ascenders or descenders may touch the room of their neighbours.
        assert across < 1 or up < 5, f"{one.get_text()!r} lies on {other.get_text()!r}"


def test_the_axis_is_named_in_level_words() -> None:
    for sheet in SHEETS:
        axes = curves([1, 2], {"a": [1, 2]}, x_label="x", y_label="weight").drawn(sheet).axes[0]
        assert axes.get_title(loc="left") == "weight"
        assert not axes.get_ylabel()


# -- one file for each scheme ----------------------------------------------------------------------


@EVERY
@BOTH
def test_both_schemes_have_the_same_drawing_in_other_colours(name: str, sheet: Sheet) -> None:
    light = figures()[name].svg(sheet)
    dark = in_dark(light)
    assert COLOUR.sub("", light) == COLOUR.sub("", dark)
    seen = {colour.lower() for colour in COLOUR.findall(light)}
    assert seen <= set(colors.DARK)
    assert {colors.DARK[colour] for colour in seen} == set(COLOUR.findall(dark))
    assert f"background:{colors.LIGHT_PAGE}" in light
    assert f"background:{colors.DARK_PAGE}" in dark


@EVERY
@BOTH
def test_every_word_and_mark_says_its_colour(name: str, sheet: Sheet) -> None:
    """What matplotlib leaves out is black, in both schemes."""
    root = ElementTree.fromstring(figures()[name].svg(sheet))
    above = {child: parent for parent in root.iter() for child in parent}
    templates = {mark for defs in root.iter(f"{SVG}defs") for mark in defs.iter()}
    marks = [
        one
        for kind in ("text", "path", "use", "rect")
        for one in root.iter(f"{SVG}{kind}")
        if one not in templates
    ]
    assert marks
    for mark in marks:
        said, one = "", mark
        while one is not None:
            said += one.get("style", "") + one.get("fill", "")
            one = above.get(one)  # type: ignore[assignment]
        wanted = r"fill: ?#" if mark.tag.endswith("text") else r"(fill|stroke): ?(#|none)"
        assert re.search(wanted, said), ElementTree.tostring(mark, encoding="unicode")


def test_a_colour_that_is_not_the_books_is_refused() -> None:
    svg = bars({"a": 1.0}, label="y", color="#123456").svg()
    with pytest.raises(ValueError, match=r"DARK; #123456 came"):
        in_dark(svg)


def test_one_file_holds_both_drawings_and_shows_the_wide_one() -> None:
    figure = figures()["curves"]
    whole = figure._repr_mimebundle_()["image/svg+xml"]
    assert in_two(whole) == {sheet.name: figure.svg(sheet) for sheet in SHEETS}
    root = ElementTree.fromstring(whole)
    assert root.get("width") == str(WIDE.width)
    [inner] = [one for one in root.iter(f"{SVG}svg") if one is not root]
    assert inner.get("width") == str(NARROW.width)
    assert in_two("<svg>by hand</svg>") == {"wide": "<svg>by hand</svg>"}


# -- small files -----------------------------------------------------------------------------------


@EVERY
@BOTH
def test_a_file_is_small(name: str, sheet: Sheet) -> None:
    assert len(gzip.compress(figures()[name].svg(sheet).encode(), 6)) < 8_000


def test_a_large_grid_is_not_a_path_for_each_cell() -> None:
    noise = torch.rand(64, 64, generator=torch.Generator().manual_seed(0))
    worst = weights_heatmap(noise, [""] * 64, [""] * 64).svg()
    assert worst.count("<path") < 160
    assert len(gzip.compress(worst.encode(), 6)) < 40_000
    usual = weights_heatmap(torch.eye(64), [""] * 64, [""] * 64).svg()
    assert len(gzip.compress(usual.encode(), 6)) < 4_000


# -- words beside the marks ------------------------------------------------------------------------


@EVERY
def test_there_is_no_legend(name: str) -> None:
    for axes in figures()[name].drawn().axes:
        assert axes.get_legend() is None


@pytest.mark.parametrize("name", ["curves", "named curves", "steps", "points"])
@BOTH
def test_each_line_has_its_name_beside_it_in_its_colour(name: str, sheet: Sheet) -> None:
    figure = figures()[name].drawn(sheet)
    axes = figure.axes[0]
    words = {word.get_text().replace("\n", " "): word for word in shown(figure)}
    assert len(axes.lines) == 2
    for line, label in zip(axes.lines, LINES, strict=True):
        word = words[label]
        assert to_hex(word.get_color()) == to_hex(line.get_color())
        box = word.get_window_extent()
        path = axes.transData.transform(np.column_stack([line.get_xdata(), line.get_ydata()]))
        away = np.maximum((box.x0, box.y0) - path, path - (box.x1, box.y1)).clip(0)
        assert np.hypot(*away.T).min() < 12


def test_no_digit_of_a_word_is_lost() -> None:
    words = {"a weight of 0.0625": [1.0, 1.0], "b": [0.0, 0.0]}
    svg = curves([1, 2], words, x_label="0.0001 of it", y_label="y").svg()
    assert ">a weight of 0.0625<" in svg
    assert ">0.0001 of it<" in svg
    assert not re.search(r'd="[^"]*\.\d\d', svg), "places finer than a tenth of a pixel"


def test_labels_whose_lines_meet_are_parted() -> None:
    lines = {"first": [0.0, 1.0], "second": [2.0, 1.0], "third": [1.0, 1.01]}
    for sheet in SHEETS:
        figure = curves([0, 1], lines, x_label="x", y_label="y").drawn(sheet)
        heights = [w.get_window_extent() for w in shown(figure) if w.get_text() in lines]
        order = sorted(heights, key=lambda box: box.y0)
        assert len(order) == 3
        assert all(low.y1 <= high.y0 + 2 for low, high in itertools.pairwise(order))


def test_a_note_is_a_point_and_its_words() -> None:
    figure = curves([0, 1], {"a": [0, 4]}, x_label="", y_label="").note(1, 4, "the end").drawn()
    axes = figure.axes[0]
    assert (axes.lines[-1].get_xdata(), axes.lines[-1].get_ydata()) == ([1], [4])
    [words] = [word for word in shown(figure) if word.get_text() == "the end"]
    assert words.get_ha() == "right"
    at_the_left = bar_panels({"a": [0, 4, 0, 0, 0]}, range(5), x_label="", y_label="y")
    figure = at_the_left.note(1, 4, "the peak").drawn()
    [words] = [word for word in shown(figure) if word.get_text() == "the peak"]
    assert words.get_ha() == "left"


def test_a_few_bars_of_a_panel_show_their_numbers_and_many_an_axis() -> None:
    lines = {"a": [0.25, -0.5, 0.125], "b": [0.0, 1.0, 2.0]}
    few = bar_panels(lines, [1, 2, 3], x_label="s", y_label="y").drawn()
    said = [[text.get_text() for text in axes.texts] for axes in few.axes]
    assert said == [["0.25", "−0.50", "0.12"], ["0.00", "1.00", "2.00"]]
    # A line at 0 in each panel, from which negative bars hang, and no other at their ends.
    assert [[*axes.lines[-1].get_ydata()] for axes in few.axes] == [[0, 0], [0, 0]]
    assert not any(axes.spines["bottom"].get_visible() for axes in few.axes)
    many = bar_panels({"a": [1.0] * 5}, range(5), x_label="s", y_label="y").drawn()
    assert not many.axes[0].texts
    assert not many.axes[0].lines
    assert many.axes[0].spines["bottom"].get_visible()


def test_a_small_grid_shows_its_numbers_and_a_large_one_those_that_count() -> None:
    words = [text.get_text() for text in figures()["small grid"].drawn().axes[0].texts]
    assert words == [f"{weight:.2f}" for weight in WEIGHTS.flatten().tolist()]
    weights = torch.full((15, 15), 0.04)
    weights[3, 4] = 0.69
    figure = weights_heatmap(weights, ["a"] * 15, ["a"] * 15)
    assert [text.get_text() for text in figure.drawn(WIDE).axes[0].texts] == [".69"]
    assert len(figure.drawn(WIDE).axes) == 1
    # On a phone a scale says what the shades mean.
    narrow = figure.drawn(NARROW)
    assert not narrow.axes[0].texts
    assert "weight 1" in [word.get_text() for word in shown(narrow)]


# -- the mark that fits ----------------------------------------------------------------------------


def test_a_grid_is_filled_by_weight() -> None:
    figure = figures()["small grid"].drawn()
    patches = {to_hex(patch.get_facecolor()): patch.get_path() for patch in figure.axes[0].patches}
    for (t, s), weight in np.ndenumerate(WEIGHTS.numpy()):
        shade = colors.ramp_color(float(weight))[0]
        holding = [fill for fill, path in patches.items() if path.contains_point((s, t))]
        assert holding == ([shade] if shade != colors.LIGHT_PAGE else [])


def test_runs_of_one_shade_are_one_piece() -> None:
    axes = weights_heatmap(torch.ones(2, 5), ["a"] * 2, ["b"] * 5).drawn().axes[0]
    [patch] = axes.patches
    # Two rows, each a closed rectangle of five vertices.
    assert len(patch.get_path().vertices) == 2 * 5
    assert patch.get_path().get_extents().width == 5


def test_walks_are_steps_between_the_two_sides_of_the_edge_and_the_first_is_strong() -> None:
    figure = figures()["walks"].drawn()
    lines = figure.axes[0].lines
    said = {word.get_text(): word.xy for word in figure.axes[0].texts}
    assert said == {"one": (2, 2), "√d": (2, 1.4), "−√d": (2, -1.4)}
    paths = [line for line in lines if line.get_drawstyle() == "steps-post"]
    assert [list(line.get_ydata()) for line in paths] == [[0, -1, 0], [0, 1, 2]]
    assert paths[1].get_linewidth() > 2 * paths[0].get_linewidth()
    ends = [line.get_xydata().tolist() for line in lines if line.get_marker() == "o"]
    assert ends == [[[2, 0]], [[2, 2]]]
    edges = [line.get_ydata() for line in lines if line.get_linestyle() == "--"]
    assert [list(edge) for edge in edges] == [[0, 1, 1.4], [0, -1, -1.4]]


def test_curves_are_lines_steps_are_steps_and_points_have_none_between() -> None:
    for name, style, drawn in (
        ("curves", {"-", "--"}, "default"),
        ("steps", {"-", "--"}, "steps-post"),
        ("points", {"None"}, "default"),
    ):
        lines = figures()[name].drawn().axes[0].lines
        assert {line.get_linestyle() for line in lines} == style
        assert {line.get_drawstyle() for line in lines} == {drawn}
        values = [list(line.get_ydata())[:3] for line in lines]
        assert values == list(LINES.values())
    marks = [line.get_marker() for line in figures()["points"].drawn().axes[0].lines]
    assert len(set(marks)) == 2, "colour alone tells them apart"
    held = figures()["steps"].drawn().axes[0].lines[0]
    assert list(held.get_xdata()) == [1, 2, 3, 4]
    assert held.get_ydata()[-1] == held.get_ydata()[-2]


def test_counts_are_written_without_decimals() -> None:
    def numbers(values: dict[str, float]) -> list[str]:
        return [text.get_text() for text in bars(values, label="y").drawn().axes[0].texts]

    assert numbers({"a": 15, "b": 7}) == ["15", "7"]
    assert numbers({"a": 15.0, "b": -7}) == ["15.00", "−7.00"]


def test_bars_hold_their_numbers_and_a_limit() -> None:
    axes = bars({"a": -1.0, "b": 2.0}, label="y", limit=(1.5, "limit")).drawn().axes[0]
    assert [bar.get_width() for bar in axes.patches] == [-1.0, 2.0]
    assert [word.get_text() for word in axes.texts] == ["−1.00", "2.00"]
    across = [list(line.get_xdata()) for line in axes.lines]
    assert across == [[0, 0], [1.5, 1.5]]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["limit"]
    assert axes.yaxis_inverted(), "the first bar stands at the top"


def test_panels_share_their_axes_and_are_named() -> None:
    figure = figures()["panels"].drawn()
    for axes, (title, heights) in zip(figure.axes, LINES.items(), strict=True):
        assert [bar.get_height() for bar in axes.patches] == heights
        assert axes.get_title(loc="left") == f"weight, {title}"
    assert len({axes.get_ylim() for axes in figure.axes}) == 1


def test_histograms_share_one_axis_and_lose_no_number() -> None:
    samples = {"narrow": torch.tensor([0.0, 1.0]), "wide": torch.tensor([-8.0, 3.0, 8.0])}
    panels = histograms(samples, x_label="score", bins=16).drawn().axes
    assert panels[0].get_xlim() == panels[1].get_xlim()
    counts = [sum(bar.get_height() for bar in panel.patches) for panel in panels]
    assert counts == [2, 3]
    assert panels[-1].get_xlabel() == "score"


def ticks(y: list[float], log: str = "y") -> list[str]:
    """Return the ticks in sight of the axis that is logarithmic."""
    axes = curves(y, {"a": y}, x_label="x", y_label="y", log=log).drawn().axes[0]
    axes.figure.draw_without_rendering()
    axis = axes.yaxis if log == "y" else axes.xaxis
    low, high = sorted(axis.get_view_interval())
    every = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True)
    return [label.get_text() for place, label in every if low <= place <= high]


def test_the_ticks_of_an_axis_have_one_form() -> None:
    assert ticks([1e-9, 1.0])[-3:] == ["10⁻⁴", "10⁻²", "10⁰"]
    assert all(label.startswith("10") for label in ticks([1e-9, 1.0]))
    assert ticks([1.0, 1e7])[0] == "10⁰"
    # Nothing beyond four figures behind the point: plain, also where a tick out of sight is less.
    assert ticks([0.001, 100.0]) == ["0.001", "0.01", "0.1", "1", "10", "100"]
    # What is no power of ten is never written as one.
    assert ticks([2.0**n for n in (12, 16, 20, 24)], "x") == [
        "4,096", "32,768", "262,144", "2,097,152", "16,777,216"
    ]  # fmt: skip
    assert ticks([2.0**-n for n in (20, 10, 0)], "x")[0] == "1/1,048,576"


def test_ticks_are_values_in_plain_figures() -> None:
    for x, log, wanted in (
        ([2.0 ** (n / 4) for n in range(-16, 25)], "x", ["1/16", "1/4", "1", "4", "16", "64"]),
        ([4, 16, 64, 128, 256], "x", ["4", "8", "16", "32", "64", "128", "256"]),
        ([2**n for n in range(11, 18)], "xy", ["2,048", "8,192", "32,768", "131,072"]),
    ):
        axes = curves(x, {"a": x}, x_label="x", y_label="y", log=log).drawn().axes[0]
        axes.figure.draw_without_rendering()
        low, high = axes.get_xlim()
        every = zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
        labels = [label.get_text() for place, label in every if low <= place <= high]
        assert labels == wanted or set(labels) <= set(wanted), labels
        assert len(labels) >= 3
    axes = points([4, 16, 64, 128, 256], {"a": [1] * 5}, x_label="", y_label="", log="x").drawn()
    assert [t.get_text() for t in axes.axes[0].get_xticklabels()] == ["4", "16", "64", "128", "256"]


def test_marks_that_are_no_query_key_or_value_have_not_their_colours() -> None:
    kept = {colors.QUERY, colors.KEY, colors.VALUE}
    four = {str(n): [float(n), n] for n in range(4)}
    drawn = [
        histograms({name: torch.tensor(values) + 0.5 for name, values in four.items()}, x_label=""),
        curves([1, 2], four, x_label="", y_label=""),
        points([1, 2], four, x_label="", y_label=""),
    ]
    for figure in drawn:
        marks = [mark for axes in figure.drawn().axes for mark in (*axes.patches, *axes.lines)]
        found = [m.get_facecolor() if hasattr(m, "get_facecolor") else m.get_color() for m in marks]
        assert found
        assert not {to_hex(colour) for colour in found} & kept


# -- errors ----------------------------------------------------------------------------------------


def test_compared_bars_lie_on_one_scale_with_a_name_each_in_the_same_order() -> None:
    given = {"one": {"b": 0.25, "a": 0.75}, "two": {"b": 0.5, "a": 0.125}}
    figure = bars_compared(given, label="weight").drawn()
    for axes, (title, lengths) in zip(figure.axes, given.items(), strict=True):
        assert axes.get_title(loc="left") == title
        assert [bar.get_width() for bar in axes.patches] == list(lengths.values())
        names = [label.get_text() for label in axes.get_yticklabels()]
        assert names == ["b", "a"]
        assert axes.yaxis_inverted(), "the first bar stands at the top"
    assert [word.get_text() for word in figure.axes[1].texts] == ["0.50", "0.12"]
    scales = {axes.get_xlim() for axes in figure.axes}
    assert len(scales) == 1
    assert scales.pop()[0] == 0
    assert figure.axes[1].get_xlabel() == "weight"


def test_counts_that_are_compared_have_no_decimals() -> None:
    figure = bars_compared({"one": {"a": 13}, "two": {"a": 1200}}, label="tokens").drawn()
    assert [axes.texts[0].get_text() for axes in figure.axes] == ["13", "1200"]
    figure = bars_compared({"one": {"a": 13}, "two": {"a": 0.5}}, label="tokens").drawn()
    assert [axes.texts[0].get_text() for axes in figure.axes] == ["13.00", "0.50"]


@pytest.mark.parametrize(
    ("call", "parts"),
    [
        (
            lambda: weights_heatmap(WEIGHTS, TOKENS[:2], TOKENS),
            ("label", "T=3, S=3", "2 query and 3 key"),
        ),
        (lambda: curves([1, 2], {"a": [1]}, x_label="", y_label=""), ("'a'", "2", "1")),
        (lambda: steps([1, 2], {"b": [1]}, x_label="", y_label=""), ("'b'", "2", "1")),
        (
            lambda: walks([1, 2], [[1, 2], [1]], [1, 2], names=("", "e"), x_label="", y_label=""),
            ("'path 1'", "2", "1"),
        ),
        (
            lambda: walks([1, 2], [[1, 2]], [3], names=("", "e"), x_label="", y_label=""),
            ("'e'", "2", "1"),
        ),
        (
            lambda: points([1], {str(n): [1] for n in range(5)}, x_label="", y_label=""),
            ("at most 4", "5"),
        ),
        (
            lambda: bar_panels({"c": [1, 2, 3]}, [1, 2], x_label="", y_label=""),
            ("one height", "x has 2", "'c' 3"),
        ),
        (
            lambda: bars_compared({"a": {"x": 1, "y": 2}, "b": {"y": 1, "x": 2}}, label=""),
            ("same names", "['x', 'y']", "'b' ['y', 'x']"),
        ),
        (
            lambda: bars_compared({"a": {"x": 1, "y": -2.5}}, label=""),
            ("begin at 0", "'a' has -2.5"),
        ),
        (
            lambda: bars_compared({str(n): {"x": 1} for n in range(5)}, label=""),
            ("at most 4", "5"),
        ),
        (
            lambda: histograms({str(n): torch.ones(2) for n in range(5)}, x_label=""),
            ("at most 4", "5"),
        ),
    ],
)
def test_an_error_says_the_rule_and_both_sizes(call: Any, parts: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=re.escape(parts[0])) as caught:
        call()
    assert all(part in str(caught.value) for part in parts), str(caught.value)
