"""The functions that a gpt-oss model may call, declared as it was trained to read them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import regex

__all__ = ["Function", "Schema", "functions_text"]

#: A JSON Schema: a type, and what belongs to it.
Schema = Mapping[str, Any]

_TYPES = {"string": "string", "number": "number", "integer": "number", "boolean": "boolean"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function that a model may call.

    Attributes:
        name: as the model calls it; a call's recipient is "functions." and this name.
        description: what it does, in words.
        parameters: a JSON Schema of an object with a property for each argument; None takes none.

    Raises:
        ValueError: if the name has other characters than letters, digits and . _ -.
    """

    name: str
    description: str
    parameters: Schema | None = None

    def __post_init__(self) -> None:
        if not regex.fullmatch(r"[\w.-]+", self.name):
            raise ValueError(
                "a function's name is of letters, digits and . _ -, for it stands in the head of "
                f"a message; name is {self.name!r}, of {len(self.name)} characters"
            )


def functions_text(functions: Sequence[Function]) -> str:
    """Declare functions in the words of TypeScript, with what is said of them as comments.

    A schema's type, properties, required, items, enum, nullable, title, description, examples and
    default are written, and what else it says is left out, as the package does. A default with
    more than 15 digits may differ from the package's in the last one: there it is read less
    exactly.

    Args:
        functions: in the order in which they are declared.

    Returns:
        A section of the developer's message.

    Raises:
        ValueError: if a schema is no mapping, or offers a choice of schemas (oneOf).

    Source: the ``openai-harmony`` package, 0.0.8, for the namespace "functions".

    >>> print(functions_text([Function(name="now", description="Tells the time.")]))
    # Tools
    <BLANKLINE>
    ## functions
    <BLANKLINE>
    namespace functions {
    <BLANKLINE>
    // Tells the time.
    type now = () => any;
    <BLANKLINE>
    } // namespace functions
    """
    lines = ["# Tools\n\n## functions\n"]
    if functions:
        lines.append("namespace functions {\n")
        for one in functions:
            lines += [f"// {line}" for line in _lines(one.description)]
            given = "" if one.parameters is None else f"_: {_type(one.parameters, one.name)}"
            lines.append(f"type {one.name} = ({given}) => any;\n")
        lines.append("} // namespace functions")
    return "\n".join(lines)


def _type(schema: object, where: str, indent: str = "") -> str:
    """One schema as a type; the lines of an object begin with the indent."""
    if not isinstance(schema, Mapping) or "oneOf" in schema:
        wrong = "oneOf" if isinstance(schema, Mapping) else type(schema).__name__
        raise ValueError(
            "a schema is a mapping that says one type, and no choice of schemas; that of "
            f"{where!r} has {wrong}"
        )
    kind = schema.get("type")
    if isinstance(kind, list) and kind:
        return " | ".join("number" if one == "integer" else one for one in kind)
    if kind == "object":
        return _object(schema, where, indent)
    if kind == "array":
        if "items" not in schema:
            return "Array<any>"
        return f"{_type(schema['items'], where, indent)}[]"
    choices = (schema.get("enum") or []) if kind == "string" else []
    quoted = [f'"{choice}"' for choice in choices if isinstance(choice, str)]
    return " | ".join(quoted) or (_TYPES.get(kind, "any") if isinstance(kind, str) else "any")


def _object(schema: Schema, where: str, indent: str) -> str:
    lines = [f"{indent}// {schema['description']}"] if schema.get("description") is not None else []
    lines.append("{")
    for name, one in (schema.get("properties") or {}).items():
        place = f"{where}.{name}"
        written = _type(one, place, f"{indent}    ")
        if one.get("nullable") is True and "null" not in written:
            written += " | null"
        optional = "" if name in (schema.get("required") or []) else "?"
        default = f" // default: {_default(one)}" if "default" in one else ""
        lines += [f"{indent}{line}" for line in _comments(one)]
        lines.append(f"{indent}{name}{optional}: {written},{default}")
    return "\n".join([*lines, f"{indent}}}"])


def _comments(schema: Schema) -> Iterator[str]:
    """What stands before a property, line by line."""
    if schema.get("title") is not None:
        yield from (f"// {schema['title']}", "//")
    if schema.get("description") is not None:
        yield f"// {schema['description']}"
    if schema.get("examples"):
        yield "// Examples:"
        yield from (f'// - "{one}"' for one in schema["examples"] if isinstance(one, str))


def _default(schema: Schema) -> str:
    """The default as JSON; a text that is one of a few choices stands without quotes."""
    default = schema["default"]
    if isinstance(default, str):
        return default if schema.get("enum") else f'"{default}"'
    written = json.dumps(default, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    if not isinstance(default, float):
        return written
    # Python's 1e-05, 1e-07 and 1e+20 are 0.00001, 1e-7 and 1e20 there.
    if 1e-5 <= abs(default) < 1e-4:
        return format(Decimal(written), "f")
    return str(regex.sub(r"e\+?(-?)0*(\d)", r"e\1\2", written))


def _lines(text: str) -> list[str]:
    lines: list[str] = regex.split(r"\r?\n", text)
    return lines if lines[-1] else lines[:-1]
