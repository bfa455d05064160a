"""How many core-seconds the tests of each folder took: shown at the end of a long run.

Counted is the processor's time of the process that ran a test and of all that it started and waited
for, browsers and kernels too. What a fixture of many tests takes is counted with the test that
asked first, and its end with the last.
"""

import os
from collections import Counter
from collections.abc import Generator

import pytest

#: Below this many core-seconds in all, nobody asks where they went.
WORTH_TELLING = 300


def spent() -> float:
    """Return the processor's seconds of this process and of those it has waited for."""
    return sum(os.times()[:4])


class CoreSeconds:
    """Reads the processor's clock after each phase of each test, and adds up by folder."""

    def __init__(self) -> None:
        self.last = spent()
        self.of_folders: Counter[str] = Counter()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        before, self.last = self.last, spent()
        report.user_properties.append(("core_seconds", self.last - before))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add a phase's time; where processes share the tests, their reports come here."""
        folder = "/".join(report.nodeid.split("::")[0].split("/")[:-1])
        # What a process died of is reported by the one that waited for it, without a time.
        self.of_folders[folder] += dict(report.user_properties).get("core_seconds", 0.0)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        total = sum(self.of_folders.values())
        if total < WORTH_TELLING:
            return
        terminalreporter.section("core-seconds")
        for folder, seconds in self.of_folders.most_common():
            terminalreporter.write_line(f"{seconds:7.0f}  {folder}")
        terminalreporter.write_line(f"{total:7.0f}  in all")
