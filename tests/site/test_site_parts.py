"""The site's own parts, each alone: formulas, appearance, plain Markdown, the first cell."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from built_site import ROOT, load
from docutils import nodes
from docutils.utils import new_document
from pybtex.database import parse_string
from pybtex.plugin import find_plugin
from sphinx import addnodes
from sphinx.errors import ExtensionError

from course_lib.config.attention_parts import Biases
from course_lib.config.norms import LayerNormConfig
from grading.classroom.hand_out import clone_command, course_archive, install_command, notice

EXTENSIONS = ROOT / "book" / "_ext"


@pytest.fixture(autouse=True)
def extensions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXTENSIONS))


def test_katex_writes_html_and_mathml_and_names_what_it_cannot_read() -> None:
    renderer = load(EXTENSIONS / "katex_math.py").Renderer()
    answer = renderer.render(r"\sqrt{D} < é", display=True)
    assert 'class="katex-display"' in answer
    assert "<msqrt>" in answer
    with pytest.raises(ValueError, match=r"Undefined control sequence: \\nonsense"):
        renderer.render(r"\nonsense", display=False)
    assert "<mi>x</mi>" in renderer.render("x", display=False), (
        "an error must not shift the answers"
    )


def test_the_fonts_belong_to_the_katex_that_renders() -> None:
    katex = load(EXTENSIONS / "katex_math.py")
    script = katex.katex_script().read_text(encoding="utf-8")
    style = (ROOT / "book/_static/katex/katex.min.css").read_text(encoding="utf-8")
    version = style.split('.katex-version:after{content:"')[1].split('"')[0]
    assert f'version:"{version}"' in script or f'"{version}"' in script
    fonts = {path.name for path in (ROOT / "book/_static/katex/fonts").iterdir()}
    named = {part.split(")")[0] for part in style.split("url(fonts/")[1:]}
    assert named == fonts
    assert ".ttf" not in style


def test_a_change_of_dress_rebuilds_every_page(tmp_path: Path) -> None:
    appearance = load(EXTENSIONS / "appearance.py")
    for name in ("_static", "_templates", "_ext/__pycache__"):
        (tmp_path / name).mkdir(parents=True)
    style, script = tmp_path / "_static" / "course.css", tmp_path / "_static" / "course.js"
    style.write_text("a { color: red }", encoding="utf-8")
    seen = [appearance.digest(tmp_path)]
    style.write_text("a { color: blue }", encoding="utf-8")
    seen.append(appearance.digest(tmp_path))
    script.touch()
    seen.append(appearance.digest(tmp_path))
    assert len(set(seen)) == 3
    (tmp_path / "_ext" / "__pycache__" / "chapter.pyc").touch()
    assert appearance.digest(tmp_path) == seen[-1]
    assert appearance.digest() == (ROOT / "_build" / "appearance.txt").read_text(encoding="utf-8")


BIBLIOGRAPHY = """
@misc{z, title = {The {BERT} Paper}, author = {Zhou, A. and B, C. and D, E.}, year = {2019},
  eprint = {1906.04341}}
