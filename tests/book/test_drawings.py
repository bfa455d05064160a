"""Drawings made by hand: legible on light and dark pages, without anything from elsewhere."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from course_lib.plotting import colors
from course_lib.plotting.colors import DARK, DARK_PAGE, LIGHT_PAGE, contrast
from course_lib.plotting.standard import NARROW, WIDE, in_dark

FIGURES = Path(__file__).parents[2] / "book" / "figures"
DRAWINGS = sorted(FIGURES.glob("*.svg"))
SVG = "{http://www.w3.org/2000/svg}"
PAGES = {"light": LIGHT_PAGE, "dark": DARK_PAGE}


def background(root, x, y):
    """Return the fill of the last box or circle that was drawn around a point, or the page's."""
    found = LIGHT_PAGE
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


def in_scheme(colour, scheme):
    return colour if scheme == "light" else DARK[colour.lower()]


def test_there_is_a_drawing_for_a_desk_and_one_for_a_phone():
    names = {path.name for path in DRAWINGS}
    assert "attention-path.svg" in names
    for name in names:
        base = name.removesuffix(".svg").removesuffix("-narrow")
        assert {f"{base}.svg", f"{base}-narrow.svg"} <= names


def test_a_drawing_is_as_wide_as_its_column():
    for path in DRAWINGS:
        root = ElementTree.fromstring(path.read_text())
        sheet = NARROW if path.stem.endswith("-narrow") else WIDE
        assert float(root.get("width")) == sheet.width
        assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"
        assert f"background:{LIGHT_PAGE}" in root.get("style")
        sizes = [float(text.get("font-size")) for text in root.iter(f"{SVG}text")]
        assert min(sizes) >= 12


@pytest.mark.parametrize("scheme", PAGES)
def test_every_text_is_read_on_its_background_in_both_schemes(drawing, scheme):
    texts = list(drawing.iter(f"{SVG}text"))
    assert texts
    for text in texts:
        behind = background(drawing, float(text.get("x")), float(text.get("y")))
        ink, ground = (in_scheme(colour, scheme) for colour in (text.get("fill"), behind))
        assert contrast(ink, ground) >= 4.5, "".join(text.itertext())


@pytest.mark.parametrize("scheme", PAGES)
def test_lines_are_seen_in_both_schemes(drawing, scheme):
    source = ElementTree.tostring(drawing, encoding="unicode")
    # Cells are told apart by their fill: the lines between them help and say nothing.
    strokes = set(re.findall(r'stroke(?:="|: )(#\w{6})', source)) - {colors.FAINT, LIGHT_PAGE}
    for stroke in strokes:
        assert contrast(in_scheme(stroke, scheme), PAGES[scheme]) >= 3


def test_every_colour_has_its_dark_one(drawing):
    source = ElementTree.tostring(drawing, encoding="unicode")
    assert f"background:{DARK_PAGE}" in in_dark(source)


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
    shades = {colour for colour in colors.RAMP if chromatic(colour)}
    assert seen <= {colors.QUERY, colors.KEY, colors.VALUE, colors.OUTPUT} | shades


def test_each_part_of_the_path_has_its_own_colour():
    drawing = ElementTree.fromstring((FIGURES / "attention-path.svg").read_text())
    parts = {"queries": "QUERY", "keys": "KEY", "values": "VALUE", "output": "OUTPUT"}
    for text in drawing.iter(f"{SVG}text"):
        word = (text.text or "").strip()
        if word in parts:
            behind = background(drawing, float(text.get("x")), float(text.get("y")))
            assert behind == getattr(colors, parts.pop(word)), word
    assert not parts
