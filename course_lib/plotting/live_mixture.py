"""A mixture that the page computes: weights that fall with the squared distance, in Vega's words.

Both figures of a soft lookup are made of these steps: every query meets every key, each pair gets
an exponential, and the values are summed by query.
"""

from collections.abc import Sequence

import altair as alt

__all__ = ["grid", "mixed", "pairs", "rows"]


def rows(keys: Sequence[float], values: Sequence[float]) -> alt.InlineData:
    """Return the keys with their values as data: one row each, counted from 0.

    Args:
        keys: where each key stands.
        values: what each key hands over.

    Returns:
        The data, with the fields `n`, `key` and `value`.
    """
    pairs_of = enumerate(zip(keys, values, strict=True))
    return alt.InlineData(values=[{"n": n, "key": k, "value": v} for n, (k, v) in pairs_of])


def grid(low: float, high: float, steps: int) -> alt.SequenceGenerator:
    """Return queries from one end of an axis to the other, for a curve.

    Args:
        low: the first query.
        high: the last query.
        steps: how many gaps lie between them.

    Returns:
        The data, with the field `x`.
    """
    step = (high - low) / steps
    return alt.sequence(low, high + step / 2, step, as_="x")


def pairs(chart: alt.Chart, keys: Sequence[float], values: Sequence[float]) -> alt.Chart:
    """Let every row of a chart, a query at `x`, meet every key.

    Args:
        chart: a chart whose rows have a field `x`.
        keys: where each key stands.
        values: what each key hands over.

    Returns:
        The chart with one row per pair, and the fields `key`, `value` and `n`.
    """
    met: alt.Chart = chart.transform_calculate(
        key=str([*keys]), value=str([*values]), n=str([*range(len(keys))])
    ).transform_flatten(["key", "value", "n"])
    return met


def mixed(chart: alt.Chart, temperature: str) -> alt.Chart:
    """Give every pair its weight and every query its mixture.

    The smallest distance of a query is taken off first: the nearest key has the exponential 1.

    Args:
        chart: rows of pairs, with the fields `x`, `key` and `value`.
        temperature: a Vega expression: by what the squared distances are divided.

    Returns:
        The chart with the fields `weight`, `part` (weight times value) and `output` (their sum).
    """
    weighed: alt.Chart = (
        chart.transform_calculate(far="pow(datum.x - datum.key, 2)")
        .transform_joinaggregate(nearest="min(far)", groupby=["x"])
        .transform_calculate(e=f"exp((datum.nearest - datum.far) / ({temperature}))")
        .transform_joinaggregate(total="sum(e)", groupby=["x"])
        .transform_calculate(weight="datum.e / datum.total")
        .transform_calculate(part="datum.weight * datum.value")
        .transform_joinaggregate(output="sum(part)", groupby=["x"])
    )
    return weighed