@misc{b, title = {Beta}, author = {{A Team}}, year = {2024}, doi = {10.1/2}}
@misc{a, title = {Alpha}, author = {{A Team}}, year = {2024}, url = {https://www.example.org/x}}
"""


def test_references_are_named_by_author_and_year_and_link_once() -> None:
    references = load(EXTENSIONS / "references.py")
    references.register()
    style = find_plugin("pybtex.style.formatting", "course")()
    entries = list(style.format_bibliography(parse_string(BIBLIOGRAPHY, "bibtex")))
    labels = [entry.label for entry in entries]
    assert labels == ["A Team, 2024a", "A Team, 2024b", "Zhou et al., 2019"]
    html = [entry.text.render_as("html") for entry in entries]
    links = [re.findall(r'href="([^"]+)"', text) for text in html]
    assert links == [
        ["https://www.example.org/x"], ["https://doi.org/10.1/2"],
        ["https://arxiv.org/abs/1906.04341"],
    ]  # fmt: skip
    assert ">example.org<" in html[0]
    assert "Paper" in html[2], "a title keeps its capitals"


def test_formulas_of_several_lines_are_set_as_one() -> None:
    katex = load(EXTENSIONS / "katex_math.py")
    assert katex.aligned(r"a &= b \\ c &= d") == r"\begin{aligned}a &= b \\ c &= d\end{aligned}"
    for whole in (r"a = b", r"a \& b", r"\begin{pmatrix}1&0\end{pmatrix}"):
        assert katex.aligned(whole) == whole
    renderer = katex.Renderer()
    assert "katex-display" in renderer.render(katex.aligned(r"a &= b \\ c &= d"), display=True)


@pytest.mark.parametrize(
    ("tex", "expected"),
    [
        (r"a = b, \qquad c = d", r"a = b, \qquad \allowbreak c = d"),
        ("a,\n\\quad b", "a,\n\\quad \\allowbreak b"),
        (r"\max(a, b) + p_{t, s}", None),
        (r"a\, b", None),
        (r"\begin{pmatrix}a, \quad b\end{pmatrix}", None),
    ],
)
def test_a_formula_may_go_on_below_after_a_comma(tex: str, expected: str | None) -> None:
    katex = load(EXTENSIONS / "katex_math.py")
    assert katex.breakable(tex) == (expected or tex)
    assert "katex-display" in katex.Renderer().render(katex.breakable(tex), display=True)


def test_an_enumeration_is_shown_without_a_signature() -> None:
    plain = load(EXTENSIONS / "plain_docstrings.py").plain_members
    assert plain(None, "class", "", Biases, None, "(value, names=None)", "") == ("", "")
    assert plain(None, "class", "", LayerNormConfig, None, "(*, epsilon)", "") is None
    assert plain(None, "function", "", len, None, "(x)", "") is None


def test_the_star_of_a_shape_stays_a_star() -> None:
    lines = [":vartype x: Float[Tensor, '*batch T']", "The *whole* of it."]
    load(EXTENSIONS / "plain_docstrings.py").plain_shapes(None, "class", "", None, None, lines)
    assert lines == [r":vartype x: Float[Tensor, '\*batch T']", "The *whole* of it."]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("    V: entries of the vocabulary.", ["    \\", "    V: entries of the vocabulary."]),
        ("    The weights: one a key.", ["    The", "    weights: one a key."]),
        ("    The weights.", ["    The weights."]),
    ],
)
def test_no_word_of_a_sentence_is_taken_for_a_type(line: str, expected: list[str]) -> None:
    assert load(EXTENSIONS / "plain_docstrings.py").keep_sentence(line) == expected


def test_a_long_value_is_left_out_and_a_short_one_stays() -> None:
    page, signature = new_document("page"), addnodes.desc_signature()
    long = addnodes.desc_annotation("", "", nodes.Text(" = " + "Recipe(rate=0.1), " * 40))
    short = addnodes.desc_annotation("", "", nodes.Text(" = -100"))
    kind = addnodes.desc_annotation("", "", nodes.Text("class " * 60))
    signature += [kind, short, long]
    page += signature
    load(EXTENSIONS / "plain_docstrings.py").short_values(None, page)
    assert list(signature.children) == [kind, short]


def test_which_pages_are_executed() -> None:
    pages = load(EXTENSIONS / "executed_pages.py")
    assert pages.is_executed_page("---\njupytext:\n  x: y\n---\n# A")
    assert pages.is_executed_page("# A\n\n```{code-cell} ipython3\n1\n```\n")
    assert not pages.is_executed_page("# A\n\njupytext: is a word here\n")


def writer() -> object:
    env = SimpleNamespace(toc_fignumbers={"page": {"displaymath": {"eq": (2, 1)}}})
    markdown = load(EXTENSIONS / "plain_markdown.py")
    return markdown.MarkdownWriter(env, "page", "https://example.org/book/")


def test_inline_text_keeps_its_meaning_as_markdown() -> None:
    line = nodes.paragraph("", "a_b*c", nodes.math("", "x_1"), nodes.literal("", "y_2"))
    line += nodes.reference("", "here", refuri="other.html#spot")
    assert writer().block(line) == (
        r"a\_b\*c$x_1$`y_2`[here](https://example.org/book/other.html#spot)"
    )


def test_without_an_address_a_link_within_the_book_is_its_words() -> None:
    markdown = load(EXTENSIONS / "plain_markdown.py")
    alone = markdown.MarkdownWriter(SimpleNamespace(), "page", None)
    within = nodes.reference("", "here", refuri="other.html#spot")
    outside = nodes.reference("", "there", refuri="https://example.org/")
    line = nodes.paragraph("", "", within, nodes.Text(" "), outside)
    assert alone.block(line) == "here [there](https://example.org/)"


def test_a_formula_carries_the_number_of_the_page() -> None:
    formula = nodes.math_block("", "a = b", ids=["eq"])
    assert writer().block(formula) == "$$\na = b \\tag{2.1}\n$$"
    aligned = nodes.math_block("", "\\begin{align}a\\end{align}", ids=["eq"])
    assert "tag" not in writer().block(aligned)


def test_a_bar_of_a_formula_does_not_end_a_cell() -> None:
    cells = [nodes.entry("", nodes.paragraph("", "", nodes.math("", tex))) for tex in ("|x|", "y")]
    table = nodes.table("", nodes.tgroup("", nodes.tbody("", nodes.row("", *cells))))
    rows = writer().block(table).split("\n")
    assert [row.count("|") for row in rows] == [3, 3]
    assert writer().line(nodes.math("", "|x|")) == "$|x|$"


def test_a_node_that_is_not_known_stops_the_build() -> None:
    class Novel(nodes.General, nodes.Element):
        pass

    with pytest.raises(ExtensionError, match="cannot write <Novel>"):
        writer().block(Novel())


def test_the_first_cell_is_quiet_and_knows_the_address(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    downloads = load(EXTENSIONS / "downloads.py")
    monkeypatch.setattr(downloads, "course_archive", lambda: "https://example.org/a.zip")
    assert '"COURSE_SOURCE", "https://example.org/a.zip"' in downloads.setup_cell("a").source
    monkeypatch.undo()
    cell = downloads.setup_cell("softmax")
    assert f'"COURSE_SOURCE", "{course_archive() or ""}"' in cell.source
    monkeypatch.setattr(sys, "executable", "no-such-python")
    exec(compile(cell.source, "cell", "exec"), {})
    assert capsys.readouterr() == ("", ""), "where the course is installed the cell does nothing"


def test_a_page_shows_the_command_that_a_notebook_says() -> None:
    directive = load(EXTENSIONS / "install_command.py").InstallCommand
    block, *rest = directive.run(None)
    assert block.astext() == install_command()
    assert bool(rest) == (course_archive() is None)
    assert block["language"] == "sh"
    assert f"%{install_command()}" in notice().source
    for page in ("for-learners", "for-instructors"):
        text = (ROOT / "book" / f"{page}.md").read_text(encoding="utf-8")
        assert "```{install-command}\n```" in text


def test_the_way_in_begins_with_the_clone_where_there_is_an_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commands = load(EXTENSIONS / "install_command.py")
    monkeypatch.setattr(commands, "clone_command", lambda: "git clone https://example.org/a/b")
    (block,) = commands.StartCommands.run(None)
    assert block.astext() == "git clone https://example.org/a/b\ncd b\nmake lab"
    monkeypatch.setattr(commands, "clone_command", lambda: None)
    (block,) = commands.StartCommands.run(None)
    assert block.astext() == "make lab"
    for page in ("index", "for-learners"):
        text = (ROOT / "book" / f"{page}.md").read_text(encoding="utf-8")
        assert "```{start-commands}\n```" in text
    assert (clone_command() is None) == (course_archive() is None)


def test_the_address_stands_in_one_place() -> None:
    downloads = load(EXTENSIONS / "downloads.py")
    owner_and_name = downloads.repository_address().split("github.com/")[1]
    listed = [*ROOT.glob("*.*"), *ROOT.glob("book/**/*"), *ROOT.glob(".github/**/*")]
    listed += [*ROOT.glob("grading/**/*.py"), *ROOT.glob("solutions/**/*"), *ROOT.glob(".ci/*")]
    naming = {
        str(path.relative_to(ROOT))
        for path in listed
        if path.is_file() and owner_and_name.encode() in path.read_bytes()
    }
    assert naming == {"_config.yml"}
    assert downloads.published_address("https://github.com/a/b") == "https://a.github.io/b/"


def test_a_listing_is_written_line_by_line_and_keeps_its_letters() -> None:
    in_lines = load(EXTENSIONS / "line_breaks.py").in_lines
    html = '<div><pre><span></span><span class="k">if</span> a:\n    <b>b</b>\n\n</pre></div>'
    written = in_lines(html)
    assert written.count('<span class="line"') == 3
    assert '<span class="line" style="--own:4">    <b>b</b>\n</span>' in written
    letters = [re.sub(r"<[^>]*>", "", text) for text in (html, written)]
    assert letters[0] == letters[1]
    marked = '<pre><span class="hll">a\n</span></pre>'
    assert in_lines(marked) == marked, "a marked line ends outside its line"


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<code>num_key_value_heads</code>", "<code>num_<wbr/>key_<wbr/>value_<wbr/>heads</code>"),
        ("<code>course_lib.softmax</code>", "<code>course_<wbr/>lib.<wbr/>softmax</code>"),
        (
            '<dt class="sig x" id="a_long_name_here">a_long_name_here</dt>',
            '<dt class="sig x" id="a_long_name_here">a_<wbr/>long_<wbr/>name_<wbr/>here</dt>',
        ),
        ("<code>head_dim</code> num_key_value_heads", None),
        ("<pre>num_key_value_heads</pre>", None),
        ("<code>__getattribute__</code>", None),
    ],
)
def test_a_long_name_may_break_at_its_joints(html: str, expected: str | None) -> None:
    assert load(EXTENSIONS / "line_breaks.py").breakable_names(html) == (expected or html)


SHEET = """/* html[data-theme="dark"] { no: rule } */ @charset "utf-8";
html[data-theme="dark"] .a, .b { color: red; content: "}" } .c { color: blue }
@media (min-width: 9px) { html[data-theme=dark] .d:is(.e, .f), html[data-theme=light] { top: 0 } }
.g {}
@font-face { src: url(x) }"""


def test_where_no_script_chooses_the_rules_of_a_scheme_stand_for_the_readers_own() -> None:
    sheet = load(EXTENSIONS / "without_script.py")
    assert sheet.for_scheme(SHEET, "dark") == (
        'html[data-theme=auto] .a{color: red; content: "}"}\n'
        "@media (min-width: 9px){html[data-theme=auto] .d:is(.e, .f){top: 0}}"
    )
    assert sheet.for_scheme(SHEET, "light") == (
        "@media (min-width: 9px){html[data-theme=auto]{top: 0}}"
    )
    assert sheet.MEDIA["light"].startswith("print"), "paper is light"
