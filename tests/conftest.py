"""Settings of all tests: annotations are executed, laws are drawn alike each time."""

from collections.abc import Iterator

import jaxtyping
import pytest
from hypothesis import settings

# The hook must stand before the first import of course_lib. The numeric tower lets an int stand
# for a float, as type checkers do.
jaxtyping.install_import_hook(
    "course_lib", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
)

settings.register_profile("course", deadline=None, derandomize=True)
settings.load_profile("course")


@pytest.fixture
def without_annotations() -> Iterator[None]:
    """Call the library as a learner does: no hook, so its own errors must speak."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
