"""Conversations of gpt-oss as ids, and back, as the openai-harmony package has them."""

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import openai_harmony as theirs
import pytest
import torch
from fetched_ranks import FOLDER, ours, ranks_file
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from course_lib.checkpoints.one_part import OnePartDecoder
from course_lib.config.experts import ClampedMixtureConfig
from course_lib.generation.choice import greedy
from course_lib.generation.writing import continue_ids, continue_ids_without_cache
from course_lib.model.decoder import Decoder
from course_lib.tokenizer.harmony import (
    Message,
    Role,
    parse_messages,
    render_messages,
    render_prompt,
)
from course_lib.tokenizer.harmony_functions import Function, functions_text
from course_lib.tokenizer.harmony_texts import developer_text, system_text
from course_lib.tokenizer.vocabulary import HARMONY_SPECIALS
from course_lib.zoo.gpt_oss import GPT_OSS_20B, gpt_oss_layers

JSON = "<|constrain|>json"
SYSTEM = Message(role=Role.SYSTEM, text=system_text(effort="high", date="2025-06-28"))
DEVELOPER = Message(role=Role.DEVELOPER, text=developer_text("Talk like a pirate."))
TOOL = "functions.get_weather"


@cache
def encoding() -> theirs.HarmonyEncoding:
    ranks_file("o200k_base")
    os.environ["TIKTOKEN_ENCODINGS_BASE"] = str(FOLDER)
    return theirs.load_harmony_encoding("HarmonyGptOss")


def user(text: str) -> Message:
    return Message(role=Role.USER, text=text)


def assistant(text: str, channel: str) -> Message:
    return Message(role=Role.ASSISTANT, text=text, channel=channel)


def call(text: str, content_type: str | None = JSON) -> Message:
    return Message(
        role=Role.ASSISTANT,
        text=text,
        channel="commentary",
        recipient=TOOL,
        content_type=content_type,
    )


def result(text: str) -> Message:
    return Message(
        role=Role.TOOL, text=text, channel="commentary", recipient="assistant", name=TOOL
    )


def as_theirs(message: Message) -> theirs.Message:
    author = theirs.Author(role=theirs.Role(message.role.value), name=message.name)
    made = theirs.Message.from_author_and_content(author, message.text)
    made.channel, made.recipient = message.channel, message.recipient
    made.content_type = message.content_type
    return made


def as_ours(message: theirs.Message) -> Message:
    return Message(
        role=Role(message.author.role.value),
        text="".join(part.text for part in message.content),
        channel=message.channel,
        recipient=message.recipient,
        content_type=message.content_type,
        name=message.author.name,
    )


def test_the_texts_of_system_and_developer_are_theirs() -> None:
    for effort in ("low", "medium", "high"):
        for date in (None, "2025-06-28"):
            content = theirs.SystemContent.new().with_reasoning_effort(
                theirs.ReasoningEffort(effort.capitalize())
            )
            if date is not None:
                content = content.with_conversation_start_date(date)
            expected = theirs.Message.from_role_and_content(theirs.Role.SYSTEM, content)
            mine = Message(role=Role.SYSTEM, text=system_text(effort=effort, date=date))
            assert render_messages(ours("o200k_harmony"), [mine]) == encoding().render(expected)
    content = theirs.DeveloperContent.new().with_instructions("Talk like a pirate.")
    expected = theirs.Message.from_role_and_content(theirs.Role.DEVELOPER, content)
    assert render_messages(ours("o200k_harmony"), [DEVELOPER]) == encoding().render(expected)


powers = st.integers(-30, 30)
#: Texts of a schema, on one line or more; numbers as JSON has them.
words = st.text(st.sampled_from('abz 1"/é\n'), max_size=6)
numbers = st.one_of(
    st.integers(-(10**6), 10**6),
    st.builds(lambda digits, power: float(f"{digits}e{power}"), st.integers(-999, 999), powers),
    st.booleans(),
)
defaults = st.one_of(words, numbers, st.none(), st.lists(st.one_of(words, st.integers(0, 9))))
said = {
    "title": words,
    "description": words,
    "examples": st.lists(st.one_of(words, st.integers(0, 9)), max_size=2),
    "default": defaults,
    "nullable": st.booleans(),
    "minimum": st.integers(0, 3),  # which nobody writes
}
leaves = st.one_of(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["string", "number", "integer", "boolean", "null"])},
        optional=said,
    ),
    st.fixed_dictionaries(
        {"type": st.just("string"), "enum": st.lists(st.one_of(words, st.integers(0, 9)))},
        optional=said,
    ),
    st.fixed_dictionaries(
        {"type": st.lists(st.sampled_from(["string", "integer", "null", "number"]), max_size=3)},
        optional=said,
    ),
    st.fixed_dictionaries({}, optional=said),
)
keys = st.text(st.sampled_from("abc_"), min_size=1, max_size=3)


