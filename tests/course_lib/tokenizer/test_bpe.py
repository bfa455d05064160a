"""Byte-pair encoding: what is learnt, how it is applied, what always holds."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from texts import TEXTS, any_text, repetitive_text

from course_lib.naive.tokenizer import bpe as naive
from course_lib.naive.tokenizer.pre_tokens import o200k_pre_tokens as naive_o200k_pre_tokens
from course_lib.tokenizer import bpe as lib
from course_lib.tokenizer.pre_tokens import O200K_PATTERN, gpt2_pre_tokens
from course_lib.trained.corpus import SHAKESPEARE

PLAY = SHAKESPEARE.read_text(encoding="utf-8")
MERGES = lib.bpe_train(PLAY[:20_000], 300)
RANKS = lib.ranks_from_merges(MERGES)
few_ids = st.lists(st.integers(0, 2), max_size=12)


# The twins


@given(ids=few_ids, left=st.integers(0, 2), right=st.integers(0, 2), merged=st.integers(0, 3))
def test_merge_pair(ids: list[int], left: int, right: int, merged: int) -> None:
    result = lib.merge_pair(ids, (left, right), merged)
    assert result == naive.merge_pair(ids, (left, right), merged)
    assert len(result) >= len(ids) / 2
    if merged == 3:
        assert (left, right) not in pairwise(result)
        undone = [i for token in result for i in ((left, right) if token == 3 else (token,))]
        assert undone == ids


@given(text=repetitive_text, num_merges=st.integers(0, 20))
def test_bpe_train(text: str, num_merges: int) -> None:
    assert lib.bpe_train(text, num_merges) == naive.bpe_train(text, num_merges)


@given(text=any_text)
def test_bpe_train_on_any_text(text: str) -> None:
    ours = lib.bpe_train(3 * text, 10, O200K_PATTERN)
    assert ours == naive.bpe_train(3 * text, 10, naive_o200k_pre_tokens)


def test_bpe_train_on_the_play() -> None:
    text = PLAY[:10_000]
    assert lib.bpe_train(text, 60) == naive.bpe_train(text, 60)


@given(text=any_text | repetitive_text)
def test_bpe_encode(text: str) -> None:
    piece = text.encode()[:20]
    assert lib.bpe_encode(piece, RANKS) == naive.bpe_encode(piece, RANKS)


@given(text=repetitive_text)
def test_a_vocabulary_and_its_merges(text: str) -> None:
    merges = lib.bpe_train(text, 12)
    ranks = lib.ranks_from_merges(merges)
    assert ranks == naive.ranks_from_merges(merges)
    assert list(ranks.values()) == list(range(len(ranks)))
    assert lib.merges_from_ranks(ranks) == naive.merges_from_ranks(ranks) == merges


def test_a_token_that_two_merges_make_keeps_its_id() -> None:
    merges = [(b"a", b"a"), (b"aa", b"a"), (b"a", b"aa"), (b"b", b"b")]
    ranks = lib.ranks_from_merges(merges)
    assert ranks == naive.ranks_from_merges(merges)
    assert [ranks[token] for token in (b"aa", b"aaa", b"bb")] == [256, 257, 258]


# Learning


@given(text=repetitive_text | any_text)
def test_no_two_merges_make_the_same_token(text: str) -> None:
    made = [left + right for left, right in lib.bpe_train(text, 30)]
    assert len(made) == len(set(made))


def test_ties_go_to_the_smallest_ids() -> None:
    # (b, a) is met first; (a, b) is as frequent, and a has the smaller id.
    assert lib.bpe_train("ba ab", 1, r"\S+") == [(b"a", b"b")]
    # Ids are GPT-2's: visible bytes come first, so an "a" is smaller than a space.
    assert lib.BYTE_RANKS[b"a"] < lib.BYTE_RANKS[b" "]
    assert lib.bpe_train(" a-b ", 1, r"(?s).+") == [(b"-", b"b")]
    # A merged token has a larger id than every byte: (c, d) before (ab, c).
    assert lib.bpe_train("ab ab ab abcd", 2, r"\S+") == [(b"a", b"b"), (b"c", b"d")]


def test_every_position_counts_but_no_token_is_merged_twice() -> None:
    # (x, x) stands at 3 positions of xxxx, (a, b) in 2 words. Counted without overlap both would
    # have 2, and (a, b) the smaller ids.
    assert lib.bpe_train("xxxx ab ab", 2, r"\S+")[0] == (b"x", b"x")
    assert lib.merge_pair([7, 7, 7], (7, 7), 9) == [9, 7]
    assert lib.merge_pair([7, 7, 7, 7, 7], (7, 7), 9) == [9, 9, 7]


def test_all_occurrences_are_merged_in_one_step() -> None:
    assert lib.bpe_train("abab abab", 2, r"\S+") == [(b"a", b"b"), (b"ab", b"ab")]


def test_no_merge_reaches_across_a_cut() -> None:
    merges = lib.bpe_train("to be to be to be", 50)
    assert merges == [(b"b", b"e"), (b"t", b"o"), (b" ", b"be"), (b" ", b"to")]
    together = lib.bpe_train("to be to be to be", 50, r"(?s).+")
    assert any(b"o b" in left + right for left, right in together)


def test_tokens_are_bytes_and_not_characters() -> None:
    assert lib.bpe_train("é é", 1, r"\S+") == [(b"\xc3", b"\xa9")]
    assert lib.bpe_train("啊", 5, r"\S+") == [(b"\xe5", b"\x95"), (b"\xe5\x95", b"\x8a")]


def test_training_stops_where_nothing_is_left() -> None:
    assert lib.bpe_train("", 5) == []
    assert lib.bpe_train("a b c", 0) == []
    assert lib.bpe_train("aaaa", 9, r"\S+") == [(b"a", b"a"), (b"aa", b"aa")]
    pieces = set(gpt2_pre_tokens("the cat that sat"))
    merges = lib.bpe_train("the cat that sat", 99)
    made = {left + right for left, right in merges}
    assert {piece.encode() for piece in pieces} <= made


@given(text=repetitive_text | any_text)
def test_the_parts_of_a_merge_are_bytes_or_were_made_before(text: str) -> None:
    known = set(lib.BYTE_RANKS)
    for left, right in lib.bpe_train(text, 15):
        assert left in known
        assert right in known
        known.add(left + right)


def test_more_merges_begin_with_the_fewer() -> None:
    assert lib.bpe_train(PLAY[:20_000], 40) == MERGES[:40]
    assert lib.bpe_train(2 * PLAY[:20_000] + "\n", 5) == MERGES[:5]


def test_the_first_merge_is_the_most_frequent_pair() -> None:
    counts: Counter[bytes] = Counter()
    for word in gpt2_pre_tokens(PLAY):
        piece = word.encode()
        counts.update(piece[i : i + 2] for i in range(len(piece) - 1))
    left, right = lib.bpe_train(PLAY, 1)[0]
    assert counts[left + right] == max(counts.values())


# Encoding


def test_lowest_rank_first_not_longest_nor_leftmost() -> None:
    ranks = {b"a": 0, b"b": 1, b"c": 2, b"d": 3, b"bc": 4, b"ab": 5, b"abc": 6, b"cd": 7}
    assert lib.bpe_encode(b"abc", ranks) == [6]
    assert lib.bpe_encode(b"abd", ranks) == [5, 3]
    assert lib.bpe_encode(b"bcd", ranks) == [4, 3]
    # The longest token, abc, cannot form where ab is merged before bc.
    sooner = {b"a": 0, b"b": 1, b"c": 2, b"d": 3, b"ab": 4, b"cd": 5, b"bc": 6, b"abc": 7}
    assert lib.bpe_encode(b"abcd", sooner) == [4, 5]


def test_of_equal_pairs_the_left_one_is_merged() -> None:
    assert lib.bpe_encode(b"aaa", {b"a": 0, b"aa": 1}) == [1, 0]


def test_ends() -> None:
    assert lib.bpe_encode(b"", RANKS) == []
    assert lib.bpe_encode(b"q", RANKS) == [RANKS[b"q"]]
    everything = bytes(range(256))
    assert lib.bpe_encode(everything, lib.BYTE_RANKS) == [
        lib.BYTE_RANKS[bytes([byte])] for byte in range(256)
    ]


@given(piece=st.binary(max_size=30))
def test_the_tokens_are_the_bytes(piece: bytes) -> None:
    names = {rank: token for token, rank in RANKS.items()}
    ids = lib.bpe_encode(piece, RANKS)
    assert b"".join(names[i] for i in ids) == piece
    # Nothing is left to merge.
    for left, right in pairwise(ids):
        assert names[left] + names[right] not in RANKS


def test_every_learnt_token_is_its_own_encoding() -> None:
    for token, rank in RANKS.items():
        assert lib.bpe_encode(token, RANKS) == [rank]
    assert lib.merges_from_ranks(RANKS) == MERGES


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_more_merges_never_make_a_piece_longer(text: str) -> None:
    few = lib.ranks_from_merges(MERGES[:50])
    for piece in gpt2_pre_tokens(text):
        data = piece.encode()
        sizes = [len(lib.bpe_encode(data, ranks)) for ranks in (lib.BYTE_RANKS, few, RANKS)]
        assert sizes[0] == len(data)
        assert sizes[0] >= sizes[1]
        assert sizes[0] >= sizes[2]


# Errors


@pytest.mark.usefixtures("without_annotations")
def test_a_negative_number_of_merges() -> None:
    with pytest.raises(ValueError, match="merges is at least 0; merges is -3"):
        lib.bpe_train("text", -3)


@pytest.mark.usefixtures("without_annotations")
def test_a_byte_without_a_rank() -> None:
    with pytest.raises(ValueError, match=r"byte 0x7a of the piece b'az' is none of its 1 tokens"):
        lib.bpe_encode(b"az", {b"a": 0})


@pytest.mark.usefixtures("without_annotations")
def test_a_merge_of_what_is_not_there() -> None:
    message = r"merge 1 joins b'th' and b'er', and b'er' is none of the 257 tokens"
    with pytest.raises(ValueError, match=message):
        lib.ranks_from_merges([(b"t", b"h"), (b"th", b"er")])


@pytest.mark.usefixtures("without_annotations")
def test_a_token_that_no_merge_makes() -> None:
    message = r"made of 2 tokens of lower rank; b'abc' of rank 3 is made of 3"
    with pytest.raises(ValueError, match=message):
        lib.merges_from_ranks({b"a": 0, b"b": 1, b"c": 2, b"abc": 3})


def test_no_argument_is_modified() -> None:
    ids, ranks, merges = [1, 2, 1, 2], dict(RANKS), list(MERGES)
    lib.merge_pair(ids, (1, 2), 3)
    lib.bpe_encode(b"Caesar", ranks)
    lib.merges_from_ranks(ranks)
    lib.ranks_from_merges(merges)
    assert (ids, ranks, merges) == ([1, 2, 1, 2], RANKS, MERGES)
