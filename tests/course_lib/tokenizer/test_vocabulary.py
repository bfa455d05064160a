"""The tokenizer as a whole: text to ids and back, special tokens, files of ranks."""

import base64
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from texts import TEXTS, any_text

from course_lib.tokenizer.bpe import BYTE_RANKS, bpe_encode, bpe_train, ranks_from_merges
from course_lib.tokenizer.pre_tokens import gpt2_pre_tokens, o200k_pre_tokens
from course_lib.tokenizer.vocabulary import (
    GPT2_SPECIALS,
    HARMONY_SPECIALS,
    Tokenizer,
    gpt2_tokenizer,
    load_ranks,
    o200k_harmony_tokenizer,
)
from course_lib.trained.corpus import SHAKESPEARE

PLAY = SHAKESPEARE.read_text(encoding="utf-8")
RANKS = ranks_from_merges(bpe_train(PLAY[:30_000], 200))
SPECIALS = {"<|end|>": 456, "<|end|>!": 460}
SMALL = Tokenizer(ranks=RANKS, specials=SPECIALS)
O200K = Tokenizer(ranks=RANKS, pre_tokens=o200k_pre_tokens)
numbers = st.lists(st.sampled_from([*range(457), 460]), max_size=20)


def write_ranks(path: Path, ranks: dict[bytes, int]) -> Path:
    lines = [f"{base64.b64encode(token).decode()} {rank}\n" for token, rank in ranks.items()]
    path.write_text("".join(lines), encoding="ascii", newline="\n")
    return path


# Laws


