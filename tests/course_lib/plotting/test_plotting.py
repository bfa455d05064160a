"""The figures: the same bytes on every run, honest errors, colours that can be seen."""

import io
import itertools
import json
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.text import Text
from PIL import Image

from course_lib.plotting import colors
from course_lib.plotting.attention_explorer import attention_explorer
from course_lib.plotting.live import LiveFigure
from course_lib.plotting.score_histogram import score_histogram
from course_lib.plotting.softmax_bars import softmax_bars
from course_lib.plotting.static import StaticFigure, bars, curves, histograms, weights_heatmap

PARTS = {name: getattr(colors, name) for name in ("QUERY", "KEY", "VALUE", "OUTPUT", "MUTED")}
# The width of a picture on a phone, in CSS pixels.
PHONE = 350
WEIGHTS = torch.tensor([[1.0, 0.0, 0.0], [0.25, 0.75, 0.0], [0.2, 0.3, 0.5]])
TOKENS = ["the", "animal", "it"]


def still() -> dict[str, StaticFigure]:
    noise = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    return {
        "heatmap": weights_heatmap(WEIGHTS, TOKENS, TOKENS),
        "curves": curves([1, 2, 4], {"a": [1, 2, 3]}, x_label="x", y_label="y", log="x"),
        "bars": bars({"one": 0.25, "two": 0.75}, y_label="weight"),
        "histograms": histograms({"noise": noise}, x_label="score"),
    }


def live() -> dict[str, LiveFigure]:
    scores = {2**n: torch.arange(6.0).reshape(2, 3) * n for n in (2, 3, 4)}
    return {
        "explorer": attention_explorer(TOKENS, WEIGHTS),
        "histogram": score_histogram(scores),
        "bars": softmax_bars(torch.tensor([0.0, 1.0]), ["it", "animal"]),
    }


# -- colours ---------------------------------------------------------------------------------------


def test_contrast_is_that_of_wcag() -> None:
    assert colors.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert colors.contrast("#777777", "#777777") == pytest.approx(1)
    # Published pairs: the lightest grey with 4.5 on white, and the lightest with 3.
    assert colors.contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)
    assert colors.contrast("#ffffff", "#949494") == pytest.approx(3.03, abs=0.01)


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("page", [colors.LIGHT_PAGE, colors.DARK_PAGE])
def test_every_part_is_seen_on_light_and_on_dark(name: str, page: str) -> None:
    assert colors.contrast(PARTS[name], page) >= 3


def test_words_on_every_part_are_legible() -> None:
    for part in PARTS.values():
        assert colors.contrast(colors.ON_PART, part) >= 4.5
    assert colors.contrast(colors.INK, colors.LIGHT_PAGE) >= 7


def test_no_two_parts_share_a_colour() -> None:
    assert len(set(PARTS.values())) == len(PARTS)


# -- figures that stand still ----------------------------------------------------------------------


@pytest.mark.parametrize("name", still())
def test_a_still_figure_is_the_same_small_png_every_time(name: str) -> None:
    png = still()[name]._repr_png_()
    assert png == still()[name]._repr_png_()
    assert len(png) < 30_000
    picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    assert picture.shape[1] >= 450
    assert (picture[:3] == 255).all(), "the edge is white"
    assert (picture < 128).any(), "nothing is drawn"


