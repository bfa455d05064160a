"""The ranks of released vocabularies, as the set-up has fetched them, ours and tiktoken's."""

import os
from functools import cache
from pathlib import Path

import tiktoken

from course_lib.tokenizer.vocabulary import Tokenizer, gpt2_tokenizer, o200k_harmony_tokenizer

FOLDER = Path(__file__).parent.parent / ".venv" / "vocabularies"


def ranks_file(name: str) -> Path:
    path = FOLDER / f"{name}.tiktoken"
    assert path.exists(), f"{path.name} is not there; run: .venv/bin/python .ci/vocabularies.py"
    return path


@cache
def ours(name: str) -> Tokenizer:
    if name == "r50k_base":
        return gpt2_tokenizer(ranks_file("r50k_base"))
    return o200k_harmony_tokenizer(ranks_file("o200k_base"))


@cache
def theirs(name: str) -> tiktoken.Encoding:
    ranks_file("r50k_base" if name == "r50k_base" else "o200k_base")
    os.environ["TIKTOKEN_CACHE_DIR"] = str(FOLDER / "tiktoken")
    return tiktoken.get_encoding(name)
