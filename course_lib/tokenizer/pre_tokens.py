r"""Text is cut into pre-tokens (words, numbers, spaces) first; no token reaches across a cut.

A rule is a regular expression whose alternatives are tried from left to right at each position;
``\p{L}`` is a letter of any script, ``\p{N}`` a digit, ``\s`` white space.
"""

import regex

__all__ = [
    "GPT2_PATTERN",
    "O200K_PATTERN",
    "gpt2_pre_tokens",
    "o200k_pre_tokens",
    "require_text",
]

#: A contraction; letters, digits or signs, each with one space in front; white space.
GPT2_PATTERN = (
    r"'s|'t|'re|'ve|'m|'ll|'d"
    r"| ?\p{L}+"
    r"| ?\p{N}+"
    r"| ?[^\s\p{L}\p{N}]+"
    r"|\s+(?!\S)"
    r"|\s+"
)

# A word may start with one sign or space and end in a contraction. Capitals stand before small
# letters, so that "CamelCase" is two words; letters without case (Chinese) count as both.
_LEAD = r"[^\r\n\p{L}\p{N}]?"
_CAPITALS = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_SMALL = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"

#: A word; up to three digits; signs with the line breaks behind them; white space.
O200K_PATTERN = (
    rf"{_LEAD}{_CAPITALS}*{_SMALL}+{_CONTRACTION}"
    rf"|{_LEAD}{_CAPITALS}+{_SMALL}*{_CONTRACTION}"
    r"|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*"
    r"|\s*[\r\n]+"
    r"|\s+(?!\S)"
    r"|\s+"
)


def gpt2_pre_tokens(text: str) -> list[str]:
    """Cut a text as GPT-2 and GPT-3 do.

    A space belongs to the word that it precedes. Of several spaces the last one goes to the word
    and the others stay together.

    Args:
        text: any text.

    Returns:
        The pieces in order; put together they are the text.

    Raises:
        ValueError: if the text is none, as bytes are.

    Source: Radford et al. 2019, sec. 2.2 (the idea); the pattern is that of their released
    encoder, which tiktoken calls r50k.

    >>> gpt2_pre_tokens("We've 2024 reasons,   not 1.")
    ['We', "'ve", ' 2024', ' reasons', ',', '  ', ' not', ' 1', '.']
    """
    require_text(text)
    pieces: list[str] = regex.findall(GPT2_PATTERN, text)
    return pieces


def o200k_pre_tokens(text: str) -> list[str]:
    """Cut a text as GPT-4o and GPT-OSS do.

    Beside GPT-2's rule: digits go in threes, a contraction stays with its word, a change from
    small letters to capitals is a cut, and line breaks stay together.

    Args:
        text: any text.

    Returns:
        The pieces in order; put together they are the text.

    Raises:
        ValueError: if the text is none, as bytes are.

    Source: the pattern of the encoding o200k_base, as tiktoken publishes it.

    >>> o200k_pre_tokens("We've 2024 reasons,   not 1.")
    ["We've", ' ', '202', '4', ' reasons', ',', '  ', ' not', ' ', '1', '.']
    """
    require_text(text)
    pieces: list[str] = regex.findall(O200K_PATTERN, text)
    return pieces


def require_text(text: str) -> None:
    """Refuse what is no text: bytes, None, a list of texts.

    Args:
        text: what came.

    Returns:
        Nothing, if it is a str.

    Raises:
        ValueError: if it is not.
    """
    if not isinstance(text, str):
        raise ValueError(
            "one text is cut into tokens, a str (text.decode() makes one of bytes); "
            f"what came is of type {type(text).__name__}"
        )
