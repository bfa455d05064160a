"""Measure, print the tables, draw the figure; ``make bench`` runs this.

Writes RESULTS.md, results.svg and measured.json into a folder, _build/benchmarks unless another is
named. With names only these benchmarks run, and what the folder has of the others stays::

    python -m benchmarks [--into FOLDER] [NAME …]
    python -m benchmarks --into benchmarks exact ring
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import (
    attention,
    bpe,
    decoding,
    efficient,
    exact,
    experts,
    figure,
    generation,
    growth,
    loading,
    plain_forms,
    ring,
)
from benchmarks.benchmark import Benchmark
from benchmarks.measure import ROOT, Bar, Section, machine, markdown

FOLDER = ROOT / "_build" / "benchmarks"
MODULES = (
    attention, plain_forms, exact, efficient, growth, experts, ring, loading,
    decoding, generation, bpe,
)  # fmt: skip
BENCHMARKS: dict[str, Benchmark] = {module.BENCHMARK.name: module.BENCHMARK for module in MODULES}
#: Of each benchmark that has run: the machine, and what it measured.
Record = dict[str, dict[str, Any]]


def say(text: str) -> None:
    """Print one line of progress, beside the tables."""
    print(f"[bench] {text}", file=sys.stderr, flush=True)


def verdict(bar: Bar) -> str:
    """Return whether a claim holds, and if it is known why not, the reason."""
    if bar.holds:
        return "yes"
    return f"**no**: {bar.why}" if bar.why else "**no**"


def page(sections: list[Section], where: str) -> str:
    """Put the tables together.

    Args:
        sections: what was measured.
        where: the machine.

    Returns:
        The page in Markdown; it begins with what holds and what does not.
    """
    bars = [[bar.claim, bar.measured, verdict(bar)] for section in sections for bar in section.bars]
    parts = [
        "# Benchmarks",
        f"{where}. CPU time, medians of several calls where nothing else is said, each measurement "
        "in a process of its own; memory is the process's peak beyond what it held before the "
        "call. `make bench` measures again, and `python -m benchmarks exact` one part alone; "
        "ratios within one run say more than seconds.",
        markdown(["claim", "measured", "holds"], bars, words=3),
        "![Time and memory over the length, and the bars of what is compared](results.svg)",
    ]
    for section in sections:
        parts += [f"## {section.title}", section.text, section.table]
    return "\n\n".join(parts) + "\n"


def told(record: Record) -> tuple[list[Section], str]:
    """Return the sections of all that was measured, and on which machines."""
    known = [name for name in BENCHMARKS if name in record]
    sections = [
        section for name in known for section in BENCHMARKS[name].tell(record[name]["measured"])
    ]
    places: dict[str, list[str]] = {}
    for name in known:
        places.setdefault(record[name]["where"], []).append(name)
    if len(places) == 1:
        return sections, next(iter(places))
    return sections, ". ".join(f"{where}: {', '.join(names)}" for where, names in places.items())


def draw(record: Record, folder: Path) -> None:
    """Draw the figure if everything that it shows has been measured."""
    shown = {name: record.get(name, {}).get("measured") for name in figure.SHOWN}
    if None not in shown.values():
        figure.save(figure.of(shown, told(record)[1]), folder / "results.svg")


def main(names: list[str], folder: Path) -> int:
    """Measure, write and print.

    Returns:
        0 if every claim holds that has no reason not to, else 1.
    """
    begin = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "measured.json"
    record: Record = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    for name in names:
        say(f"{name} (about {BENCHMARKS[name].minutes:g} minutes on an idle machine)")
        record[name] = {"where": machine(), "measured": BENCHMARKS[name].measure()}
        kept.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    sections, where = told(record)
    draw(record, folder)
    written = page(sections, where)
    (folder / "RESULTS.md").write_text(written, encoding="utf-8")
    print(written)
    say(f"{time.monotonic() - begin:.0f} s; the page and the figure are in {folder}")
    missed = [bar for section in sections for bar in section.bars if not (bar.holds or bar.why)]
    return 1 if missed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Time and memory.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--into", type=Path, default=FOLDER, metavar="FOLDER")
    given = parser.parse_args()
    unknown = sorted(set(given.names) - set(BENCHMARKS))
    if unknown:
        parser.error(
            f"there is no benchmark {', '.join(unknown)}; there are: {', '.join(BENCHMARKS)}"
        )
    sys.exit(main(given.names or list(BENCHMARKS), given.into))
