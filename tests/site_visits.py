"""Visits a page once and asks it everything: at each width and in each colour mode, in place.

A page is loaded twice: from a server, at the width of a desk, in light; and from a folder without
a network, at the width of a phone, in dark. So each width and each mode is met once as a page
starts in it and once as a page that is open changes to it.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from built_site import PREFIX, SITE
from playwright.sync_api import Browser, Page
from playwright.sync_api import TimeoutError as PlaywrightTimeout

DESK = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
# What a page is shown in, one after the other: from a server, and from a folder.
SERVED = ((DESK, "light"), (DESK, "dark"), (PHONE, "dark"), (PHONE, "light"))
UNZIPPED = ((PHONE, "dark"), (PHONE, "light"), (DESK, "light"), (DESK, "dark"))
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

SEEN = """() => {
  const named = (e) => (e.getAttribute("aria-label") || "").trim();
  const inside = (e, s) => e.parentElement.closest(s);
  const article = document.querySelector("article") || document.body;
  const images = [...article.querySelectorAll("img")];
  const drawings = [...article.querySelectorAll("svg")].filter(
    (s) => !inside(s, ".katex, svg, button, [aria-hidden=true], .live-figure-mount")
      && s.getAttribute("aria-hidden") !== "true");
  const pictureOf = (s) => inside(s, "[role=img]");
  const unnamedDrawing = (s) => !named(s) && !(pictureOf(s) && named(pictureOf(s)));
  const maths = [...article.querySelectorAll(".math")];
  return {
    theme: document.documentElement.dataset.theme,
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    pictures: images.length + drawings.length,
    unnamed: [...images.filter((i) => !i.alt.trim()).map((i) => i.currentSrc || i.src),
              ...drawings.filter(unnamedDrawing).map((s) => s.outerHTML.slice(0, 120))],
    eager: images.filter((i) => i.loading !== "lazy").map((i) => i.src),
    maths: maths.length,
    unwritten: maths.filter((m) => !m.querySelector(".katex-html") || !m.querySelector("math"))
                    .map((m) => m.outerHTML.slice(0, 120)),
    // Of each still figure what is shown: the file for this width, the scheme, and how it looks.
    stills: [...article.querySelectorAll("picture.still-figure")]
      .filter((picture) => picture.querySelector("img").getClientRects().length)
      .map((picture) => {
        const [image, source] = ["img", "source"].map((part) => picture.querySelector(part));
        const narrow = source && matchMedia(source.media).matches;
        const style = getComputedStyle(image);
        return {file: narrow ? source.srcset : image.getAttribute("src"),
                width: image.getBoundingClientRect().width,
                column: picture.parentElement.getBoundingClientRect().width,
                changed: [style.filter, style.backgroundColor, style.padding].join()};
      }),
    figures: article.querySelectorAll(".live-figure").length,
    mechanisms: [...article.querySelectorAll(".mechanism")].map((one) => one.dataset.kind),
    text: article.innerText,
    ink: getComputedStyle(document.body).color,
    inks: [...article.querySelectorAll(".live-figure-mount svg")].map((drawing) => ({
      words: [...drawing.querySelectorAll("text")].map((word) => word.getAttribute("fill")),
      axes: [...drawing.querySelectorAll(".role-axis-domain line")]
        .map((line) => line.getAttribute("stroke")),
    })),
  };
}"""
# What a page asks for by itself has been asked for: fonts follow the layout, observers a frame.
# Timers and no animation frames: a browser that has stalled draws none, and a test that waits for
# one waits for ever. The same for colours that are on their way to the other mode.
SETTLED = """async () => {
  const soon = (time) => new Promise((done) => setTimeout(done, time));
  await document.fonts.ready;
  await soon(90);
  await Promise.race([
    Promise.allSettled(document.getAnimations().map((one) => one.finished)), soon(2000)]);
}"""
# A page that is open follows the reader's system, and its figures follow the page.
FOLLOWED = """(theme) => document.documentElement.dataset.theme === theme
  && [...document.querySelectorAll(".live-figure-mount svg")].every((drawing) =>
    [...drawing.querySelectorAll("text")].some((word) =>
      word.getAttribute("fill") === getComputedStyle(document.body).color))"""
SCROLL = """async () => {
  for (let y = 0; y < document.documentElement.scrollHeight; y += innerHeight * 0.7) {
    scrollTo({top: y, behavior: "instant"});
    await new Promise((done) => setTimeout(done, 8));
  }
  scrollTo({top: 0, behavior: "instant"});
}"""
# A chapter's formulas and listings are thousands of letters in a few colours, and axe looks at what
# is behind each. Of the words of one formula or listing that have the same ink on the same ground,
# the first is left to axe and the others are out of sight while it runs: half of its time. So are
# single letters, which axe takes for no text. Only bare words are: nothing that has an attribute,
# or parts, which other rules might speak of. The signatures of a page of the API are 4,000 words:
# of these the first is left of all that stand in the same list of functions and classes.
SAME_INK = """() => {
  const ground = (leaf, top) => {
    const parts = [];
    for (let one = leaf; one !== top.parentElement; one = one.parentElement) {
      const style = getComputedStyle(one);
      parts.push(style.backgroundColor, style.backgroundImage, style.opacity);
    }
    return parts;
  };
  const alike = [];
  const among = (top, those) => {
    const known = new Set();
    for (const leaf of top.querySelectorAll(those)) {
      const bare = [...leaf.attributes].every((one) => ["class", "style"].includes(one.name));
      if (leaf.children.length || !bare || !leaf.textContent.trim()) continue;
      const { color, fontSize, fontWeight, textShadow } = getComputedStyle(leaf);
      const key = [color, fontSize, fontWeight, textShadow, ...ground(leaf, top)].join();
      if (known.has(key) || leaf.textContent.trim().length === 1) alike.push(leaf);
      else known.add(key);
    }
  };
  document.querySelectorAll("pre, .katex-html").forEach((top) => among(top, "*"));
  document.querySelectorAll("article section").forEach((top) => {
    among(top, ":scope > dl.py dt.sig *");
  });
  return alike;
}"""
# Without preloading: axe would fetch style sheets again, and some from a wrong address.
AXE = f"""async (tags) => {{
  const alike = ({SAME_INK})();
  alike.forEach((leaf) => {{ leaf.style.visibility = "hidden"; }});
  // What is announced begins with what is shown: axe calls its rule for that an experiment.
  const rules = {{"label-content-name-mismatch": {{enabled: true}}}};
  const result = await axe.run(
    {{runOnly: tags, rules, resultTypes: ["violations"], preload: false}});
  alike.forEach((leaf) => {{ leaf.style.visibility = ""; }});
  return result.violations;
}}"""
# What has not come: drawings of live figures, and images that are shown.
SLEEPERS = """[
    ...[...document.querySelectorAll(".live-figure-mount")]
      .filter((mount) => !mount.querySelector("svg, canvas")),
    ...document.querySelectorAll(".mechanism:not(.is-live)"),
    ...[...document.images].filter((image) => !image.complete && image.offsetParent)]"""
ASLEEP = f"""() => {{
  const figureOf = (mount) => (mount.closest("[data-figure]") || {{dataset: {{}}}}).dataset.figure
    || `number ${{[...document.querySelectorAll(".live-figure-mount")].indexOf(mount) + 1}}`;
  return {SLEEPERS}.map((one) => one.matches("img")
    ? `the image ${{one.currentSrc || one.src}}`
    : `the live figure ${{one.dataset.kind || figureOf(one)}}`);
}}"""
# A scroll can pass a figure between two frames: its observer never saw it, and sleeps on. So what
# is still asleep is brought into view, one after the other, and stays there for some frames.
AWAKE = f"""() => {{
  const sleepers = {SLEEPERS};
  if (!sleepers.length) {{
    scrollTo({{top: 0, behavior: "instant"}});
    return true;
  }}
  const turn = Math.floor(performance.now() / 500) % sleepers.length;
  const shown = sleepers[turn].closest(".live-figure") || sleepers[turn];
  shown.scrollIntoView({{block: "center", behavior: "instant"}});
  return false;
}}"""
# Milliseconds for all that a page draws by itself, once it was scrolled through.
WAKING = 60_000


@dataclass
class Look:
    """How a page was, at one width and in one mode."""

    width: int
    theme: str
    seen: dict[str, Any]
    violations: list[str] = field(default_factory=list)


@dataclass
class Visit:
    """What one visit to one page showed."""

    page: str
    where: str
    first: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.page} ({self.where})"

    @property
    def local(self) -> list[Path]:
        """The site's own files that the first screen asked for."""
        return [path for url in self.first if (path := site_file(url)) is not None]

    def wrong(self, question: str) -> dict[str, Any]:
        """Return what a question found that should be empty, by width and mode."""
        found = {f"{look.width} px, {look.theme}": look.seen[question] for look in self.looks}
        return {where: what for where, what in found.items() if what}