def of_objects(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    objects = st.fixed_dictionaries(
        {"type": st.just("object")},
        optional={
            **said,
            "properties": st.dictionaries(keys, inner, max_size=4),
            "required": st.lists(keys, max_size=3),
        },
    )
    arrays = st.fixed_dictionaries({"type": st.just("array")}, optional={**said, "items": inner})
    return st.one_of(objects, arrays)


schemas = st.recursive(leaves, of_objects, max_leaves=6)
functions = st.builds(
    Function,
    name=st.text(st.sampled_from("af_.-9"), min_size=1, max_size=5),
    description=st.text(st.sampled_from("ab \n\r/"), max_size=8),
    parameters=st.one_of(st.none(), schemas),
)


def declared(
    instructions: str | None, given: list[Function]
) -> tuple[theirs.Message, theirs.Message]:
    """Their system's and developer's messages."""
    content = theirs.DeveloperContent.new()
    if instructions is not None:
        content = content.with_instructions(instructions)
    if given:
        tools = [theirs.ToolDescription.new(f.name, f.description, f.parameters) for f in given]
        content = content.with_function_tools(tools)
    system = theirs.Message.from_role_and_content(theirs.Role.SYSTEM, theirs.SystemContent.new())
    return system, theirs.Message.from_role_and_content(theirs.Role.DEVELOPER, content)


@given(
    instructions=st.one_of(st.none(), st.text(max_size=9)),
    given_functions=st.lists(functions, max_size=3),
)
@settings(max_examples=100)
def test_any_declaration_is_theirs(
    instructions: str | None, given_functions: list[Function]
) -> None:
    expected = encoding().render_conversation(
        theirs.Conversation.from_messages(declared(instructions, given_functions))
    )
    text = developer_text(instructions, given_functions)
    mine = [
        Message(role=Role.SYSTEM, text=system_text(has_functions=bool(given_functions))),
        Message(role=Role.DEVELOPER, text=text),
    ]
    assert encoding().decode(expected) == ours("o200k_harmony").decode(
        render_messages(ours("o200k_harmony"), mine)
    )
    assert render_messages(ours("o200k_harmony"), mine) == expected
    if given_functions:
        assert text.endswith(functions_text(given_functions))


def test_a_declaration_with_everything_is_theirs() -> None:
    parameters = {
        "type": "object",
        "properties": {
            "location": {"type": "string", "description": "The city and state."},
            "format": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"},
            "days": {"type": "array", "items": {"type": "integer"}, "default": [1, 2]},
            "near": {
                "type": "object",
                "description": "A circle.",
                "properties": {"km": {"type": "number", "default": 1e-7}},
                "required": ["km"],
            },
        },
        "required": ["location"],
        "additionalProperties": False,
    }
    weather = Function(name="get_weather", description="Gets the weather.", parameters=parameters)
    expected = encoding().render(declared("Be brief.", [weather])[1])
    text = developer_text("Be brief.", [weather])
    mine = Message(role=Role.DEVELOPER, text=text)
    assert render_messages(ours("o200k_harmony"), [mine]) == expected
    assert 'format?: "celsius" | "fahrenheit", // default: celsius\n' in text
    assert "km: number, // default: 1e-7\n" in text
    assert "additional" not in text


texts = st.one_of(
    st.text(max_size=20), st.sampled_from([*list(HARMONY_SPECIALS)[:12], "a<|end|><|start|>system"])
)
messages = st.one_of(
    st.builds(user, texts),
    st.builds(assistant, texts, st.sampled_from(["analysis", "commentary", "final"])),
    st.builds(call, texts, st.sampled_from([None, "json", JSON])),
    st.builds(result, texts),
)


@given(conversation=st.lists(messages, max_size=7))
@settings(max_examples=150)
def test_any_conversation_has_their_ids_and_is_read_as_by_them(
    conversation: list[Message],
) -> None:
    tokenizer, whole = ours("o200k_harmony"), [SYSTEM, DEVELOPER, *conversation]
    prompt = render_prompt(tokenizer, whole)
    made = theirs.Conversation.from_messages([as_theirs(message) for message in whole])
    assert prompt == encoding().render_conversation_for_completion(made, theirs.Role.ASSISTANT)
    ids = render_messages(tokenizer, whole)
    assert ids == [i for message in made for i in encoding().render(message)]
    read = parse_messages(tokenizer, ids)
    assert read == whole
    assert read == [as_ours(m) for m in encoding().parse_messages_from_completion_tokens(ids, None)]
    assert sum(i in HARMONY_SPECIALS.values() for i in ids) == sum(
        3 + (m.channel is not None) + (m.content_type == JSON) for m in whole
    )


@pytest.mark.parametrize(
    "written",
    [
        "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>ok"
        "<|return|>",
        f"<|channel|>commentary to={TOOL} {JSON}<|message|>{{}}<|call|>",
        f" to={TOOL}<|channel|>commentary json<|message|>{{}}<|call|>",
        "<|message|>bare<|end|>",
        "<|channel|>final<|message|>cut of",
        "<|channel|>final<|message|>a<|channel|>b<|end|>",
    ],
)
def test_what_the_model_may_write_is_read_as_by_them(written: str) -> None:
    ids = ours("o200k_harmony").encode_with_specials(written)
    expected = encoding().parse_messages_from_completion_tokens(ids, theirs.Role.ASSISTANT)
    assert parse_messages(ours("o200k_harmony"), ids) == [as_ours(m) for m in expected]


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("", "2 ids without it"),
        ("<|channel|>final", "ids without it: '<|start|>assistant<|channel|>final'"),
        ("<|start|>wizard<|message|>x<|end|>", "'wizard' is neither"),
        ("<|channel|>final<|message|>a<|end|>junk", "comes id 181960, 'junk', before 0"),
        ("<|channel|><|message|>a<|end|>", "channel is ''"),
    ],
)
def test_what_they_refuse_is_refused(written: str, words: str) -> None:
    ids = ours("o200k_harmony").encode_with_specials(written)
    role = None if written.startswith("<|start|>") else theirs.Role.ASSISTANT
    with pytest.raises(theirs.HarmonyError):
        encoding().parse_messages_from_completion_tokens(ids, role)
    with pytest.raises(ValueError, match=re.escape(words)):
        parse_messages(ours("o200k_harmony"), ids)


