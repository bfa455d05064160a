"""The tokenizer's tiles as they are drawn before a script moves them."""

import json
import re

import pytest

from course_lib.plotting.token_tiles import token_tiles
from course_lib.tokenizer.bpe import BYTE_RANKS, bpe_train, ranks_from_merges
from course_lib.tokenizer.vocabulary import Tokenizer

TEXT = "low lower <lowest> é"
MERGES = bpe_train(TEXT, 9)


def parts(drawing: list[str], part: str) -> list[str]:
    return [
        match[1]
        for one in drawing
        if f'data-part="{part}"' in one
        for match in [re.search(r">(.*)</text>", one)]
        if match
    ]


@pytest.mark.parametrize("start", [0, 4, 9])
def test_tiles_are_the_tokens(start: int) -> None:
    figure = token_tiles(MERGES, {"one": TEXT, "two": "x"}, start=start)
    tokenizer = Tokenizer(ranks=ranks_from_merges(MERGES[:start]))
    ids = tokenizer.encode(TEXT)
    for drawing in (figure.wide, figure.narrow):
        assert parts(list(drawing), "id") == [str(i) for i in ids]
        assert "".join(parts(list(drawing), "byte")) == TEXT.encode().hex()
        assert parts(list(drawing), "tokens") == [str(len(ids))]
        assert parts(list(drawing), "bytes") == [str(len(TEXT.encode()))]
        assert parts(list(drawing), "characters") == [str(len(TEXT))]
    assert f"{len(ids)} tokens. Ids: {', '.join(map(str, ids))}." in figure.alt_text


def test_the_script_gets_bytes_and_merges_in_the_order_of_their_ids() -> None:
    figure = token_tiles(MERGES, {"one": TEXT}, start=2)
    data = re.search(r'<script type="application/json">(.*?)</script>', figure.html())
    assert data is not None
    held = json.loads(data[1])
    tokens = [bytes([one]) for one in held["bytes"]]
    assert tokens == list(BYTE_RANKS)
    for left, right in held["merges"]:
        tokens.append(tokens[left] + tokens[right])
    assert tokens == list(ranks_from_merges(MERGES))
    assert (held["start"], held["names"], held["texts"]) == (2, ["one"], {"one": TEXT})


def test_what_has_no_ink_shows_as_a_sign_and_a_part_of_a_character_as_nothing() -> None:
    figure = token_tiles([], {"one": "a é\n\t"}, start=0)
    assert parts(list(figure.wide), "piece") == ["a", "␣", "", "", "⏎", "⇥"]


@pytest.mark.usefixtures("without_annotations")
def test_a_text_that_nobody_could_type_and_merges_that_are_not_there_are_refused() -> None:
    with pytest.raises(ValueError, match=r"at most 60 units.*lengths are \{'long': 62\}"):
        token_tiles(MERGES, {"long": "👍" * 31}, start=0)
    with pytest.raises(ValueError, match=r"at most 9 merges; start is 10"):
        token_tiles(MERGES, {"one": "a"}, start=10)
    with pytest.raises(ValueError, match=r"lengths are \{\}"):
        token_tiles(MERGES, {}, start=0)
