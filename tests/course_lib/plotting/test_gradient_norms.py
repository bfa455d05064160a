"""The live figure of gradients through time: the same bytes on every run, honest errors."""

import json
import re
from xml.etree import ElementTree

import pytest

from course_lib.plotting.gradient_norms import gradient_norms
from course_lib.plotting.live import STILLS, LiveFigure

SIGMAS, BACK = (0.8, 0.9, 1.0), (0, 1, 2, 3)
SVG = "{http://www.w3.org/2000/svg}"


def norms() -> dict[tuple[str, str], list[list[float]]]:
    shares = {("one", "none"): 1.0, ("one", "tanh"): 0.5, ("two", "none"): 0.25}
    shares["two", "tanh"] = 0.125
    return {
        names: [[(share * sigma) ** k for k in BACK] for sigma in SIGMAS]
        for names, share in shares.items()
    }


def figure() -> LiveFigure:
    return gradient_norms(norms(), SIGMAS, BACK)


def test_the_figure_is_the_same_html_every_time_and_asks_no_host() -> None:
    first, second = (figure()._repr_mimebundle_() for _ in range(2))
    assert first == second
    assert set(re.findall(r"https?://([\w.-]+)", first["text/html"])) <= {
        "www.w3.org",
        "vega.github.io",
    }
    ids = re.findall(r'\bid="([^"]+)"', first["text/html"])
    assert len(set(ids)) == len(ids)
    assert all(found.startswith("gradient-norms") for found in ids)


def test_the_still_pictures_say_the_same_at_both_widths() -> None:
    drawn = {sheet: ElementTree.fromstring(figure().svg(sheet)) for sheet in STILLS}
    words = {name: [word.text for word in one.iter(f"{SVG}text")] for name, one in drawn.items()}
    assert words["wide"] == words["narrow"]
    assert "norm at 3 steps: 0.729" in words["wide"]
    wide, narrow = (float(drawn[sheet].get("width") or 0) for sheet in ("wide", "narrow"))
    assert 640 < wide <= 688 - 16
    assert 240 < narrow <= 288 - 8


def test_the_norms_are_handed_on_and_each_control_has_its_words() -> None:
    spec = figure().spec
    [rows] = spec["datasets"].values()
    assert len(rows) == 4 * len(SIGMAS)
    for row in rows:
        table = norms()[row["matrix"], row["squash"]]
        expected = table[[round(10 * sigma) for sigma in SIGMAS].index(row["tenths"])]
        assert row["back"] == list(BACK)
        assert row["norm"] == pytest.approx(expected, rel=1e-3)
    params = {param["name"]: param for param in spec["params"]}
    assert {"sigma_said", "length_said", "ink"} <= params.keys()
    assert params["matrix"]["bind"]["options"] == ["one", "two"]
    assert params["squash"]["bind"]["options"] == ["none", "tanh"]
    assert (params["length"]["bind"]["min"], params["length"]["bind"]["max"]) == (1, 3)
    assert "function" not in json.dumps(spec).replace("function()", "")


def test_a_missing_combination_is_refused_by_its_names() -> None:
    three = norms()
    del three["two", "tanh"]
    with pytest.raises(ValueError, match=r"1 of 4 are missing: \('two', 'tanh'\)"):
        gradient_norms(three, SIGMAS, BACK)


def test_a_table_of_another_size_is_refused_with_both_sizes() -> None:
    with pytest.raises(
        ValueError, match=r"there are 2 sigmas and 4 distances.*has 3 rows of \[4\]"
    ):
        gradient_norms(norms(), SIGMAS[:2], BACK)
    with pytest.raises(
        ValueError, match=r"there are 3 sigmas and 3 distances.*has 3 rows of \[4\]"
    ):
        gradient_norms(norms(), SIGMAS, BACK[:3])
