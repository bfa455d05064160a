"""The pronouncer against the package whose weights it reads: the same phonemes for every word."""

import importlib
import importlib.util
import random
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from course_lib.recurrence.cells import gru_step
from course_lib.trained.pronouncer import (
    LETTERS,
    PHONEMES,
    Pronouncer,
    load_pronouncer,
    pronounce,
)
from course_lib.trained.spoken_words import spoken_words

RARE = """
    attention transformer softmax eigenvalue backpropagation perceptron tokenizer embedding logit
    colonel queue rhythm knight gnocchi pneumonia psyche xylophone yacht choir bouquet debris island
    wednesday february worcestershire leicester cholmondeley featherstonehaugh quay isthmus phlegm
    antidisestablishmentarianism floccinaucinihilipilification honorificabilitudinitatibus
    supercalifragilisticexpialidocious pneumonoultramicroscopicsilicovolcanoconiosis
    zyzzyva syzygy tmesis crwth cwm pfft hmm brrr aa oe euouae sesquipedalian defenestrate
    borborygmus susurrus petrichor limerence sonder apricity tintinnabulation kakistocracy
"""
MADE_UP = """
    blorft snizzle quambet frindle zorptastic glimwock thrumble vexilot skreeb plonqua wibberish
    yentrap dromvish klaxonate mirvane ostrabel prylance quizzop ruvelton strevik tawdlehorn ulmark
"""
ODD = [
    "",
    "a",
    "z",
    "zzz",
    "aaaaaaaaaaaaaaaaaaaaaaaaa",
    "isn't",
    "Attention",
    "naïve",
    "x-ray",
    "42",
]


def random_words() -> list[str]:
    """300 words of 1 to 15 letters; every second one alternates consonants and vowels."""
    source, words = random.Random(0), []
    for number in range(300):
        length = source.randint(1, 15)
        pools = ("bcdfghjklmnpqrstvwxz", "aeiouy") if number % 2 else (LETTERS[3:],) * 2
        words.append("".join(source.choice(pools[place % 2]) for place in range(length)))
    return words


def package_folder() -> Path:
    spec = importlib.util.find_spec("g2p_en")
    assert spec is not None, "g2p-en is missing: run python .ci/environment.py --dev"
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])


@pytest.fixture(scope="module")
def package() -> Iterator[Any]:
    """Import the package without what it asks of others.

    Its ``predict`` needs NumPy alone, but its import asks nltk for a tagger and a dictionary, which
    are then fetched from the network, and inflect for spelling numbers. Three stand-ins take their
    places.
    """
    nltk, corpus, tokenize, inflect = map(
        ModuleType, ("nltk", "nltk.corpus", "nltk.tokenize", "inflect")
    )
    nltk.pos_tag = nltk.download = lambda *_: None  # type: ignore[attr-defined]
    nltk.data = SimpleNamespace(find=lambda _: None)  # type: ignore[attr-defined]
    corpus.cmudict = SimpleNamespace(dict=dict)  # type: ignore[attr-defined]
    tokenize.TweetTokenizer = lambda: SimpleNamespace(tokenize=None)  # type: ignore[attr-defined]
    inflect.engine = lambda: None  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old escapes in its strings, a file that it leaves open
        for module in (nltk, corpus, tokenize, inflect):
            patch.setitem(sys.modules, module.__name__, module)
        for name in ("g2p_en", "g2p_en.g2p", "g2p_en.expand"):
            patch.delitem(sys.modules, name, raising=False)
        g2p = importlib.import_module("g2p_en.g2p").G2p()
        yield g2p
        g2p.variables.close()
        for name in ("g2p_en", "g2p_en.g2p", "g2p_en.expand"):
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def pronouncer() -> Pronouncer:
    return load_pronouncer(package_folder() / "checkpoint20.npz")


def headwords() -> list[str]:
    """The package's own list of words that are spelt alike and said differently."""
    lines = (package_folder() / "homographs.en").read_text(encoding="utf-8").splitlines()
    return [line.split("|")[0].lower() for line in lines if line and not line.startswith("#")]


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize("kind", ["rare", "made-up", "odd", "random", "homographs"])
def test_every_word_is_said_as_the_package_says_it(
    kind: str, package: Any, pronouncer: Pronouncer
) -> None:
    words = {
        "rare": RARE.split(),
        "made-up": MADE_UP.split(),
        "odd": ODD,
        "random": random_words(),
        "homographs": headwords(),
    }[kind]
    wrong = [word for word in words if pronounce(word, pronouncer) != package.predict(word)]
    assert wrong == []


def test_there_are_enough_words() -> None:
    words = {*RARE.split(), *MADE_UP.split(), *ODD, *random_words(), *headwords()}
    assert len(words) > 650


def test_the_committed_answers_are_the_packages(package: Any) -> None:
    wrong = [one.word for one in spoken_words() if list(one.answer) != package.predict(one.word)]
    assert wrong == []


def test_the_tables_are_those_of_the_package(package: Any) -> None:
    assert package.graphemes == list(LETTERS)
    assert package.phonemes == list(PHONEMES)


def test_the_example_of_the_docstring(pronouncer: Pronouncer) -> None:
    assert " ".join(pronounce("softmax", pronouncer)) == "S AO1 F T M AE2 K S"


def test_one_step_is_that_of_the_package(package: Any, pronouncer: Pronouncer) -> None:
    generator = torch.Generator().manual_seed(0)
    x, h = torch.randn(7, 256, generator=generator), torch.randn(7, 256, generator=generator).tanh()
    weights = (package.dec_w_ih, package.dec_w_hh, package.dec_b_ih, package.dec_b_hh)
    expected = torch.from_numpy(package.grucell(x.numpy(), h.numpy(), *weights))
    ours = gru_step(x, h, *pronouncer.decoder)
    assert_close(ours, expected)
    assert (ours - expected).abs().max() < 3e-6  # sums of 512 products; measured 9e-7
