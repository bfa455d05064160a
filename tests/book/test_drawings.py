"""Drawings made by hand: legible on light and dark pages, without anything from elsewhere."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from course_lib.plotting import colors

FIGURES = Path(__file__).parents[2] / "book" / "figures"
DRAWINGS = sorted(FIGURES.glob("*.svg"))
SVG = "{http://www.w3.org/2000/svg}"
LIGHT, DARK = "#ffffff", "#14181e"


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def background(root, x, y):
    """Return the fill of the last box or circle that was drawn around a point, or None."""
    found = None
    for shape in root.iter():
        place = {key: float(shape.get(key, 0)) for key in ("x", "y", "width", "height")}
        circle = {key: float(shape.get(key, 0)) for key in ("cx", "cy", "r")}
        in_box = (
            place["x"] <= x <= place["x"] + place["width"]
            and place["y"] <= y <= place["y"] + place["height"]
        )
        in_circle = (x - circle["cx"]) ** 2 + (y - circle["cy"]) ** 2 <= circle["r"] ** 2
        if (shape.tag == f"{SVG}rect" and in_box) or (shape.tag == f"{SVG}circle" and in_circle):
            found = shape.get("fill")
    return found


@pytest.fixture(params=DRAWINGS, ids=lambda path: path.name)
def drawing(request):
    return ElementTree.fromstring(request.param.read_text())


def test_there_are_drawings():
    assert "attention-path.svg" in [path.name for path in DRAWINGS]


def test_every_text_is_read_on_its_own_background(drawing):
    texts = list(drawing.iter(f"{SVG}text"))
    assert texts
    for text in texts:
        behind = background(drawing, float(text.get("x")), float(text.get("y")))
        assert behind is not None, "".join(text.itertext())
        assert contrast(text.get("fill"), behind) >= 4.5, "".join(text.itertext())


def test_lines_are_seen_on_light_and_on_dark_pages(drawing):
    strokes = re.findall(r"stroke: (#\w{6})", ElementTree.tostring(drawing, encoding="unicode"))
    assert strokes
    for stroke in strokes:
        assert contrast(stroke, LIGHT) >= 3
        assert contrast(stroke, DARK) >= 3


def test_a_drawing_has_a_title_and_loads_nothing(drawing):
    assert drawing.find(f"{SVG}title").text
    source = ElementTree.tostring(drawing, encoding="unicode")
    assert not re.search(r"href|@import|url\((?!#)", source)


def chromatic(colour):
    """Return whether a colour is more than a grey."""
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return max(parts) - min(parts) > 24


def test_the_colours_of_query_key_and_value_are_the_books(drawing):
    source = ElementTree.tostring(drawing, encoding="unicode").lower()
    seen = {colour for colour in re.findall(r"#[0-9a-f]{6}", source) if chromatic(colour)}
    assert seen
    assert seen <= {colors.QUERY, colors.KEY, colors.VALUE, colors.OUTPUT}


def test_each_part_of_the_path_has_its_own_colour():
    drawing = ElementTree.fromstring((FIGURES / "attention-path.svg").read_text())
    parts = {"queries": "QUERY", "keys": "KEY", "values": "VALUE", "output": "OUTPUT"}
    for text in drawing.iter(f"{SVG}text"):
        word = (text.text or "").strip()
        if word in parts:
            behind = background(drawing, float(text.get("x")), float(text.get("y")))
            assert behind == getattr(colors, parts.pop(word)), word
    assert not parts
