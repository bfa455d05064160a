"""Byte-pair encoding against tiktoken with the ranks of real models, and Hugging Face's trainer."""

import json
from itertools import pairwise

import pytest
import tiktoken_ext.openai_public as published
from fetched_ranks import ours, ranks_file, theirs
from hypothesis import given, settings
from texts import TEXTS, any_text, repetitive_text
from tokenizers import Regex, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as HuggingFace

from course_lib.tokenizer.bpe import (
    BYTE_RANKS,
    bpe_encode,
    bpe_train,
    merge_pair,
    merges_from_ranks,
    ranks_from_merges,
)
from course_lib.tokenizer.pre_tokens import (
    GPT2_PATTERN,
    O200K_PATTERN,
    gpt2_pre_tokens,
    o200k_pre_tokens,
)
from course_lib.tokenizer.vocabulary import (
    GPT2_SPECIALS,
    HARMONY_SPECIALS,
    Tokenizer,
    gpt2_tokenizer,
    load_ranks,
    o200k_harmony_tokenizer,
)
from course_lib.trained.corpus import SHAKESPEARE

NAMES = ["r50k_base", "o200k_harmony"]
PLAY = SHAKESPEARE.read_text(encoding="utf-8")
#: Hugging Face writes a byte as a visible character; sorted, they stand in the order of the ids.
BYTE_OF = dict(zip(sorted(pre_tokenizers.ByteLevel.alphabet()), BYTE_RANKS, strict=True))


# tiktoken, with the vocabularies of GPT-2 and of GPT-OSS


@pytest.mark.parametrize("text", [*TEXTS.values(), PLAY], ids=[*TEXTS, "play"])
@pytest.mark.parametrize("name", NAMES)
def test_ids(name: str, text: str) -> None:
    tokenizer, encoding = ours(name), theirs(name)
    ids = tokenizer.encode(text)
    assert ids == encoding.encode_ordinary(text)
    assert tokenizer.decode(ids) == encoding.decode(ids) == text
    assert tokenizer.encode_with_specials(text) == encoding.encode(text, allowed_special="all")


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=1000)
@given(text=any_text)
def test_ids_of_any_text(name: str, text: str) -> None:
    assert ours(name).encode(text) == theirs(name).encode_ordinary(text)


@pytest.mark.parametrize("name", NAMES)
def test_every_character_of_the_first_plane(name: str) -> None:
    """Each of them where the rules ask what it is: after a letter, a digit, a space, a sign."""
    tokenizer, encoding = ours(name), theirs(name)
    codes = [*range(0x3400), *range(0x3400, 0xD800, 32), *range(0xE000, 0x10000, 4)]
    for start in range(0, len(codes), 64):
        text = "".join(f"a{c}A 1{c}! {c}{c}\n{c}x" for c in map(chr, codes[start : start + 64]))
        assert tokenizer.encode(text) == encoding.encode_ordinary(text), hex(codes[start])


@pytest.mark.parametrize("name", NAMES)
@given(text=any_text)
def test_bytes_of_ids(name: str, text: str) -> None:
    tokenizer, encoding = ours(name), theirs(name)
    ids = tokenizer.encode(text)
    for some in (ids, ids[1:], ids[::-1]):
        assert tokenizer.decode_bytes(some) == encoding.decode_bytes(some)
        assert tokenizer.decode(some) == encoding.decode(some)


@pytest.mark.parametrize("name", NAMES)
def test_sizes_and_special_tokens(name: str) -> None:
    tokenizer, encoding = ours(name), theirs(name)
    assert tokenizer.vocab_size == encoding.n_vocab
    assert tokenizer.specials == encoding._special_tokens
    for special, number in tokenizer.specials.items():
        assert encoding.encode_single_token(special) == number
    mine = {"r50k_base": GPT2_SPECIALS, "o200k_harmony": HARMONY_SPECIALS}
    assert tokenizer.specials == mine[name]


def test_the_ranks_are_those_that_tiktoken_loads() -> None:
    for name, make, ranks in (
        ("r50k_base", gpt2_tokenizer, published.r50k_base),
        ("o200k_base", o200k_harmony_tokenizer, published.o200k_base),
    ):
        theirs("r50k_base")  # tells tiktoken where the files are
        loaded = load_ranks(ranks_file(name))
        assert loaded == ranks()["mergeable_ranks"]
        assert make(ranks_file(name)).ranks == loaded
        assert [loaded[byte] for byte in BYTE_RANKS] == list(range(256))


@pytest.mark.parametrize("name", NAMES)
def test_every_token_is_a_merge_of_two_lower_ones(name: str) -> None:
    # The first tokens of a vocabulary are a vocabulary; all 199,742 merges of o200k take 15 s.
    ranks = {token: rank for token, rank in ours(name).ranks.items() if rank < 50_256}
    merges = merges_from_ranks(ranks)
    assert len(merges) == 50_000
    assert ranks_from_merges(merges) == ranks
    for left, right in merges:
        assert max(ranks[left], ranks[right]) < ranks[left + right]


@pytest.mark.parametrize("name", NAMES)
def test_a_token_is_its_own_encoding(name: str) -> None:
    # tiktoken looks a whole piece up before it merges; that changes nothing, for every token forms.
    ranks = ours(name).ranks
    for token in list(ranks)[::7]:
        assert bpe_encode(token, ranks) == [ranks[token]]


# Hugging Face: the trainer, and the other way to write a vocabulary down


def trained(text: str, num_tokens: int) -> HuggingFace:
    tokenizer = HuggingFace(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=256 + num_tokens,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([text], trainer)
    return tokenizer


def merges_of(tokenizer: HuggingFace) -> list[tuple[bytes, bytes]]:
    pairs = json.loads(tokenizer.to_str())["model"]["merges"]
    return [tuple(b"".join(BYTE_OF[c] for c in part) for part in pair) for pair in pairs]


def test_merges_of_the_play() -> None:
    expected = merges_of(trained(PLAY, 600))
    assert len(expected) == 600
    assert bpe_train(PLAY, 600) == expected


@settings(max_examples=300)
@given(text=repetitive_text | any_text)
def test_merges_of_any_text(text: str) -> None:
    assert bpe_train(text, 20) == merges_of(trained(text, 20))


def test_ids_with_the_merges_of_the_play() -> None:
    reference = trained(PLAY, 600)
    tokenizer = Tokenizer(ranks=ranks_from_merges(bpe_train(PLAY, 600)))
    for text in (PLAY, *TEXTS.values()):
        assert tokenizer.encode(text) == reference.encode(text).ids


def test_one_merge_in_the_trainer_is_merge_pair() -> None:
    word = "banananana"
    ids = [BYTE_RANKS[byte.encode()] for byte in word]
    reference = trained(word, 1)
    ((left, right),) = merges_of(reference)
    expected = reference.encode(word).ids
    assert merge_pair(ids, (BYTE_RANKS[left], BYTE_RANKS[right]), 256) == expected
    assert 256 in expected


@pytest.mark.parametrize("pattern", [GPT2_PATTERN, O200K_PATTERN], ids=["gpt2", "o200k"])
def test_cuts_are_those_of_another_engine(pattern: str) -> None:
    """The same expressions in Oniguruma, which Hugging Face's tokenizers use."""
    split = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    cut = gpt2_pre_tokens if pattern == GPT2_PATTERN else o200k_pre_tokens
    for text in (PLAY[:20_000], *TEXTS.values()):
        expected = [piece for piece, _ in split.pre_tokenize_str(text)]
        assert cut(text) == expected
    for left, right in pairwise(cut(PLAY[:500])):
        assert left + right in PLAY
