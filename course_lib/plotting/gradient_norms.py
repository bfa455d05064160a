"""How strongly a state depends on an earlier one, moved by sigma, the function and the distance."""

from collections.abc import Mapping, Sequence

import altair as alt

from course_lib.plotting.colors import MUTED, OUTPUT
from course_lib.plotting.live import THEME_INK, LiveFigure, ink, said

__all__ = ["gradient_norms"]

# The axes stand still: from what ReLU leaves of a small random matrix to what a large one makes.
LOW, HIGH = 1e-16, 1e4
DECADES = [1e-16, 1e-8, 1]
AS_POWER = "datum.value > 1e-4 ? '1' : datum.value > 1e-12 ? '10⁻⁸' : '10⁻¹⁶'"

Norms = Mapping[tuple[str, str], Sequence[Sequence[float]]]


def gradient_norms(norms: Norms, sigmas: Sequence[float], steps_back: Sequence[int]) -> LiveFigure:
    """Let the reader choose a recurrent network and see what is left of the gradient, step by step.

    The norms are computed beforehand; the bound, sigma to the power of the distance, in the page.

    Args:
        norms: by the names of the matrix and of the function: a row for each sigma, and in it the
            norm for each distance.
        sigmas: the largest singular values, in tenths, evenly spaced.
        steps_back: the distances T - t, evenly spaced from 0.

    Returns:
        The figure: two choices, and sliders for sigma and the distance.

    Raises:
        ValueError: if a table has not one row for each sigma and one norm for each distance, or a
            combination of matrix and function is missing.
    """
    matrices, functions = (list(dict.fromkeys(names)) for names in zip(*norms, strict=True))
    missing = [(m, f) for m in matrices for f in functions if (m, f) not in norms]
    if missing:
        raise ValueError(
            "each matrix goes with each function; "
            f"{len(missing)} of {len(matrices) * len(functions)} are missing: {missing[0]}"
        )
    for name, table in norms.items():
        if len(table) != len(sigmas) or {*map(len, table)} != {len(steps_back)}:
            raise ValueError(
                "a table has a row for each sigma and a norm for each distance; "
                f"there are {len(sigmas)} sigmas and {len(steps_back)} distances, and {name} has "
                f"{len(table)} rows of {sorted(set(map(len, table)))}"
            )
    data = [
        {"matrix": matrix, "squash": function, "tenths": round(10 * sigma),
         "back": list(steps_back), "norm": [float(f"{norm:.4g}") for norm in row]}
        for (matrix, function), table in norms.items()
        for sigma, row in zip(sigmas, table, strict=True)
    ]  # fmt: skip
    chart = alt.vconcat(
        *_panels(alt.Chart(alt.InlineData(values=data)), steps_back[-1])
    ).add_params(ink(), *_controls(matrices, functions, sigmas, steps_back))
    shown = (
        "Points: the norm of the gradient by steps back, on a logarithmic axis, beside its bound. "
        "Two bars: norm and bound at the chosen distance."
    )
    return LiveFigure(chart, name="gradient-norms", alt_text=shown)


def _controls(
    matrices: Sequence[str], functions: Sequence[str], sigmas: Sequence[float],
    steps_back: Sequence[int],
) -> list[alt.Parameter]:  # fmt: skip
    def choice(name: str, options: Sequence[str], shown: str) -> alt.Parameter:
        bind = alt.binding_select(options=list(options), name=shown)
        return alt.param(name=name, value=options[0], bind=bind)

    sigma = alt.param(name="sigma", value=0.9, bind=alt.binding_range(
        min=sigmas[0], max=sigmas[-1], step=round(sigmas[1] - sigmas[0], 9),
        name="Largest singular value σ₁ "))  # fmt: skip
    length = alt.param(name="length", value=steps_back[-1], bind=alt.binding_range(
        min=steps_back[1], max=steps_back[-1], step=steps_back[1],
        name="Steps back, T − t "))  # fmt: skip
    return [
        choice("matrix", matrices, "Recurrent matrix "),
        choice("squash", functions, "Nonlinearity "),
        sigma,
        length,
        said("sigma", "format(sigma, '.1f')"),
        said("length", "'' + length"),
    ]