@pytest.mark.parametrize("tokenizer", [SMALL, O200K], ids=["gpt2", "o200k"])
@given(text=any_text)
def test_decoding_undoes_encoding(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.decode(tokenizer.encode_with_specials(text)) == text


@pytest.mark.parametrize("text", [*TEXTS.values(), PLAY], ids=[*TEXTS, "play"])
def test_decoding_undoes_encoding_of_named_texts(text: str) -> None:
    assert SMALL.decode(SMALL.encode(text)) == text
    assert O200K.decode(O200K.encode(text)) == text
    assert SMALL.decode(SMALL.encode_with_specials(text)) == text


@given(ids=numbers, more=numbers)
def test_decoding_goes_token_by_token(ids: list[int], more: list[int]) -> None:
    assert SMALL.decode_bytes(ids + more) == SMALL.decode_bytes(ids) + SMALL.decode_bytes(more)
    assert SMALL.decode_bytes(ids) == b"".join(SMALL.tokens[i] for i in ids)


@given(text=any_text)
def test_plain_text_never_becomes_a_special_token(text: str) -> None:
    assert set(SMALL.encode(text + "<|end|>")).isdisjoint(SPECIALS.values())


def test_no_token_reaches_across_a_cut() -> None:
    # "d" and " t" meet in "and the"; these ranks would join them.
    ranks = {**BYTE_RANKS, b" t": 256, b"d t": 257}
    tokenizer = Tokenizer(ranks=ranks)
    assert tokenizer.encode("and the") == tokenizer.encode("and") + tokenizer.encode(" the")
    assert 257 not in tokenizer.encode("and the")
    whole = Tokenizer(ranks=ranks, pre_tokens=lambda text: [text])
    assert 257 in whole.encode("and the")


# Special tokens


def test_special_tokens_by_name() -> None:
    assert SMALL.encode_with_specials("<|end|>") == [456]
    # Of two names at the same place the longer one is meant.
    assert SMALL.encode_with_specials("a<|end|>!<|end|>b") == [
        RANKS[b"a"],
        460,
        456,
        RANKS[b"b"],
    ]
    assert SMALL.decode([456, 460]) == "<|end|><|end|>!"
    assert len(SMALL.encode("<|end|>")) > 1


def test_without_special_tokens_a_name_is_text() -> None:
    assert O200K.encode_with_specials("<|end|>") == O200K.encode("<|end|>")


def test_the_special_tokens_of_harmony() -> None:
    assert len(HARMONY_SPECIALS) == 1091
    assert set(HARMONY_SPECIALS.values()) == set(range(199_998, 201_088))
    named = {"start": 200006, "end": 200007, "message": 200008, "channel": 200005, "return": 200002}
    assert named == {name: HARMONY_SPECIALS[f"<|{name}|>"] for name in named}
    assert GPT2_SPECIALS == {"<|endoftext|>": 50256}


def test_an_id_with_two_names_is_decoded_to_the_first() -> None:
    specials = {"<|first|>": 456, "<|second|>": 456}
    tokenizer = Tokenizer(ranks=RANKS, specials=specials)
    assert tokenizer.encode_with_specials("<|first|><|second|>") == [456, 456]
    assert tokenizer.decode([456]) == "<|first|>"
    names = [name for name, i in HARMONY_SPECIALS.items() if i == 200_018]
    assert names == ["<|reserved_200018|>", "<|endofprompt|>"]


# Sizes and kinds


def test_vocab_size_is_the_rows_of_a_table() -> None:
    assert SMALL.vocab_size == 461  # 457, 458 and 459 are not in use
    assert len(SMALL.tokens) == 458
    assert O200K.vocab_size == 456


def test_bytes_that_are_no_text() -> None:
    ids = SMALL.encode("啊")
    assert SMALL.decode_bytes(ids[:1]) == "啊".encode()[: len(SMALL.tokens[ids[0]])]
    assert SMALL.decode(ids[:1]) == "\ufffd"
    assert SMALL.decode([]) == ""


def test_a_tokenizer_is_frozen_and_short_to_show() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        SMALL.ranks = {}  # type: ignore[misc]
    assert len(repr(SMALL)) < 200


# Files


def test_ranks_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = write_ranks(tmp_path / "small.tiktoken", RANKS)
    assert load_ranks(path) == RANKS
    assert gpt2_tokenizer(path).encode(PLAY[:500]) == SMALL.encode(PLAY[:500])
    assert gpt2_tokenizer(path).vocab_size == 50_257
    harmony = o200k_harmony_tokenizer(path)
    assert harmony.vocab_size == 201_088
    assert harmony.encode_with_specials("<|start|>I'm") == [200006, *O200K.encode("I'm")]


# Errors


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize("line", ["!", "YQ== x", "YQ==", "Y 1", "YQ== 1 2"])
def test_a_line_that_is_no_token_and_id(tmp_path: Path, line: str) -> None:
    path = tmp_path / "broken.tiktoken"
    path.write_text(f"IQ== 0\n{line}\n", encoding="ascii")
    with pytest.raises(ValueError, match=rf"line 2 of broken\.tiktoken is b'{line}'"):
        load_ranks(path)


@pytest.mark.usefixtures("without_annotations")
def test_every_byte_must_be_a_token() -> None:
    ranks = {token: rank for token, rank in BYTE_RANKS.items() if token not in (b"a", b"z")}
    with pytest.raises(ValueError, match="2 of 256 are missing, 0x61 first"):
        Tokenizer(ranks=ranks)


@pytest.mark.usefixtures("without_annotations")
def test_every_token_must_have_its_own_id() -> None:
    with pytest.raises(ValueError, match="258 tokens share 257 ids"):
        Tokenizer(ranks={**BYTE_RANKS, b"th": 256, b"he": 256})


@pytest.mark.usefixtures("without_annotations")
def test_a_special_token_must_not_have_a_rank() -> None:
    with pytest.raises(ValueError, match=r"1 of 2 have a rank, 64 first: b'a'"):
        Tokenizer(ranks=BYTE_RANKS, specials={"<|a|>": 64, "<|b|>": 300})


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize("wrong", [457, 461, -1])
def test_an_id_that_is_not_there(wrong: int) -> None:
    with pytest.raises(ValueError, match=rf"one of the vocabulary's 458, below 461; id {wrong} is"):
        SMALL.decode([1, wrong])


@pytest.mark.usefixtures("without_annotations")
def test_a_lone_surrogate_is_no_text() -> None:
    with pytest.raises(UnicodeEncodeError, match="surrogates not allowed"):
        SMALL.encode("a\ud800b")


@pytest.mark.usefixtures("without_annotations")
def test_a_special_token_has_a_name() -> None:
    # An empty name is found before every letter: split by it, a text would never end.
    with pytest.raises(ValueError, match=r"has a character; that of id 300 is '', with 2 names"):
        Tokenizer(ranks=BYTE_RANKS, specials={"<|a|>": 301, "": 300})


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (torch.tensor([5, 6]), r"an entry is tensor\(5\), of type Tensor"),
        (torch.tensor([[5, 6]]), r"an entry is tensor\(\[5, 6\]\), of type Tensor"),
        ([[5, 6]], r"an entry is \[5, 6\], of type list"),
        ([5.0], r"an entry is 5\.0, of type float"),
        ([5, True], r"an entry is True, of type bool"),
        ("low", r"an entry is 'l', of type str"),
    ],
)
def test_ids_are_a_list_of_ints(ids: object, message: str) -> None:
    for decode in (SMALL.decode, SMALL.decode_bytes):
        with pytest.raises(ValueError, match=r"a list of ints, .*ids\.tolist\(\).*" + message):
            decode(ids)