def test_a_heatmap_is_darker_where_the_weight_is_larger() -> None:
    axes = weights_heatmap(WEIGHTS, TOKENS, TOKENS).axes[0]
    shown = axes.images[0]
    assert np.asarray(shown.get_array()).tolist() == WEIGHTS.tolist()
    assert (shown.norm.vmin, shown.norm.vmax) == (0, 1)
    light = [sum(shown.cmap(level)[:3]) for level in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert light == sorted(light, reverse=True)
    assert [label.get_text() for label in axes.get_yticklabels()] == TOKENS


def test_curves_and_bars_hold_their_numbers() -> None:
    figure = curves([1, 2, 4], {"a": [3, 1, 2], "b": [0, 5, 1]}, x_label="x", y_label="y")
    lines = figure.axes[0].lines
    assert [list(line.get_ydata()) for line in lines] == [[3, 1, 2], [0, 5, 1]]
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 2
    assert len({line.get_linestyle() for line in lines}) == 2, "colour alone tells them apart"
    heights = [bar.get_height() for bar in still()["bars"].axes[0].patches]
    assert heights == [0.25, 0.75]


def test_histograms_share_one_axis_and_lose_no_number() -> None:
    samples = {"narrow": torch.tensor([0.0, 1.0]), "wide": torch.tensor([-8.0, 3.0, 8.0])}
    panels = histograms(samples, x_label="score", bins=16).axes
    assert panels[0].get_xlim() == panels[1].get_xlim()
    counts = [sum(bar.get_height() for bar in panel.patches) for panel in panels]
    assert counts == [2, 3]


def letters(figure: StaticFigure) -> list[float]:
    """Return the heights of all words of a figure, in CSS pixels on a phone."""
    figure.canvas.draw()
    words = [word for word in figure.findobj(Text) if word.get_visible() and word.get_text()]
    assert words
    return [word.get_fontsize() / 72 * PHONE / figure.get_figwidth() for word in words]


@pytest.mark.parametrize("name", still())
def test_the_letters_are_read_on_a_phone(name: str) -> None:
    assert min(letters(still()[name])) >= 11
    assert min(letters(weights_heatmap(torch.eye(15), ["word"] * 15, ["word"] * 15))) >= 11


def test_words_of_a_heatmap_do_not_overlap() -> None:
    figure = weights_heatmap(torch.eye(15), ["because"] * 15, ["because"] * 15)
    figure.canvas.draw()
    for labels, side in (
        (figure.axes[0].get_yticklabels(), "height"),
        (figure.axes[0].get_xticklabels(), "width"),
    ):
        boxes = [label.get_window_extent() for label in labels]
        centres = [(box.x0 + box.x1) / 2 if side == "width" else (box.y0 + box.y1) / 2
                   for box in boxes]  # fmt: skip
        step = min(abs(one - other) for one, other in itertools.pairwise(centres))
        # Letters without ascenders or descenders may touch the room of their neighbours.
        assert max(getattr(box, side) for box in boxes) <= 1.25 * step


def test_a_small_heatmap_shows_its_numbers() -> None:
    words = [text.get_text() for text in weights_heatmap(WEIGHTS, TOKENS, TOKENS).axes[0].texts]
    assert words == [f"{weight:.2f}" for weight in WEIGHTS.flatten().tolist()]
    assert not weights_heatmap(torch.eye(15), ["a"] * 15, ["a"] * 15).axes[0].texts


def test_four_histograms_stand_two_by_two_with_named_axes() -> None:
    figure = histograms({str(n): torch.arange(-3.0, 4) * n for n in range(1, 5)}, x_label="score")
    places = {(axes.get_subplotspec().rowspan.start, axes.get_subplotspec().colspan.start)
              for axes in figure.axes}  # fmt: skip
    assert places == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert figure.get_supxlabel() == "score"
    assert figure.get_supylabel() == "count"
    assert len({axes.get_ylim() for axes in figure.axes}) == 1


def colours(figure: StaticFigure) -> set[str]:
    """Return the colours of all marks: bars and lines."""
    marks = [mark for axes in figure.axes for mark in (*axes.patches, *axes.lines)]
    found = [m.get_facecolor() if hasattr(m, "get_facecolor") else m.get_color() for m in marks]
    return {to_hex(colour) for colour in found}


def test_marks_that_are_no_query_key_or_value_have_not_their_colours() -> None:
    kept = {colors.QUERY, colors.KEY, colors.VALUE}
    four = {str(n): [n, n] for n in range(4)}
    drawn = [
        histograms({name: torch.tensor(values) + 0.5 for name, values in four.items()}, x_label=""),
        curves([1, 2], four, x_label="", y_label=""),
    ]
    for figure in drawn:
        assert colours(figure)
        assert not colours(figure) & kept
    scores = json.dumps(live()["histogram"].spec)
    assert not [colour for colour in kept if colour in scores]
    keys = json.dumps(live()["explorer"].spec)
    assert colors.QUERY in keys
    assert colors.KEY in keys


def test_a_limit_and_a_zero_are_drawn_across_the_bars() -> None:
    figure = bars({"a": -1.0, "b": 2.0}, y_label="y", limit=1.5)
    assert [list(line.get_ydata()) for line in figure.axes[0].lines] == [[1.5, 1.5], [0, 0]]


def test_ticks_of_a_common_axis_are_values_and_have_room() -> None:
    for x, log in (([2.0**n for n in range(-4, 7)], "x"), ([4, 16, 64, 128, 256], "x"),
                   (list(range(1, 17)), "")):  # fmt: skip
        figure = curves(x, {"a": list(range(len(x)))}, x_label="x", y_label="y", log=log)
        figure.canvas.draw()
        axes = figure.axes[0]
        low, high = axes.get_xlim()
        every = zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
        shown = [(place, label) for place, label in every if low <= place <= high]
        assert len(shown) >= 3
        assert {place for place, _ in shown} <= {*x, 0}
        boxes = [label.get_window_extent() for _, label in shown]
        assert all(one.x1 < other.x0 for one, other in itertools.pairwise(boxes))


def test_a_legend_stands_above_the_lines() -> None:
    lines = {name: [0, n] for n, name in enumerate(("undivided", "divided by √D", "third"))}
    figure = curves([1, 2], lines, x_label="x", y_label="y")
    figure.canvas.draw()
    axes = figure.axes[0]
    legend = axes.get_legend()
    assert legend is not None
    assert legend.get_window_extent().y0 >= axes.get_window_extent().y1 - 1
    assert legend.get_window_extent().x1 <= figure.bbox.width
    assert legend.get_window_extent().y1 <= figure.bbox.height
    assert curves([1, 2], {"one": [0, 1]}, x_label="", y_label="").axes[0].get_legend() is None


def test_names_of_bars_do_not_overlap() -> None:
    for names in (["it", "the"], ["Gemma 2 27B", "Gemma 3 27B", "gpt-oss", "DeepSeek-V3"]):
        figure = bars(dict.fromkeys(names, 1.0), y_label="y")
        figure.canvas.draw()
        labels = figure.axes[0].get_xticklabels()
        boxes = [label.get_window_extent() for label in labels]
        turned = labels[0].get_rotation() > 0
        assert turned == (len(names) > 2)
        assert turned or all(one.x1 < other.x0 for one, other in itertools.pairwise(boxes))


def test_no_state_of_matplotlib_is_touched() -> None:
    run = (
        "import matplotlib;"
        "from course_lib.plotting.static import bars;"
        "before = dict(matplotlib.rcParams);"
        "bars({'a': 1.0}, y_label='y')._repr_png_();"
        "assert dict(matplotlib.rcParams) == before;"
        "from matplotlib import pyplot;"
        "assert not pyplot.get_fignums()"
    )
    done = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# -- live figures ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", live())
def test_a_live_figure_is_the_same_html_every_time(name: str) -> None:
    first, second = (live()[name]._repr_mimebundle_() for _ in range(2))
    assert first == second
    assert "0x" not in first["text/plain"]


@pytest.mark.parametrize("name", live())
def test_ids_are_of_this_figure_alone(name: str) -> None:
    figure = live()[name]
    ids = re.findall(r'\bid="([^"]+)"', figure.svg())
    assert len(set(ids)) == len(ids)
    assert all(found.startswith(figure.name) for found in ids)
    used = set(re.findall(r"url\(#([^)]+)\)", figure.svg()))
    assert used <= set(ids)


@pytest.mark.parametrize("name", live())
def test_no_address_of_a_host_is_asked_for(name: str) -> None:
    html = live()[name]._repr_mimebundle_()["text/html"]
    hosts = set(re.findall(r"https?://([\w.-]+)", html))
    # Names of formats; nothing is fetched from them.
    assert hosts <= {"www.w3.org", "vega.github.io"}
    assert not re.search(r'(src|href)="https?:', html)


def test_a_word_of_the_data_cannot_end_the_description() -> None:
    tokens = ["</script><b>", "a & b"]
    html = attention_explorer(tokens, torch.eye(2))._repr_mimebundle_()["text/html"]
    assert html.count("</script>") == 1
    found = re.search(r'class="live-figure-spec">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    assert "</script><b>" in json.dumps(json.loads(found[1]))
    assert "<b>" not in html


def test_the_explorer_starts_where_it_is_told() -> None:
    def first(figure: LiveFigure) -> Any:
        params = [p for p in figure.spec["params"] if p["name"] == "pick"]
        return params[0]["value"]

    assert first(attention_explorer(TOKENS, WEIGHTS)) == [{"t": 2}]
    assert first(attention_explorer(TOKENS, WEIGHTS, start=1)) == [{"t": 1}]
    assert first(attention_explorer(["a", "b", "c"], WEIGHTS)) == [{"t": 0}]


def test_the_histogram_of_every_choice_is_computed_before_the_page_is_read() -> None:
    noise = torch.randn(2, 50, generator=torch.Generator().manual_seed(0))
    scores = {2**n: 10 * noise * n for n in (2, 3, 4)}
    [rows] = [value for value in score_histogram(scores).spec["datasets"].values()]
    assert len(rows) == 3 * 11
    for row in rows:
        divided = scores[row["D"]].double() / row["D"] ** (row["tenths"] / 10)
        assert row["weight"] == pytest.approx(divided.softmax(-1).amax(-1).mean().item(), abs=1e-4)
        reached = (divided.abs() <= 40).double().mean().item()
        assert sum(row["share"]) == pytest.approx(reached, abs=1e-3)
        for low, share in zip(row["low"], row["share"], strict=True):
            inside = ((divided >= low) & (divided < low + 0.5)).double().mean().item()
            assert share == pytest.approx(inside, abs=1e-4)


def test_controls_without_words_or_conditions_need_none() -> None:
    names = {p["name"] for p in live()["bars"].spec["params"]}
    assert {"temperature_said", "moved_said", "sink_said", "sink_enabled"} <= names
    assert {p["name"] for p in live()["histogram"].spec["params"]} >= {
        "power_said", "exponent_said"
    }  # fmt: skip


# -- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "parts"),
    [
        (
            lambda: weights_heatmap(WEIGHTS, TOKENS[:2], TOKENS),
            ("label", "T=3, S=3", "2 query and 3 key"),
        ),
        (lambda: curves([1, 2], {"a": [1]}, x_label="", y_label=""), ("'a'", "2", "1")),
        (
            lambda: curves([1], {str(n): [1] for n in range(5)}, x_label="", y_label=""),
            ("at most 4", "5"),
        ),
        (
            lambda: histograms({str(n): torch.ones(2) for n in range(5)}, x_label=""),
            ("at most 4", "5"),
        ),
        (lambda: attention_explorer(TOKENS, torch.eye(2)), ("3 tokens", "(2, 2)")),
        (lambda: score_histogram({4: torch.ones(2, 3), 16: torch.ones(2, 3)}), ("[4, 16]",)),
        (lambda: softmax_bars(torch.ones(3), ["a"]), ("3 scores", "1 label")),
    ],
)
def test_an_error_says_the_rule_and_both_sizes(call: Any, parts: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=re.escape(parts[0])) as caught:
        call()
    assert all(part in str(caught.value) for part in parts), str(caught.value)
