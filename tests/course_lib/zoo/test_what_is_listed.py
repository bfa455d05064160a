"""The page of released models: it counts what the zoo holds, and says why others are not in it."""

import re

from library import ROOT

from course_lib.counts.attention import state_bytes
from course_lib.counts.classifier import active_classifier_parameters, classifier_parameters
from course_lib.counts.decoder import (
    active_parameters,
    cache_elements_per_token,
    decoder_parameters,
)
from course_lib.zoo.dense import DENSE_MODELS
from course_lib.zoo.mixtures import MIXTURES
from course_lib.zoo.privacy_filter import PRIVACY_FILTER

PAGE = (ROOT / "book" / "api-released.md").read_text(encoding="utf-8")
ZOO = DENSE_MODELS | MIXTURES
#: Models that the course speaks of and that are released: each is in the zoo or has a reason.
RELEASED = """
GPT-2 S, GPT-2 M, GPT-2 L, GPT-2 XL, GPT-3 175B, Llama 2 7B, Llama 2 70B, Llama 3 8B, Llama 3.1 70B,
Llama 3.1 405B, Llama 3.2 1B, Mistral 7B v0.1, Mixtral 8x7B, Mixtral 8x22B, DeepSeek-V2-Lite,
DeepSeek-V2, DeepSeek-V3, OLMo 2 7B, OLMo 2 13B, Olmo 3 7B, Olmo 3 32B, Gemma 2 2B, Gemma 2 9B,
Gemma 2 27B, Gemma 3 270M, Gemma 3 1B, Gemma 3 4B, Gemma 3 12B, Gemma 3 27B, Qwen3 0.6B, Qwen3 1.7B,
Qwen3 4B, Qwen3 8B, Qwen3 14B, Qwen3 32B, Qwen3 30B-A3B, Qwen3 235B-A22B, Qwen3-Next 80B-A3B,
Llama 4 Scout, Llama 4 Maverick, SmolLM3 3B, Kimi K2, gpt-oss-20b, gpt-oss-120b, GLM-4.5,
GLM-4.5 Air, MiniMax-M1, MiniMax-M2, Grok 2.5, Falcon 7B, Kimi Linear, DeepSeek-V3.2, GLM-5,
MiMo-V2-Flash, Nemotron 3 Nano, Gemma 4 E2B, Gemma 4 31B, Qwen3.5 35B-A3B, Mistral Small 4,
DeepSeek-V4-Flash, Muse Spark Open, privacy-filter
"""


def rows(heading: str) -> dict[str, list[str]]:
    """The table behind a heading: first column -> the others."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section.splitlines()
        if line.startswith("| ")
    ]
    names = [row[0] for row in cells[1:]]  # behind the head of the table
    assert len(names) == len(set(names))
    return {row[0]: row[1:] for row in cells[1:]}


def test_what_the_zoo_holds_is_counted_on_the_page() -> None:
    counted = {}
    for name, one in ZOO.items():
        total, active = decoder_parameters(one), active_parameters(one)
        parameters = f"{total:,}" if total == active else f"{total:,} ({active:,} active)"
        counted[name] = [parameters, f"{2 * cache_elements_per_token(one):,}"]
    total = classifier_parameters(PRIVACY_FILTER)
    active = active_classifier_parameters(PRIVACY_FILTER)
    counted["privacy-filter"] = [f"{total:,} ({active:,} active)", "0"]  # it labels, all at once
    assert rows("What the zoo holds") == counted
    assert len(counted) >= 36


def test_what_does_not_grow_is_said_beside_the_table() -> None:
    intro = PAGE.split("| model |")[0]
    states = {
        name: sum(state_bytes(layer.attention) for layer in one.layers) for name, one in ZOO.items()
    }
    kept = {name: count for name, count in states.items() if count}
    assert set(kept) == {"Qwen3-Next 80B-A3B", "Qwen3.5 35B-A3B"}
    for name, count in kept.items():
        assert name.split()[0] in intro
        assert f"{count:,}" in intro


def test_every_released_model_is_in_the_zoo_or_has_a_reason() -> None:
    missing = rows("What the zoo does not hold")
    held = {*ZOO, "privacy-filter"}
    assert not set(missing) & held
    released = {name.strip() for name in re.split(r",\s", RELEASED.strip())}
    assert released <= held | set(missing), released - held - set(missing)
    assert set(missing) <= released
    for name, (reason,) in missing.items():
        assert len(reason.split()) >= 5, name
        assert reason.endswith("."), name


def test_a_reason_names_only_functions_that_there_are() -> None:
    named = set(re.findall(r"`([a-z_]+)`", PAGE.split("## Released models")[0]))
    assert named
    for name in named:
        found = [
            path
            for path in (ROOT / "course_lib").rglob("*.py")
            if re.search(rf"^def {name}\(", path.read_text(encoding="utf-8"), re.MULTILINE)
        ]
        assert found or list((ROOT / "course_lib").rglob(f"{name}.py")), name