def site_file(url: str) -> Path | None:
    """Return the file of the site behind an address: of the test's server, or of a folder."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    if parts.scheme != "http" or not parts.path.startswith(PREFIX):
        return None
    path = SITE / unquote(parts.path[len(PREFIX) :]).lstrip("/")
    return path / "index.html" if path.is_dir() else path


def watch(page: Page, visit: Visit) -> None:
    """Write down every request, every failure, and every error of the console."""
    page.on("request", lambda request: visit.requests.append(request.url))
    page.on(
        "requestfailed", lambda request: visit.failed.append(f"{request.url}: {request.failure}")
    )
    page.on(
        "response",
        lambda answer: (
            visit.failed.append(f"{answer.url}: {answer.status}") if answer.status >= 400 else None
        ),
    )
    page.on(
        "console",
        lambda message: visit.errors.append(message.text) if message.type == "error" else None,
    )
    page.on("pageerror", lambda error: visit.errors.append(str(error)))


def wake(page: Page, visit: Visit, within: int = WAKING) -> None:
    """Scroll through the page, so that all which waits for the reader comes.

    What the scroll passed too fast is shown once more; a page that stays asleep even so is loaded
    a second time.

    Args:
        page: the page, loaded.
        visit: which visit this is; what failed because of the reload is taken out of it.
        within: milliseconds to wait, each time.

    Raises:
        RuntimeError: if something is not drawn after the reload; it names the visit and what.
    """
    if not (asleep := still_asleep(page, within)):
        return
    print(f"{visit} is loaded once more: {', '.join(asleep)} did not come")
    known = list(visit.failed)
    page.reload(wait_until="domcontentloaded")  # an image that hangs holds up "load"
    # What was on its way when the page left is no failure of the page.
    visit.failed[:] = [text for text in visit.failed if text in known or "ABORTED" not in text]
    if asleep := still_asleep(page, within):
        what = ", ".join(asleep)
        raise RuntimeError(f"{visit}: not drawn within {within / 1000:g} s, twice: {what}")


def still_asleep(page: Page, within: int) -> list[str]:
    """Scroll through the page and wait; return what is still not drawn."""
    page.evaluate(SCROLL)
    try:
        # Asked ten times a second: a busy machine draws few frames, and waits long for its figures.
        page.wait_for_function(AWAKE, timeout=within, polling=100)
    except PlaywrightTimeout:
        # What was drawn between the last question and this one is awake.
        return [str(one) for one in page.evaluate(ASLEEP)]
    return []


def open_page(browser: Browser, root: str, name: str, start: tuple[Any, str]) -> tuple[Page, Visit]:
    """Load a page in a browser of its own and note what the first screen asked for.

    A page from a folder has no network at all.
    """
    where = urlsplit(root).scheme
    page = browser.new_context(
        viewport=start[0], color_scheme=start[1], offline=where == "file"
    ).new_page()
    visit = Visit(name, where)
    watch(page, visit)
    page.goto(f"{root}{name}.html", wait_until="load")
    page.evaluate(SETTLED)
    visit.first = list(visit.requests)
    return page, visit


def look_around(page: Page, visit: Visit, ways: Any, axe: str | None) -> None:
    """Wake a page, then look at it at each width and in each mode; with axe, test it there too."""
    wake(page, visit)
    if axe is not None:
        page.evaluate(axe)
    for size, theme in ways:
        show(page, size, theme)
        look = Look(size["width"], theme, page.evaluate(SEEN))
        if axe is not None:
            look.violations = violations(page)
        visit.looks.append(look)


def show(page: Page, size: Any, theme: str) -> None:
    """Give an open page another width or mode, and time to follow."""
    page.set_viewport_size(size)
    page.emulate_media(color_scheme=theme)
    with suppress(PlaywrightTimeout):  # what did not follow is seen by the one who looks
        page.wait_for_function(FOLLOWED, arg=theme, timeout=20_000, polling=100)
    page.evaluate(SETTLED)


def violations(page: Page) -> list[str]:
    """Return what axe, which the page holds by now, finds wrong with it as it is shown."""
    return [
        f"{rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in page.evaluate(AXE, RULES)
        for node in rule["nodes"]
    ]
