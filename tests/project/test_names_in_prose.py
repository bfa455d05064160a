"""A name in backticks that looks like code exists, on every page and in every docstring."""

import ast
from pathlib import Path

import pytest
from names_in_backticks import (
    literals,
    literals_of_docstrings,
    names_in,
    names_of_page,
    names_of_project,
    unknown,
)
from prose_of_pages import ROOT, pages

# Names of others, which the text around them says.
OF_OTHERS = {
    "G2p.predict": "the pronouncer's method",
    "LateSubmissionPlugin.penalty_method": "nbgrader's plugin",
    "__del__": "a method that a hostile hand-in may have",
    "apply_scaling": "Meta's function",
    "checkpoint20.npz": "the pronouncer's file",
    "config.py": "a file of Gemma's repository",
    "get_batch": "nanoGPT's function",
    "get_timing_signal_1d": "tensor2tensor's function",
    "is_causal": "an argument of PyTorch's function",
    "is_causal=True": "an argument of PyTorch's function",
    "modeling_gemma4.py": "a file of transformers",
    "AdditiveAttention": "a layer of Keras",
    "BahdanauAttention": "a class of PyTorch's tutorial on translation",
    "modeling_gpt2.py": "a file of transformers",
    "modeling_llama.py": "a file of transformers",
    "multi_query": "a field of Falcon's configuration",
    "new_decoder_architecture": "a field of Falcon's configuration",
    "num_items_in_batch": "an argument of transformers' trainer",
    "o200k_base.tiktoken": "a file of ranks that OpenAI publishes",
    "parse_messages_from_completion_tokens": "a method of openai-harmony",
    "render_conversation_for_completion": "a method of openai-harmony",
    "r50k_base.tiktoken": "a file of ranks that OpenAI publishes",
    "scale_attn_by_inverse_layer_idx": "a field of GPT-2's configuration in transformers",
    "sm_scale": "an argument in gpt-oss",
    "softmax.h": "a file of FlashAttention",
    "use_parallel_residual": "a field of GPT-NeoX's configuration",
    "zip_collect": "nbgrader's command",
}
DOCUMENTED = [
    file
    for folder in ("course_lib", "grading", "book/_ext", "benchmarks", ".ci", "tests")
    for file in sorted((ROOT / folder).rglob("*.py"))
    if literals_of_docstrings(file)
]


@pytest.mark.parametrize("page", [page for page, _ in pages()], ids=lambda page: page.stem)
def test_each_name_on_a_page_exists(page: Path) -> None:
    text = page.read_text()
    chapter = page in {page for page, numbered in pages() if numbered}
    names = names_of_page(text) if chapter else names_of_project()
    assert unknown(literals(text), names | OF_OTHERS.keys()) == []


@pytest.mark.parametrize(
    "file", DOCUMENTED, ids=lambda file: file.relative_to(ROOT).as_posix().replace("/", ".")
)
def test_each_name_in_a_docstring_exists(file: Path) -> None:
    names = names_of_project() | names_in(ast.parse(file.read_text()))
    assert unknown(literals_of_docstrings(file), names | OF_OTHERS.keys()) == []


def test_each_name_of_others_is_still_said() -> None:
    said = {text for page, _ in pages() for text in literals(page.read_text())}
    said |= {text for file in DOCUMENTED for text in literals_of_docstrings(file)}
    assert OF_OTHERS.keys() - said == set()


def test_a_name_has_to_be_within_reach_of_its_chapter() -> None:
    page = """`masked_softmax`, `no_such_name`, `F.softmax`, `F.soft_max`, {doc}`no_such_page`

```{literalinclude} ../course_lib/softmax.py
```
"""
    assert unknown(literals(page), names_of_page(page)) == ["no_such_name", "F.soft_max"]
    elsewhere = names_of_page("```python\nfrom course_lib.masks import causal_mask\n```\n")
    assert unknown(["causal_mask(3)", "masked_softmax"], elsewhere) == ["masked_softmax"]
