"""The committed ids and pieces, against tiktoken and the whole vocabularies; nothing is trusted."""

import pytest
from fetched_ranks import ours, theirs

from course_lib.data.extract_released_tokens import ARTICLES, files, kinds_of_tokens
from course_lib.tokenizer.bpe import BYTE_RANKS, bpe_train
from course_lib.trained.corpus import SHAKESPEARE
from course_lib.trained.released_tokens import (
    PARTS,
    load_released_tokens,
    load_shakespeare_merges,
)

WHOLE = {"gpt2": "r50k_base", "o200k_harmony": "o200k_harmony"}


def test_the_script_writes_the_committed_files() -> None:
    for path, data in files().items():
        assert path.read_bytes() == data, path.name


@pytest.mark.parametrize("name", PARTS)
def test_ids_and_pieces_are_those_of_the_whole_vocabulary_and_of_tiktoken(name: str) -> None:
    released, whole, encoding = load_released_tokens(name), ours(WHOLE[name]), theirs(WHOLE[name])
    assert set(released.texts) == set(released.ids)
    for title, text in released.texts.items():
        ids = released.ids[title]
        assert ids == encoding.encode_ordinary(text) == whole.encode(text)
        assert ids == released.tokenizer.encode(text), "the part of the ranks is not enough"
        assert released.pieces(title) == [encoding.decode_single_token_bytes(i) for i in ids]
        assert b"".join(released.pieces(title)).decode() == text
    assert released.vocab_size == encoding.n_vocab


@pytest.mark.parametrize("name", PARTS)
def test_the_part_is_a_part_and_holds_every_byte(name: str) -> None:
    part, whole = load_released_tokens(name).tokenizer.ranks, ours(WHOLE[name]).ranks
    assert part.items() <= whole.items()
    assert BYTE_RANKS.keys() <= part.keys()
    assert len(part) < 1500
    counts = load_released_tokens(name).tokens
    assert counts == kinds_of_tokens(whole)
    assert counts["one Chinese character"] <= counts["with a Chinese character"]
    chinese = [token for token in whole if token.decode(errors="ignore").strip() == "的"]
    assert chinese, "the commonest character of Chinese is a token of both"


def test_the_articles_are_pairs() -> None:
    texts = load_released_tokens("gpt2").texts
    for number, (english, chinese) in ARTICLES.items():
        assert texts[f"English {number}"] == english
        assert texts[f"Chinese {number}"] == chinese
        assert english.isascii()
        assert not any(one.isascii() for one in chinese)


def test_the_merges_of_the_play_are_ours_too() -> None:
    merges = load_shakespeare_merges()
    assert len(merges) == 600
    assert bpe_train(SHAKESPEARE.read_text(encoding="utf-8"), 600) == merges


@pytest.mark.usefixtures("without_annotations")
def test_another_vocabulary_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\['gpt2', 'o200k_harmony'\]; 'cl100k' is none of them"):
        load_released_tokens("cl100k")