def test_a_tiny_model_answers_a_chat() -> None:
    tokenizer = ours("o200k_harmony")
    vocab_size = tokenizer.vocab_size
    config = replace(
        GPT_OSS_20B,
        d_model=16,
        layers=gpt_oss_layers(
            2,
            replace(GPT_OSS_20B.layers[0].attention, num_heads=2, num_kv_heads=1),
            ClampedMixtureConfig(num_experts=3, experts_per_token=2, d_ff=24),
            window=8,
        ),
    )
    assert config.vocab_size == vocab_size
    model = Decoder(config)
    generator = torch.Generator().manual_seed(5)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=generator)
    prompt = render_prompt(tokenizer, [SYSTEM, DEVELOPER, user("What is the weather?")])
    prompt += tokenizer.encode_with_specials("<|channel|>final<|message|>")
    is_special = torch.zeros(vocab_size, dtype=torch.bool)
    is_special[199998:] = True  # a model without training knows no frame

    def choose(logits: Tensor) -> Tensor:
        return greedy(logits.masked_fill(is_special, -torch.inf))

    ids = torch.tensor([prompt])
    longer = continue_ids(model, ids, 12, choose)
    assert torch.equal(longer, continue_ids_without_cache(model, ids, 12, choose))
    written = [*longer[0, len(prompt) - 3 :].tolist(), HARMONY_SPECIALS["<|return|>"]]
    (answer,) = parse_messages(tokenizer, written)
    assert answer == Message(
        role=Role.ASSISTANT, channel="final", text=tokenizer.decode(written[3:-1])
    )
    expected = encoding().parse_messages_from_completion_tokens(
        written, theirs.Role.ASSISTANT, strict=False
    )
    assert answer.text
    assert [as_ours(message) for message in expected] == [answer]
    state = dict(model.state_dict())

    def parts() -> Iterator[dict[str, Tensor]]:
        yield {"embedding": state["embedding"]}
        for layer in ("blocks.0.", "blocks.1."):
            yield {name: tensor for name, tensor in state.items() if name.startswith(layer)}
        yield {name: state[name] for name in ("final_norm.gain", "unembedding")}

    one_by_one = OnePartDecoder(config, parts, torch.float32, is_quiet=True)
    assert torch.equal(continue_ids(one_by_one, ids, 12, choose), longer)
