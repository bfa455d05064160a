"""The live figures of a soft lookup: the same bytes every time, right numbers, honest errors."""

import re
from typing import Any
from xml.etree import ElementTree

import pytest
import torch

from course_lib.lookup import kernel_regression, soft_lookup
from course_lib.plotting.kernel_curve import kernel_curve
from course_lib.plotting.live import STILLS, LiveFigure
from course_lib.plotting.lookup_curve import HALVING, lookup_curve

SVG = "{http://www.w3.org/2000/svg}"
KEYS, VALUES, QUERY = [0, 3, 4], [20, 50, 60], 2.0
PLACES, HEIGHTS = torch.tensor([0.25, 1.5, 2.0, 3.5]), torch.tensor([0.5, -0.75, 0.125, 0.25])


def figures() -> dict[str, LiveFigure]:
    return {
        "lookup": lookup_curve(KEYS, VALUES, QUERY),
        "kernel": kernel_curve(PLACES, HEIGHTS, 1.0),
    }


def labels(figure: LiveFigure) -> dict[str, float]:
    """Return what the marks of the still picture say: words, and the number behind them."""
    drawn = ElementTree.fromstring(figure.svg())
    found = [one.get("aria-label") or "" for one in drawn.iter()]
    pairs = [text.rsplit(": ", 1) for text in found if re.search(r": [−-]?[\d.]+$", text)]
    return {name: float(number.replace("−", "-")) for name, number in pairs}


@pytest.mark.parametrize("name", figures())
def test_a_figure_is_the_same_html_every_time(name: str) -> None:
    first, second = (figures()[name]._repr_mimebundle_() for _ in range(2))
    assert first == second
    ids = re.findall(r'\bid="([^"]+)"', first["text/html"])
    assert len(set(ids)) == len(ids)
    hosts = set(re.findall(r"https?://([\w.-]+)", first["text/html"]))
    assert hosts <= {"www.w3.org", "vega.github.io"}


@pytest.mark.parametrize("name", figures())
def test_the_still_pictures_fill_their_columns_and_say_the_same(name: str) -> None:
    drawings = {sheet: ElementTree.fromstring(figures()[name].svg(sheet)) for sheet in STILLS}
    words = {
        sheet: [word.text for word in drawn.iter(f"{SVG}text")] for sheet, drawn in drawings.items()
    }
    assert words["wide"] == words["narrow"] != []
    wide, narrow = (float(drawings[sheet].get("width") or 0) for sheet in ("wide", "narrow"))
    assert 640 < wide <= 688 - 16
    assert 240 < narrow <= 288 - 8


def test_the_lookup_begins_with_the_weights_that_are_asked_for() -> None:
    said = labels(figures()["lookup"])
    keys, values = (torch.tensor(row).double()[:, None] for row in (KEYS, VALUES))
    answer = soft_lookup(torch.tensor([[QUERY]]).double(), keys, values, HALVING).item()
    assert said["answer"] == pytest.approx(answer, abs=6e-4)
    weights = [said[f"key {key}, weight"] for key in KEYS]
    assert weights == pytest.approx([0.1, 0.8, 0.1], abs=6e-4)


def test_the_kernel_begins_with_the_estimate_and_both_errors() -> None:
    said = labels(figures()["kernel"])
    width = 0.5
    estimate = kernel_regression(torch.tensor([1.0]), PLACES, HEIGHTS, width).item()
    assert said["estimate"] == pytest.approx(estimate, abs=6e-4)
    kept = kernel_regression(PLACES, PLACES, HEIGHTS, width) - HEIGHTS
    root = kept.square().mean().sqrt().item()
    assert said["error where it was measured"] == pytest.approx(root, abs=6e-4)
    others = [torch.arange(4) != s for s in range(4)]
    guesses = [kernel_regression(PLACES[~o], PLACES[o], HEIGHTS[o], width) for o in others]
    root = (torch.cat(guesses) - HEIGHTS).square().mean().sqrt().item()
    assert said["error where one is left out"] == pytest.approx(root, abs=6e-4)
    weights = torch.softmax(-((1.0 - PLACES) ** 2) / (2 * width**2), -1)
    assert said["count at the query"] == pytest.approx(1 / weights.square().sum().item(), abs=6e-4)


def test_every_control_says_its_value() -> None:
    for figure in figures().values():
        names = {one["name"] for one in figure.spec["params"]}
        assert {"power", "power_said", "query", "query_said"} <= names


@pytest.mark.usefixtures("without_annotations")
def test_pairs_that_do_not_fit_are_refused() -> None:
    few: Any = [20, 50]
    with pytest.raises(ValueError, match="there are 3 keys and 2 values"):
        lookup_curve(KEYS, few, QUERY)
    with pytest.raises(ValueError, match="there are 4 places and 3 heights"):
        kernel_curve(PLACES, HEIGHTS[:3], 1.0)
