"""Harmony: how gpt-oss's conversations become ids, and how what it writes becomes messages."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

import regex

from course_lib.tokenizer.vocabulary import HARMONY_SPECIALS, Tokenizer

__all__ = [
    "Message",
    "Role",
    "parse_messages",
    "render_messages",
    "render_prompt",
]

_CONSTRAIN = "<|constrain|>"
_ENDS = {HARMONY_SPECIALS[name] for name in ("<|end|>", "<|return|>", "<|call|>")}


class Role(Enum):
    """Who speaks."""

    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a conversation.

    Attributes:
        role: who speaks.
        text: what is said; the names of special tokens in it are text like any other.
        channel: "analysis" (thoughts), "commentary" (calls of tools) or "final" (the answer) of
            the assistant's messages, and of a tool's; None has none.
        recipient: whom it is sent to, such as "functions.get_weather"; None is everybody.
        content_type: what the text of a call is, such as ``<|constrain|>json``.
        name: of a tool, such as "functions.get_weather"; None for all others.

    Raises:
        ValueError: if the channel is none of the three, a recipient or a name has other characters
            than letters, digits and . _ -, the recipient is "all", the content type has a space or
            a special token beyond ``<|constrain|>`` at its start, or a tool has no name, or
            somebody else has one.
    """

    role: Role
    text: str
    channel: str | None = None
    recipient: str | None = None
    content_type: str | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        if self.channel not in {None, "analysis", "commentary", "final"}:
            raise ValueError(
                "a message is in the channel analysis, commentary or final, or in none; channel is "
                f"{self.channel!r}, of {self.role}"
            )
        for what, word in (("recipient", self.recipient), ("name", self.name)):
            if word is not None and (word == "all" or not regex.fullmatch(r"[\w.-]+", word)):
                raise ValueError(
                    "a word in the head of a message is of letters, digits and . _ -, and "
                    f"everybody is None; {what} is {word!r}, of {self.role}"
                )
        kind = (self.content_type or "json").removeprefix(_CONSTRAIN)
        if not regex.fullmatch(r"[\w.-]+", kind):
            raise ValueError(
                f"a content type is one word, {_CONSTRAIN} may stand before it; content_type is "
                f"{self.content_type!r}, of {self.role}"
            )
        if (self.role is Role.TOOL) != (self.name is not None):
            raise ValueError(
                f"a tool has a name and nobody else has one; name is {self.name!r}, of {self.role}"
            )


def render_messages(tokenizer: Tokenizer, messages: Iterable[Message]) -> list[int]:
    """Turn messages into ids, each with its head and its end.

    Args:
        tokenizer: that of ``o200k_harmony_tokenizer``.
        messages: in order; all of them are kept.

    Returns:
        The ids. Only the frame has special tokens: whatever a text says, it ends no message.

    Source: gpt-oss (arXiv:2508.10925), sec. 2.5.1, and the ``openai-harmony`` package, 0.0.8.
    """
    return [i for message in messages for i in _rendered(tokenizer, message)]


def render_prompt(tokenizer: Tokenizer, messages: Sequence[Message]) -> list[int]:
    """Turn a conversation into the ids that the model continues with its next message.

    Once the assistant's last message is an answer, the thoughts before its first answer are left
    out; while it calls tools they stay.

    Args:
        tokenizer: that of ``o200k_harmony_tokenizer``.
        messages: the conversation.

    Returns:
        The ids, with the start of the assistant's message at their end.

    Source: the ``openai-harmony`` package, 0.0.8, ``render_conversation_for_completion``.
    """
    said = [message.channel for message in messages if message.role is Role.ASSISTANT]
    channels = [message.channel for message in messages]
    first = channels.index("final") if said and said[-1] == "final" else 0
    kept = [m for number, m in enumerate(messages) if number >= first or m.channel != "analysis"]
    start = [HARMONY_SPECIALS["<|start|>"], *tokenizer.encode(Role.ASSISTANT.value)]
    return render_messages(tokenizer, kept) + start


