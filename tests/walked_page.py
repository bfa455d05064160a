"""A page whose commands are typed, one after the other: nothing that it shows may go untried.

Every block of code of the page is either typed or excused by name. A person's part, such as reading
an explanation, is a step that stands before a block.
"""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Block:
    """A block of code: "Grade 2" is the second below what is called Grade."""

    name: str
    language: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Typed:
    """A command, and what came of it."""

    block: str
    command: str
    status: int
    printed: str
    errors: str


FENCE = re.compile(r"^(`{3,}|~{3,})\s*(\S*)\s*$")
CALLED = re.compile(r"^(?:#{2,} +(?P<heading>.+?)|\*\*(?P<step>[^*]+?)\.?\*\*.*)\s*$")


def blocks(text: str) -> list[Block]:
    """Return the blocks of code of a page, by the heading or the bold word that they follow.

    Raises:
        ValueError: if two are called alike, or a block does not end.
    """
    found: list[Block] = []
    called, fence, lines, language = "the top", "", [], ""
    for line in text.splitlines():
        edge = FENCE.match(line)
        if fence and line.strip() == fence:
            if not language.startswith("{"):  # a directive of the book, no code
                number = 1 + sum(one.name.rsplit(" ", 1)[0] == called for one in found)
                found.append(Block(f"{called} {number}", language, tuple(lines)))
            fence = ""
        elif fence:
            lines.append(line)
        elif edge:
            fence, language, lines = edge[1], edge[2], []
        elif name := CALLED.match(line):
            called = name["heading"] or name["step"]
    if fence:
        raise ValueError(f"a block below {called!r} does not end")
    return found


def commands(block: Block) -> list[str]:
    """Return the commands of a block: its lines, and in one those that a backslash joins."""
    text = "\n".join(block.lines).replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


@dataclass
class Walk:
    """The page as it is walked.

    Attributes:
        clone: where the commands are typed.
        environment: the variables of that terminal.
        page: its blocks.
        typed: the commands so far.
        stays_open: what starts a program that does not end, by a word of its command.
    """

    clone: Path
    environment: dict[str, str]
    page: list[Block]
    stays_open: dict[str, Callable[[str], None]] = field(default_factory=dict)
    typed: list[Typed] = field(default_factory=list)

    def block(self, name: str) -> Block:
        """Return a block by its name."""
        return next(one for one in self.page if one.name == name)

    def type_block(self, name: str, *ends: int) -> str:
        """Type a block's commands; return what they printed.

        Args:
            name: the block's.
            ends: the exit code of each command; none where all are 0.
        """
        lines = commands(self.block(name))
        expected = ends or [0] * len(lines)
        return "".join(self.type(name, *one) for one in zip(lines, expected, strict=True))

    def type(self, block: str, command: str, status: int = 0) -> str:
        """Type a command; return what it printed."""
        for word, opens in self.stays_open.items():
            if f" {word} " in command:
                opens(command)
                self.typed.append(Typed(block, command, 0, "", ""))
                return ""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.clone,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=600,
        )
        self.typed.append(Typed(block, command, done.returncode, done.stdout, done.stderr))
        assert done.returncode == status, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def kill(self, name: str, until: Callable[[], bool]) -> None:
        """Type a block's last command and kill it, with all that it started, once `until` holds."""
        started = subprocess.Popen(
            ["bash", "-c", commands(self.block(name))[-1]],
            cwd=self.clone,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        end = time.monotonic() + 300
        while not until():
            assert started.poll() is None, f"{name} ended before it could be killed"
            assert time.monotonic() < end, name
            time.sleep(0.01)
        os.killpg(started.pid, signal.SIGKILL)
        assert started.wait(timeout=30) == -signal.SIGKILL


def walk(
    one: Walk,
    *,
    excused: dict[str, str],
    before: dict[str, list[Callable[[Walk], None]]],
    ends: dict[str, tuple[int, ...]],
) -> None:
    """Walk a page from its first block to its last.

    Args:
        one: what is walked.
        excused: blocks that are not typed, each with the reason.
        before: a person's steps before a block, by its name.
        ends: the exit codes of a block's commands where one is not 0.

    Raises:
        ValueError: if a name is none of the page's, or a block of another language has no excuse.
    """
    names = {block.name for block in one.page}
    if unknown := (excused.keys() | before.keys() | ends.keys()) - names:
        raise ValueError(f"the page has no {sorted(unknown)}; it has {sorted(names)}")
    for block in one.page:
        for step in before.get(block.name, ()):
            step(one)
        if block.name in excused:
            continue
        if block.language != "sh":
            raise ValueError(
                f"{block.name} is {block.language or 'no language'}: type or excuse it"
            )
        one.type_block(block.name, *ends.get(block.name, ()))