def _panels(base: alt.Chart, farthest: int) -> tuple[alt.LayerChart, alt.LayerChart]:
    seen = base.transform_filter(
        "datum.matrix == matrix && datum.squash == squash && "
        "datum.tenths == round(10 * sigma)"
    ).transform_flatten(["back", "norm"]).transform_filter("datum.back <= length")  # fmt: skip
    seen = seen.transform_calculate(bound="pow(sigma, datum.back)")
    return _by_distance(seen, farthest), _at_the_end(seen)


def _by_distance(seen: alt.Chart, farthest: int) -> alt.LayerChart:
    """Draw the norm at every distance that the reader asks for, and the bound as a dashed line."""
    x = alt.X("back:Q", title="steps back, T − t", scale=alt.Scale(domain=[0, farthest]),
              axis=alt.Axis(values=list(range(0, farthest + 1, 10))))  # fmt: skip
    axis = alt.Axis(values=DECADES, minExtent=52, maxExtent=52, labelExpr=AS_POWER)
    scale = alt.Scale(type="log", domain=[LOW, HIGH], clamp=True)
    points = seen.transform_calculate(
        said="'norm, ' + datum.back + ' steps back: ' + format(datum.norm, '.3~g')"
    ).mark_point(filled=True, size=50, color=OUTPUT, opacity=1).encode(
        x=x, y=alt.Y("norm:Q", title=None, scale=scale, axis=axis), description="said:N"
    )  # fmt: skip
    bound = seen.mark_line(color=MUTED, strokeDash=[6, 4]).encode(
        x=x, y=alt.Y("bound:Q", title=None, scale=scale, axis=axis)
    )
    title = alt.expr("'Dots: the norm. Dashes: ' + format(sigma, '.1f') + ' to that power'")
    drawn: alt.LayerChart = (bound + points).properties(
        width=270, height=190, title=alt.Title(title, frame="bounds")
    )
    return drawn


def _at_the_end(seen: alt.Chart) -> alt.LayerChart:
    """Draw norm and bound at the farthest distance as bars that begin at 1."""
    ends = seen.transform_filter("datum.back == length").transform_fold(
        ["norm", "bound"], as_=["what", "size"]
    ).transform_calculate(
        name="datum.what == 'norm' ? 'norm' : 'bound'", one="1",
    ).transform_calculate(
        said="datum.name + ', ' + length + ' steps back: ' + format(datum.size, '.3~g')",
        label="datum.name + ' at ' + length + ' steps: ' + format(datum.size, '.3~g')",
    )  # fmt: skip
    y = alt.Y("name:N", sort=["norm", "bound"], title=None, axis=alt.Axis(
        labels=False, ticks=False, domain=False, minExtent=52, maxExtent=52))  # fmt: skip
    x = alt.X("size:Q", title=None, scale=alt.Scale(type="log", domain=[LOW, HIGH], clamp=True),
              axis=alt.Axis(values=DECADES, labelExpr=AS_POWER))  # fmt: skip
    bars = ends.mark_bar(height=14, yOffset=9).encode(
        x=x, x2="one:Q", y=y, description="said:N",
        color=alt.when("datum.what == 'norm'").then(alt.value(OUTPUT)).otherwise(alt.value(MUTED)),
    )  # fmt: skip
    words = ends.mark_text(align="left", dy=-9, fontSize=13).encode(
        x=alt.value(0), y=y, text="label:N", color=alt.value(THEME_INK)
    )
    drawn: alt.LayerChart = (bars + words).properties(
        width=270,
        height=alt.Step(42),
        title=alt.Title("Left of 1: shrunk. Right of 1: grown", frame="bounds"),
    )
    return drawn
