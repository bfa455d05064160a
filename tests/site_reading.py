"""How a page reads: what lies between two figures, what has to be pushed aside to be seen.

Asked last of a visit, because it opens what is folded.
"""

from typing import Any

from playwright.sync_api import Page
from site_visits import DESK, PHONE

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


def read_closely(page: Page) -> dict[str, Any]:
    """Return what the tests ask of a page's lines, formulas and pictures."""
    page.set_viewport_size(DESK)
    page.evaluate(DRAWN)
    found: dict[str, Any] = {"gaps": page.evaluate(GAPS)}
    page.set_viewport_size(PHONE)
    found["beyond"] = page.evaluate(BEYOND)
    page.evaluate(OPEN)
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
    return found
