"""Measure everything, print the tables, draw the figure; ``make bench`` runs this.

Writes RESULTS.md and results.svg into a folder, _build/benchmarks unless another is named::

    python -m benchmarks [FOLDER]
"""

import sys
import time
from pathlib import Path

from benchmarks import attention, bpe, decoding, figure, generation
from benchmarks.measure import ROOT, Section, machine, markdown

FOLDER = ROOT / "_build" / "benchmarks"


def say(text: str) -> None:
    """Print one line of progress, beside the tables."""
    print(f"[bench] {text}", file=sys.stderr, flush=True)


def page(sections: list[Section], where: str) -> str:
    """Put the tables together.

    Args:
        sections: what was measured.
        where: the machine.

    Returns:
        The page in Markdown; it begins with what holds and what does not.
    """
    bars = [
        [bar.claim, bar.measured, "yes" if bar.holds else "**no**"]
        for section in sections
        for bar in section.bars
    ]
    parts = [
        "# Benchmarks",
        f"{where}. CPU time, medians of several calls, each measurement in a process of its own; "
        "memory is the process's peak beyond what it held before the call. `make bench` measures "
        "again; ratios within one run say more than seconds.",
        markdown(["claim", "measured", "holds"], bars, words=3),
        "![Time and memory over the length, and the bars of what is compared](results.svg)",
    ]
    for section in sections:
        parts += [f"## {section.title}", section.text, section.table]
    return "\n\n".join(parts) + "\n"


def main(folder: Path) -> int:
    """Measure, write and print.

    Returns:
        0 if every claim holds, else 1.
    """
    begin = time.monotonic()
    say("attention (about three minutes)")
    attention_rows = attention.rows()
    say("decoding with a cache, sharing keys")
    layer_rows, sharing_rows = decoding.layer_rows(), decoding.sharing_rows()
    say("generating with and without a cache (a minute)")
    generation_rows, difference = generation.rows()
    say("byte-pair encoding (a minute)")
    bpe_rows = bpe.rows()
    sections = [
        attention.section(attention_rows),
        decoding.layer_section(layer_rows),
        decoding.sharing_section(sharing_rows),
        generation.section(generation_rows, difference),
        bpe.section(bpe_rows),
    ]
    where = machine()
    drawn = figure.draw(attention_rows, layer_rows, sharing_rows, generation_rows, bpe_rows, where)
    folder.mkdir(parents=True, exist_ok=True)
    figure.save(drawn, folder / "results.svg")
    written = page(sections, where)
    (folder / "RESULTS.md").write_text(written, encoding="utf-8")
    print(written)
    say(f"{time.monotonic() - begin:.0f} s; the page and the figure are in {folder}")
    return 0 if all(bar.holds for section in sections for bar in section.bars) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if sys.argv[1:] else FOLDER))
