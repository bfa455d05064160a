"""A linter for text cells: what their Markdown becomes, and not what its author saw."""

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin

RENDERER = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin)
#: What opens a list, a quotation or a heading where it stands at the beginning of a line.
MARKER = re.compile(r"(\d+[.)]|[-+*>]|#{1,6})(\s|$)")
#: The only HTML that a text cell holds.
TAGS = re.compile(r"</?(details|summary|br)\s*/?>|<!--.*?-->")


def faults(text: str) -> Iterator[str]:
    """Yield what becomes something else than a reader of the source expects, with its line."""
    tokens, lines = RENDERER.parse(text), text.splitlines()
    for number, token in enumerate(tokens):
        for fault in (*_blocks(token, tokens, number, lines), *_inside(token, lines)):
            first = token.map[0] if token.map else 0
            yield f"line {first + 1}: {fault}"


def _blocks(token: Token, tokens: list[Token], number: int, lines: list[str]) -> Iterator[str]:
    first = token.map[0] if token.map else 0
    before = lines[first - 1].strip() if first else ""
    if (
        token.type in ("ordered_list_open", "bullet_list_open", "blockquote_open")
        and not token.level
    ):
        if before:
            yield f"“{lines[first].strip()[:20]}” opens a list or a quotation inside a paragraph"
        items = [one for one in _until_closed(tokens, number) if one.type == "list_item_open"]
        alone = len([one for one in items if one.level == token.level + 1]) == 1
        if alone and token.type == "ordered_list_open":
            yield f"“{lines[first].strip()[:20]}” is a list of one entry"
        if str(token.attrs.get("start", 1)) != "1":
            yield f"“{lines[first].strip()[:20]}” is a list that does not begin with 1"
    if token.type == "heading_open" and token.markup in ("-", "="):
        yield "a line of - or = makes a heading of the paragraph above it"
    if token.type == "code_block":
        yield "four spaces make a line a listing"
    if token.type == "html_block" and TAGS.sub("", token.content).strip().startswith("<"):
        yield f"“{token.content.strip()[:30]}” is read as HTML"


def _until_closed(tokens: list[Token], number: int) -> Iterator[Token]:
    for token in tokens[number + 1 :]:
        if token.level == tokens[number].level:
            return
        yield token


def _inside(token: Token, lines: list[str]) -> Iterator[str]:
    if token.type != "inline":
        return
    # Other renderers let more lines open a list than this one does.
    for line in token.content.splitlines()[1:]:
        if MARKER.match(line.strip()):
            yield f"“{line.strip()[:20]}” begins a line and may become a list"
    first = token.map[0] if token.map else 0
    is_paragraph = not lines[first].lstrip().startswith(("#", "-", "*", "+", ">", "|"))
    if is_paragraph and re.match(r"\d+\\?[.)]\s", token.content) and token.level == 1:
        yield f"“{token.content[:20]}” begins a line and may become a list"
    for child in token.children or ():
        if child.type == "text" and ("**" in child.content or "`" in child.content):
            yield f"“{child.content.strip()[:30]}” shows its own * or ` "
        if child.type == "text" and re.match(r"\|.*\|", child.content.strip()):
            yield f"“{child.content.strip()[:30]}” is meant as a table"
        if child.type == "html_inline" and not TAGS.fullmatch(child.content):
            yield f"“{child.content}” is read as HTML"
