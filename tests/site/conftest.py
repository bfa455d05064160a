"""One server for all tests of the site."""

from collections.abc import Iterator

import pytest
from built_site import demand_site, served


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    demand_site()
    with served() as address:
        yield address
