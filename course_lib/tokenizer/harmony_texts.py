"""What the first two messages of a gpt-oss conversation say: the system's and the developer's."""

from collections.abc import Sequence

from course_lib.tokenizer.harmony_functions import Function, functions_text

__all__ = ["developer_text", "system_text"]


def system_text(
    *, effort: str = "medium", date: str | None = None, has_functions: bool = False
) -> str:
    """Write the text of the first message: who the model is, how long it thinks, its channels.

    Args:
        effort: "low", "medium" or "high".
        date: today, as "2025-06-28"; None says nothing about it.
        has_functions: True where the developer's message declares functions; then it is said
            through which channel they are called.

    Returns:
        The text.

    Raises:
        ValueError: if effort is another word.

    Source: gpt-oss (arXiv:2508.10925), sec. 2.5.2, and the ``openai-harmony`` package, 0.0.8.
    """
    if effort not in {"low", "medium", "high"}:
        raise ValueError(f"the effort is low, medium or high; effort is {effort!r}, date {date!r}")
    today = "" if date is None else f"\nCurrent date: {date}"
    calls = "Calls to these tools must go to the commentary channel: 'functions'."
    return (
        "You are ChatGPT, a large language model trained by OpenAI.\n"
        f"Knowledge cutoff: 2024-06{today}\n\nReasoning: {effort}\n\n"
        "# Valid channels: analysis, commentary, final. "
        "Channel must be included for every message." + (f"\n{calls}" if has_functions else "")
    )


def developer_text(instructions: str | None = None, functions: Sequence[Function] = ()) -> str:
    """Write the text of the developer's message: what to do, and what can be called.

    Args:
        instructions: what others call a system prompt; None gives none.
        functions: those that the model may call; the system's message then says so, too.

    Returns:
        The text, with its headings.

    Raises:
        ValueError: as ``functions_text``.

    Source: gpt-oss (arXiv:2508.10925), sec. 2.5, and the ``openai-harmony`` package, 0.0.8.
    """
    told = [] if instructions is None else ["# Instructions", instructions]
    return "\n\n".join(told + ([functions_text(functions)] if functions else []))
