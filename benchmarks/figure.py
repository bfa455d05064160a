"""The measurements as one figure: six panels under the machine's name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from benchmarks import attention, bpe, decoding, generation
from benchmarks.benchmark import Measured
from course_lib.plotting.colors import INK, MUTED, OUTPUT

#: Ours is purple, the others are not; dashes and marks tell them apart without colours.
LINES = {
    attention.OURS: (OUTPUT, "o-"),
    attention.HEADS: (OUTPUT, "s:"),
    attention.MODULE_WEIGHTS: (MUTED, "s:"),
    attention.MODULE: (MUTED, "D--"),
    attention.FUSED: (INK, "o-"),
}


#: The benchmarks whose numbers the figure shows.
SHOWN = ("attention", "decoding", "generation", "bpe")


def of(measured: dict[str, Measured], machine: str) -> Figure:
    """Draw what the benchmarks in SHOWN have measured.

    Args:
        measured: by name, as JSON keeps it.
        machine: where it was measured.

    Returns:
        The figure.
    """
    return draw(
        [attention.Row(**row) for row in measured["attention"]["rows"]],
        [decoding.LayerRow(**row) for row in measured["decoding"]["layers"]],
        [decoding.SharingRow(**row) for row in measured["decoding"]["sharing"]],
        [generation.Row(**row) for row in measured["generation"]["rows"]],
        [bpe.Row(**row) for row in measured["bpe"]["rows"]],
        machine,
    )


def draw(
    attention_rows: list[attention.Row],
    layer_rows: list[decoding.LayerRow],
    sharing_rows: list[decoding.SharingRow],
    generation_rows: list[generation.Row],
    bpe_rows: list[bpe.Row],
    machine: str,
) -> Figure:
    """Draw what was measured.

    Args:
        attention_rows: time and memory of attention.
        layer_rows: a token's time in a layer.
        sharing_rows: the memory of sharing.
        generation_rows: a token's time in a model.
        bpe_rows: tokens per second.
        machine: where it was measured.

    Returns:
        The figure; ``save`` writes it.
    """
    figure = Figure(figsize=(10, 12.5), facecolor="white", layout="constrained")
    panels = figure.subplots(3, 2).flatten()
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
    _attention(panels[0], attention_rows, "seconds")
    _attention(panels[1], attention_rows, "peak")
    _layers(panels[2], layer_rows)
    _generation(panels[3], generation_rows)
    _bars(
        panels[4],
        [row.name.removesuffix(" (ours)") for row in sharing_rows],
        [(row.peak or 0) / 1e6 for row in sharing_rows],
        "one query reads shared keys: MB beyond them",
    )
    names = [f"{row.implementation}\n{row.vocabulary.split('_')[0]}" for row in bpe_rows]
    speeds = [row.tokens_per_second / 1e3 for row in bpe_rows]
    _bars(panels[5], names, speeds, "byte-pair encoding: thousand tokens per CPU s")
    figure.supxlabel(machine, fontsize=9, color=INK)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write an SVG whose letters are letters and which holds no date."""
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "benchmarks"}):
        FigureCanvasSVG(figure).print_svg(path, metadata={"Date": None, "Creator": None})


def _attention(panel: Axes, rows: list[attention.Row], field: str) -> None:
    for name, (color, style) in LINES.items():
        own = attention.select(rows, name)
        factor = 1e3 if field == "seconds" else 1e-6
        values: list[Any] = [getattr(row, field) for row in own]
        if None not in values:
            heights = [factor * value for value in values]
            panel.plot([row.n for row in own], heights, style, color=color, label=name)
    _doubling(panel, sorted({row.n for row in rows}))
    panel.set_yscale("log")
    panel.set_xlabel("positions n")
    panel.set_title("attention: " + ("CPU ms" if field == "seconds" else "peak MB"), fontsize=11)
    if field == "seconds":
        panel.legend(frameon=False, fontsize=7)


def _layers(panel: Axes, rows: list[decoding.LayerRow]) -> None:
    for layer, (color, style) in {"full": (INK, "o-"), "window": (OUTPUT, "s--")}.items():
        own = [row for row in rows if row.layer == layer]
        label = f"{layer} layer" + (f", W = {decoding.WINDOW}" if layer == "window" else "")
        heights = [1e3 * row.seconds for row in own]
        panel.plot([row.n for row in own], heights, style, color=color, label=label)
    _doubling(panel, sorted({row.n for row in rows}))
    panel.set_ylim(bottom=0)
    panel.set_xlabel("tokens n in the cache")
    panel.set_title("decoding, one layer: CPU ms a token", fontsize=11)
    panel.legend(frameon=False, fontsize=9)


def _generation(panel: Axes, rows: list[generation.Row], steps: int = 32) -> None:
    for row, (color, style) in zip(rows, ((OUTPUT, "o-"), (INK, "s--")), strict=True):
        firsts = range(0, len(row.ids) - steps + 1, steps)
        times = [1e3 * generation.step_seconds(row, first, steps) for first in firsts]
        middles = [first + steps / 2 for first in firsts]
        panel.plot(middles, times, style, color=color, label=f"{row.cache} a cache")
    panel.set_yscale("log")
    panel.set_xlabel("tokens written")
    panel.set_title("generating, a small decoder: CPU ms a token", fontsize=11)
    panel.legend(frameon=False, fontsize=9)


def _bars(panel: Axes, names: Sequence[str], heights: Sequence[float], title: str) -> None:
    colors = [OUTPUT if name.startswith(("ours", "grouped")) else MUTED for name in names]
    drawn = panel.bar(range(len(names)), heights, color=colors, width=0.6)
    panel.bar_label(drawn, fmt="{:,.0f}", fontsize=9, padding=2)
    panel.set_xticks(range(len(names)), list(names), fontsize=9)
    panel.set_title(title, fontsize=11)


def _doubling(panel: Axes, sizes: Sequence[int]) -> None:
    panel.set_xscale("log", base=2)
    panel.set_xticks(list(sizes), [str(size) for size in sizes])
    panel.minorticks_off()
