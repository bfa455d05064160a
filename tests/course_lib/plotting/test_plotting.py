"""Colours that can be seen, and live figures: the same bytes on every run, honest errors."""

import json
import re
from typing import Any
from xml.etree import ElementTree

import pytest
import torch

from course_lib.attention.dot_product import scaled_dot_product_attention
from course_lib.plotting import colors
from course_lib.plotting.attention_explorer import attention_explorer
from course_lib.plotting.live import STILLS, LiveFigure
from course_lib.plotting.score_histogram import score_histogram
from course_lib.plotting.softmax_bars import softmax_bars

PARTS = {name: getattr(colors, name) for name in ("QUERY", "KEY", "VALUE", "OUTPUT", "MUTED")}
QUERY = torch.tensor([[0.0, 0, 0, 2], [1, 0, 0, 0], [2, -3, 0, 0]])
KEY = torch.tensor([[1.0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, -1]])
VALUE = torch.tensor([[3.0, 4], [0, 2], [0, 0]])
TOKENS = ["the", "animal", "it"]
SVG = "{http://www.w3.org/2000/svg}"


def live() -> dict[str, LiveFigure]:
    scores = {2**n: torch.arange(6.0).reshape(2, 3) * n for n in (2, 3, 4)}
    return {
        "histogram": score_histogram(scores),
        "bars": softmax_bars(torch.tensor([0.0, 1.0]), torch.tensor([2.0, 4.0]), ["it", "animal"]),
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


@pytest.mark.parametrize("shade", range(colors.SHADES))
def test_words_on_every_shade_are_legible_in_both_schemes(shade: int) -> None:
    fill, words = colors.ramp_color(shade / (colors.SHADES - 1))
    assert fill == colors.RAMP[shade]
    assert colors.contrast(words, fill) >= 4.5
    assert colors.contrast(colors.DARK[words], colors.DARK[fill]) >= 4.5


def test_more_weight_is_further_from_the_page_in_both_schemes() -> None:
    for ramp, page in ((colors.RAMP, colors.LIGHT_PAGE), (colors.DARK_RAMP, colors.DARK_PAGE)):
        away = [colors.contrast(shade, page) for shade in ramp]
        assert away[0] == 1
        assert away == sorted(away)
        assert len(set(ramp)) == colors.SHADES
    assert [colors.ramp_color(weight)[0] for weight in (-0.1, 1.1)] == [
        colors.RAMP[0], colors.RAMP[-1],
    ]  # fmt: skip


def test_words_in_the_colours_of_parts_are_legible_in_both_schemes() -> None:
    for part in (*PARTS.values(), colors.INK):
        assert colors.contrast(part, colors.LIGHT_PAGE) >= 4.5
        assert colors.contrast(colors.DARK[part], colors.DARK_PAGE) >= 4.5
        assert colors.contrast(colors.DARK[colors.ON_PART], colors.DARK[part]) >= 4.5
    assert len({colors.DARK[part] for part in PARTS.values()}) == len(PARTS)


def test_scores_and_weights_of_live_figures_have_not_the_colours_of_parts() -> None:
    kept = {colors.QUERY, colors.KEY, colors.VALUE}
    scores = json.dumps(live()["histogram"].spec)
    assert not [colour for colour in kept if colour in scores]


# -- live figures ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", live())
def test_a_live_figure_is_the_same_html_every_time(name: str) -> None:
    first, second = (live()[name]._repr_mimebundle_() for _ in range(2))
    assert first == second
    assert "0x" not in first["text/plain"]


@pytest.mark.parametrize("name", live())
def test_ids_are_of_this_figure_alone(name: str) -> None:
    figure = live()[name]
    html = figure._repr_mimebundle_()["text/html"]
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(set(ids)) == len(ids)
    assert all(found.startswith(figure.name) for found in ids)
    used = set(re.findall(r"url\(#([^)]+)\)", html))
    assert used <= set(ids)


@pytest.mark.parametrize("name", live())
def test_the_still_pictures_are_drawn_for_both_columns_and_say_the_same(name: str) -> None:
    drawings = {sheet: ElementTree.fromstring(live()[name].svg(sheet)) for sheet in STILLS}
    words = {
        sheet: [word.text for word in drawn.iter(f"{SVG}text")] for sheet, drawn in drawings.items()
    }
    assert words["wide"] == words["narrow"] != []
    wide, narrow = (float(drawings[sheet].get("width") or 0) for sheet in ("wide", "narrow"))
    # With the padding of their frame they fill columns of 688 and of 288 pixels, and leave neither.
    assert 640 < wide <= 688 - 16
    assert 240 < narrow <= 288 - 8


@pytest.mark.parametrize("name", live())
def test_no_address_of_a_host_is_asked_for(name: str) -> None:
    html = live()[name]._repr_mimebundle_()["text/html"]
    hosts = set(re.findall(r"https?://([\w.-]+)", html))
    # Names of formats; nothing is fetched from them.
    assert hosts <= {"www.w3.org", "vega.github.io"}
    assert not re.search(r'(src|href)="https?:', html)


def test_a_word_of_the_data_cannot_end_the_description() -> None:
    tokens = ["</script><b>", "a & b", "c"]
    html = attention_explorer(tokens, QUERY, KEY, VALUE)._repr_mimebundle_()["text/html"]
    assert html.count("</script>") == 1
    found = re.search(r'type="application/json">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    assert json.loads(found[1])["tokens"] == tokens
    assert "<b>" not in html


def test_the_explorer_starts_where_it_is_told() -> None:
    three = QUERY, KEY, VALUE
    assert attention_explorer(TOKENS, *three).data["start"] == 2
    assert attention_explorer(TOKENS, *three, start=1).data["start"] == 1
    assert attention_explorer(["a", "b", "c"], *three).data["start"] == 0


def test_the_explorer_says_what_is_read_and_how_much_arrives() -> None:
    figure = attention_explorer(TOKENS, QUERY, KEY, VALUE)
    # The scores of it: (2 - 3) / 2, 2 / 2, 0; the values are as long as 5, 2 and 0.
    assert figure.data["score"][2] == [-0.5, 1.0, 0.0]
    output, weights = scaled_dot_product_attention(QUERY, KEY, VALUE)
    first, second = weights[2, 0].item(), weights[2, 1].item()
    assert f"animal {second:.2f} and it" in figure.alt_text
    assert f"animal {2 * second:.2f} and the {5 * first:.2f}" in figure.alt_text
    assert f"length is {output[2].norm().item():.2f}" in figure.alt_text
    # The axes hold for every query: from the lowest score to the highest, with 0.
    parts = weights * torch.tensor([5.0, 2.0, 0.0])
    longest = max(parts.max().item(), output.norm(dim=-1).max().item())
    assert figure.data["reach"] == pytest.approx([-1.0, 1.0, longest], abs=1e-4)


def test_what_has_no_length_and_no_score_has_bars_of_none() -> None:
    nothing = torch.zeros(2, 3)
    html = attention_explorer(["a", "b"], nothing, nothing, nothing).html()
    assert "nan" not in html.lower()
    assert "inf" not in html.lower()


def test_the_histogram_of_every_choice_is_computed_before_the_page_is_read() -> None:
    noise = torch.randn(2, 50, generator=torch.Generator().manual_seed(0))
    scores = {2**n: 10 * noise * n for n in (2, 3, 4)}
    [rows] = [value for value in score_histogram(scores).spec["datasets"].values()]
    assert len(rows) == 3 * 11
    for row in rows:
        divided = scores[row["D"]].double() / row["D"] ** (row["tenths"] / 10)
        assert row["weight"] == pytest.approx(divided.softmax(-1).amax(-1).mean().item(), abs=1e-4)
        squares = divided.softmax(-1).square().sum(-1)
        assert row["output"] == pytest.approx(squares.mean().sqrt().item(), abs=1e-4)
        assert sum(row["share"]) == pytest.approx(1, abs=2e-3)
        for low, share in zip(row["low"], row["share"], strict=True):
            least = 0.0 if low == -8 else 2.0**low
            most = torch.inf if low == 6.5 else 2.0 ** (low + 0.5)
            inside = (divided.abs() >= least) & (divided.abs() < most)
            assert share == pytest.approx(inside.double().mean().item(), abs=1e-4)


def test_controls_without_words_or_conditions_need_none() -> None:
    names = {p["name"] for p in live()["bars"].spec["params"]}
    assert {"temperature_said", "score_1_said", "sink_said", "sink_enabled"} <= names
    assert {p["name"] for p in live()["histogram"].spec["params"]} >= {
        "power_said", "exponent_said"
    }  # fmt: skip


# -- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "parts"),
    [
        (
            lambda: attention_explorer(TOKENS, QUERY, KEY[:2], VALUE[:2]),
            ("a row of query", "tokens 3, query 3, key 2, value 2"),
        ),
        (lambda: score_histogram({4: torch.ones(2, 3), 16: torch.ones(2, 3)}), ("[4, 16]",)),
        (
            lambda: softmax_bars(torch.ones(3), torch.ones(3), ["a"]),
            ("3 scores", "1 labels and 3 values"),
        ),
    ],
)
def test_an_error_says_the_rule_and_both_sizes(call: Any, parts: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=re.escape(parts[0])) as caught:
        call()
    assert all(part in str(caught.value) for part in parts), str(caught.value)