@pytest.mark.usefixtures("without_annotations")
def test_ids_of_numpy_are_ints() -> None:
    ids = np.array(SMALL.encode("low"))
    assert SMALL.decode(ids) == SMALL.decode(ids.tolist()) == "low"


@pytest.mark.parametrize("token", ["YQ!=", "Y\u0000Q==", "-_8=", "YQ==YQ=="])
def test_ranks_are_base64_and_nothing_else(tmp_path: Path, token: str) -> None:
    """Python's decoder skips foreign characters by default: "YQ!=" would be read as "a" is."""
    path = tmp_path / "wrong.tiktoken"
    path.write_text(f"YQ== 0\n{token} 1\n", encoding="ascii", newline="\n")
    with pytest.raises(ValueError, match=r"line 2 of wrong\.tiktoken is b"):
        load_ranks(path)


@pytest.mark.usefixtures("without_annotations")
def test_the_id_of_a_special_token_is_a_row_of_a_table() -> None:
    with pytest.raises(ValueError, match=r"at least 0; 1 of 2 .* have less: \{'<\|a\|>': -1\}"):
        Tokenizer(ranks=BYTE_RANKS, specials={"<|a|>": -1, "<|b|>": 300})
    with pytest.raises(ValueError, match=r"<\|a\|> = 300\.5"):
        Tokenizer(ranks=BYTE_RANKS, specials={"<|a|>": 300.5})


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize("wrong", [None, b"low", ["low"], 5])
def test_what_is_no_text_is_refused(wrong: object) -> None:
    message = f"a str .* what came is of type {type(wrong).__name__}"
    for cut in (
        SMALL.encode,
        SMALL.encode_with_specials,
        O200K.encode_with_specials,
        gpt2_pre_tokens,
        o200k_pre_tokens,
        lambda text: bpe_train(text, 1),
    ):
        with pytest.raises(ValueError, match=message):
            cut(wrong)


@pytest.mark.usefixtures("without_annotations")
def test_what_is_no_list_of_ids_and_no_piece_is_refused() -> None:
    for decode in (SMALL.decode, SMALL.decode_bytes):
        with pytest.raises(ValueError, match="a list of ints; ids is 5, of type int"):
            decode(5)
        with pytest.raises(ValueError, match="ids is None, of type NoneType"):
            decode(None)
    for wrong in ("low", None, [1]):
        with pytest.raises(ValueError, match=f"piece is of type {type(wrong).__name__}"):
            bpe_encode(wrong, RANKS)
