"""No command of a page goes untried: the walk finds each, and says what it was not told of."""

import time

import pytest
from walked_page import Walk, blocks, commands, walk

PAGE = """# A page

## First

```sh
echo one > made
# a comment
echo two \\
  three
```

Words with `code` and **bold** in between.

**Second.** And how:

```sh
cat made
```

```python
print("not typed")
```

```{note}
echo never
```

## First

````sh
echo '```'
````
"""


def test_every_block_has_a_name():
    found = blocks(PAGE)
    names = [(block.name, block.language) for block in found]
    assert names == [
        ("First 1", "sh"),
        ("Second 1", "sh"),
        ("Second 2", "python"),
        ("First 2", "sh"),
    ]
    assert commands(found[0]) == ["echo one > made", "echo two    three"]
    assert commands(found[3]) == ["echo '```'"]


def test_a_block_that_does_not_end_is_found():
    with pytest.raises(ValueError, match="a block below 'Grade' does not end"):
        blocks("## Grade\n```sh\nls\n")


@pytest.fixture
def one(tmp_path):
    return Walk(tmp_path, {"PATH": "/usr/bin:/bin"}, blocks(PAGE))


NONE = {"excused": {}, "before": {}, "ends": {}}


def test_a_block_that_nobody_types_or_excuses_is_refused(one):
    with pytest.raises(ValueError, match="Second 2 is python: type or excuse it"):
        walk(one, **NONE)


@pytest.mark.parametrize("kind", NONE)
def test_an_excuse_or_a_step_for_what_the_page_no_longer_has_is_refused(one, kind):
    with pytest.raises(ValueError, match=r"the page has no \['Gone 1'\]; it has \['First 1'"):
        walk(one, **NONE | {kind: {"Gone 1": 0}})
    assert one.typed == []


def test_commands_and_steps_go_in_their_order(one):
    steps = []
    before = {"First 2": [lambda walk: steps.append(len(walk.typed))]}
    walk(one, excused={"Second 2": "no command"}, before=before, ends={})
    assert [done.printed for done in one.typed] == ["", "two three\n", "one\n", "```\n"]
    assert steps == [3]


def test_a_command_that_fails_ends_the_walk(one):
    (one.clone / "made").mkdir()
    with pytest.raises(AssertionError, match="made: Is a directory"):
        walk(one, excused={"Second 2": "no command"}, before={}, ends={})
    with pytest.raises(AssertionError, match="cat made"):
        one.type_block("Second 1")
    assert one.type_block("Second 1", 1) == ""


def test_a_command_that_is_to_fail_may_not_succeed(one):
    with pytest.raises(AssertionError, match="echo two"):
        one.type_block("First 1", 0, 1)


def test_what_stays_open_is_opened(one):
    opened = []
    one.stays_open["two"] = opened.append
    one.type_block("First 1")
    assert opened == ["echo two    three"]


def test_a_killed_command_is_killed_with_all_that_it_started(one):
    one.page += blocks(
        "## Last\n```sh\nsleep 1; (sleep 1; touch late) & touch here; sleep 60\n```\n"
    )
    one.kill("Last 1", (one.clone / "here").exists)
    time.sleep(1.5)
    assert not (one.clone / "late").exists()
    with pytest.raises(AssertionError, match="ended before it could be killed"):
        one.kill("First 2", lambda: False)
