"""Words beside the ends of lines: apart where they would meet, and at their place where not."""

from matplotlib.figure import Figure

from course_lib.plotting.labels import label_ends
from course_lib.plotting.standard import WIDE


def heights(*xs: float) -> list[float]:
    """Return where labels of points of one height, at these places from 0 to 1, come to stand."""
    figure = Figure(figsize=(7, 3))
    axes = figure.subplots()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    label_ends(axes, WIDE, [(f"line {n}", "black", (x, 0.5)) for n, x in enumerate(xs)])
    figure.draw_without_rendering()
    boxes = [word.get_window_extent() for word in axes.texts]
    return [round((box.y0 + box.y1) / 2 / boxes[0].height, 2) for box in boxes]


def test_words_that_would_meet_are_a_line_apart() -> None:
    first, second, third = sorted(heights(0.5, 0.5, 0.52))
    assert second - first > 0.99
    assert third - second > 0.99


def test_words_that_do_not_meet_stay_where_their_lines_end() -> None:
    first, second, third = heights(0.1, 0.4, 0.7)
    assert first == second == third
