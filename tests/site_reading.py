"""How a page reads: what lies between two figures, what has to be pushed aside to be seen.

Asked last of a visit, because it opens what is folded.
"""

from typing import Any

from playwright.sync_api import Page
from site_visits import DESK, PHONE, show

# Widths of phones, at which a line may break anywhere.
PHONES = range(350, 431, 20)
# All folded cells and answers are open: their lines are read too.
OPEN = """() => {
  document.querySelectorAll("details").forEach((fold) => { fold.open = true; });
  document.querySelectorAll(".cell.tag_hide-cell details").forEach((fold) => { fold.open = true; });
}"""
WIDER = """(selector) => [...document.querySelectorAll(`article ${selector}`)]
  .filter((box) => box.scrollWidth > box.clientWidth + 1)
  .map((box) => [box.scrollWidth - box.clientWidth, box.textContent.slice(0, 200)])"""
# What a phone shows of listings: letters that are too small, and lines that go on below without
# standing deeper than they began (the first letter of a line against the leftmost of the others).
LISTINGS = """() => {
  const small = [], flush = [];
  let wrapped = 0;
  for (const line of document.querySelectorAll("article pre .line")) {
    if (!line.getClientRects().length) continue;
    if (parseFloat(getComputedStyle(line).fontSize) < 12) small.push(line.textContent);
    if (line.clientHeight < 1.6 * parseFloat(getComputedStyle(line).lineHeight)) continue;
    const text = document.createRange();
    text.selectNodeContents(line);
    const boxes = [...text.getClientRects()].filter((box) => box.width > 0);
    const top = Math.min(...boxes.map((box) => box.top));
    const [first, below] = [0, 1].map((late) => Math.min(...boxes
      .filter((box) => (box.top > top + 8) == late).map((box) => box.left)));
    const own = line.style.getPropertyValue("--own") * 5;
    wrapped += 1;
    if (below < first + own + 12) flush.push(line.textContent);
  }
  return {small, flush, wrapped};
}"""
# What takes the focus by the keyboard, and has no ring that stands out against its ground.
RINGS = """() => {
  const parts = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);
  const light = (colour) => {
    const [r, g, b] = parts(colour).map((one) => {
      const share = one / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (one) => {
    for (; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (parts(colour)[3] !== 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const stops = [...document.querySelectorAll(
    "a[href], button, input, select, summary, [tabindex='0']")]
    .filter((one) => one.checkVisibility());
  const bare = [];
  let seen = 0;
  for (const stop of stops) {
    stop.focus({preventScroll: true});
    if (document.activeElement !== stop) continue;
    seen += 1;
    const style = getComputedStyle(stop);
    const [dim, bright] = [light(style.outlineColor), light(ground(stop.parentElement))]
      .sort((a, b) => a - b);
    const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    if (!ring || (bright + 0.05) / (dim + 0.05) < 3) bare.push(stop.outerHTML.slice(0, 120));
  }
  document.activeElement?.blur();
  return {seen, bare};
}"""
# Formulas in one piece, and those of them whose comma begins the next line or comes twice.
LEFT_BEHIND = """() => {
  const held = [...document.querySelectorAll("article .one-piece")]
    .filter((one) => one.offsetParent);
  const alone = held.filter((one) => {
    const sign = document.createRange();
    sign.selectNodeContents(one.lastChild);
    const formula = one.querySelector(".base").getBoundingClientRect();
    const doubled = (one.nextSibling?.textContent ?? "").startsWith(one.lastChild.textContent);
    return doubled || sign.getBoundingClientRect().left < formula.right - 1;
  });
  return [held.length, alone.map((one) => one.textContent)];
}"""
# Pictures that have not come yet have no height.
DRAWN = """async () => {
  const images = [...document.querySelectorAll("article img")];
  images.forEach((image) => { image.loading = "eager"; });
  await Promise.all(images.map((image) => image.decode()));
}"""
GAPS = """() => {
  const article = document.querySelector("article");
  if (!article) return [];  // the search page has none
  const figures = [...article.querySelectorAll("figure, .live-figure")]
    .filter((figure) => !figure.parentElement.closest("figure"));
  const title = (y) => [...article.querySelectorAll("h1, h2, h3")]
    .filter((heading) => heading.getBoundingClientRect().top <= y + 5)
    .map((heading) => heading.textContent.replace("#", "")).pop() || "the title";
  const gaps = [];
  let from = article.getBoundingClientRect().top;
  for (const figure of figures) {
    const box = figure.getBoundingClientRect();
    gaps.push([(box.top - from) / innerHeight, title(from), title(box.top)]);
    from = box.bottom;
  }
  gaps.push([(article.getBoundingClientRect().bottom - from) / innerHeight, title(from), "end"]);
  return gaps;
}"""
BEYOND = """() => [...document.querySelectorAll("article td, article td a")]
  .filter((one) => one.getBoundingClientRect().right > innerWidth)
  .map((one) => one.textContent.slice(0, 80))"""

# Words of tables that go on in the next line without a hyphen; code and formulas may.
TORN = """() => {
  const torn = [];
  for (const cell of document.querySelectorAll("article :is(td, th)")) {
    const walk = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      const node = walk.currentNode;
      if (node.parentElement.closest("code, .katex, a")) continue;
      for (const word of node.data.matchAll(/\\p{Script=Latin}{3,}/gu)) {
        const place = document.createRange();
        place.setStart(node, word.index);
        place.setEnd(node, word.index + word[0].length);
        const lines = new Set([...place.getClientRects()].map((box) => Math.round(box.top)));
        if (lines.size > 1) torn.push(word[0]);
      }
    }
  }
  return torn;
}"""


def read_closely(page: Page) -> dict[str, Any]:
    """Return what the tests ask of a page's lines, formulas and pictures."""
    page.set_viewport_size(DESK)
    page.evaluate(DRAWN)
    found: dict[str, Any] = {"gaps": page.evaluate(GAPS)}
    page.set_viewport_size(PHONE)
    found["beyond"] = page.evaluate(BEYOND)
    page.evaluate(OPEN)
    found["phone listings"] = page.evaluate(LISTINGS)
    found["pushed on a phone"] = page.evaluate(WIDER, ":is(pre, .pst-scrollable-table-container)")
    found["torn"] = page.evaluate(TORN)
    found["formulas"] = page.locator("article .katex-display").count()
    found["wide formulas"] = page.evaluate(WIDER, ".katex-display")
    found["commas"] = {}
    for width in PHONES:
        page.set_viewport_size({"width": width, "height": PHONE["height"]})
        found["commas"][width] = page.evaluate(LEFT_BEHIND)
    page.set_viewport_size(DESK)
    found["listings"] = page.locator("article pre").count()
    found["wide listings"] = page.evaluate(WIDER, "pre")
    found["cells"] = page.locator("article .cell").count()
    # A ring is for whoever walks by the keyboard.
    page.keyboard.press("Tab")
    found["rings"] = {}
    for theme in ("light", "dark"):
        show(page, DESK, theme)
        found["rings"][theme] = page.evaluate(RINGS)
    return found