def parse_messages(tokenizer: Tokenizer, ids: Sequence[int]) -> list[Message]:
    """Turn what the model wrote after ``render_prompt`` back into messages.

    Args:
        tokenizer: that of ``o200k_harmony_tokenizer``.
        ids: what follows ``<|start|>assistant``, or whole messages from a ``<|start|>`` on.

    Returns:
        The messages. The last one may have no end yet.

    Raises:
        ValueError: if there is no message, a head is not finished or has a word too many, a message
            does not begin with ``<|start|>``, or its role is unknown.

    Source: the ``openai-harmony`` package, 0.0.8, ``parse_messages_from_completion_tokens``.
    """
    start, body = HARMONY_SPECIALS["<|start|>"], HARMONY_SPECIALS["<|message|>"]
    rest = list(ids)
    if rest[:1] != [start]:
        rest = [start, *tokenizer.encode(Role.ASSISTANT.value), *rest]
    messages: list[Message] = []
    while rest:
        if rest[0] != start:
            raise ValueError(
                f"a message begins with <|start|>, id {start}; after {len(messages)} messages "
                f"comes id {rest[0]}, {tokenizer.decode(rest[:1])!r}, before {len(rest) - 1} others"
            )
        if body not in rest:
            raise ValueError(
                f"the head of a message ends with <|message|>, id {body}; after {len(messages)} "
                f"messages come {len(rest)} ids without it: {tokenizer.decode(rest[:20])!r}"
            )
        middle = rest.index(body)
        ends = (number for number, i in enumerate(rest) if number > middle and i in _ENDS)
        end = next(ends, len(rest))
        head, text = rest[1:middle], rest[middle + 1 : end]
        messages.append(_parsed(tokenizer.decode(head), tokenizer.decode(text)))
        rest = rest[end + 1 :]
    return messages


def _rendered(tokenizer: Tokenizer, message: Message) -> list[int]:
    special = HARMONY_SPECIALS
    head = message.name or message.role.value
    if message.recipient is not None:
        head += f" to={message.recipient}"
    ids = [special["<|start|>"], *tokenizer.encode(head)]
    if message.channel is not None:
        ids += [special["<|channel|>"], *tokenizer.encode(message.channel)]
    if message.content_type is not None:
        kind = message.content_type.removeprefix(_CONSTRAIN)
        if kind == message.content_type:
            ids += tokenizer.encode(f" {kind}")
        else:
            ids += [*tokenizer.encode(" "), special[_CONSTRAIN], *tokenizer.encode(kind)]
    is_call = message.role is Role.ASSISTANT and message.recipient is not None
    end = special["<|call|>" if is_call else "<|end|>"]
    return [*ids, special["<|message|>"], *tokenizer.encode(message.text), end]


def _parsed(head: str, text: str) -> Message:
    """Take a head apart; "to=" may stand before the channel or behind it."""
    before, mark, behind = head.partition("<|channel|>")
    author, *words = before.split() or [""]
    channel, *more = behind.split() or [""]
    words += more
    recipients = [word[3:] for word in words if word.startswith("to=")]
    kinds = [word for word in words if not word.startswith("to=")]
    if len(recipients) > 1 or len(kinds) > 1:
        raise ValueError(
            "a head has at most one recipient and one content type; there are "
            f"{len(recipients)} and {len(kinds)} in {head!r}"
        )
    roles = {role.value: role for role in Role if role is not Role.TOOL}
    if author not in roles and not recipients:
        raise ValueError(
            f"a message is of one of the roles {', '.join(roles)}, or a tool's with a recipient; "
            f"{author!r} is neither, in {head!r} of {len(head)} characters"
        )
    return Message(
        role=roles.get(author, Role.TOOL),
        text=text,
        channel=channel if mark else None,
        recipient=recipients[0] if recipients else None,
        content_type=kinds[0] if kinds else None,
        name=None if author in roles else author,
    )
