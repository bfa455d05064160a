"""The bytes that attention moves: equal to a walk over all loads, and as the paper says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.counts import traffic as lib
from course_lib.naive.counts import traffic as naive

sizes = st.integers(1, 40)


@given(T=sizes, D=sizes, rows=sizes, rest=sizes, bytes=st.sampled_from([1, 2, 4]))
def test_every_load_and_store_is_counted(T: int, D: int, rows: int, rest: int, bytes: int) -> None:
    chip = 4 * D * rows + rest % (4 * D)
    for method in lib.METHODS:
        expected = naive.hbm_traffic(T, D, chip, method, bytes)
        assert lib.hbm_traffic(T, D, chip, method, bytes) == expected


def test_where_all_rows_fit_everything_is_moved_once() -> None:
    assert lib.hbm_traffic(64, 16, 4 * 64 * 16, "flash", 1) == 4 * 64 * 16
    assert lib.hbm_traffic(64, 16, 4 * 63 * 16, "flash", 1) == 6 * 64 * 16


@given(T=sizes, D=sizes, rows=sizes)
def test_a_larger_chip_moves_no_more_and_the_naive_way_does_not_care(
    T: int, D: int, rows: int
) -> None:
    small, large = 4 * D * rows, 4 * D * (rows + 1)
    assert lib.hbm_traffic(T, D, large, "flash") <= lib.hbm_traffic(T, D, small, "flash")
    assert lib.hbm_traffic(T, D, large, "naive") == lib.hbm_traffic(T, D, small, "naive")


def test_the_tiled_traffic_is_the_square_over_the_chip() -> None:
    """Theorem 2: T² D² / chip, up to a constant, 8 here, where T is long."""
    T, D, chip = 2**16, 64, 2**16
    ideal = 8 * T**2 * D**2 / chip
    assert lib.hbm_traffic(T, D, chip, "flash", 1) == pytest.approx(ideal, rel=0.01)


def test_a_tiny_chip_moves_more_than_the_naive_way() -> None:
    assert lib.hbm_traffic(256, 64, 256, "flash") > lib.hbm_traffic(256, 64, 256, "naive")


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match=r"M is 255 and 4 D is 256"):
        lib.hbm_traffic(8, 64, 255, "flash")
    with pytest.raises(ValueError, match=r"one of naive, flash; method is 'fast'"):
        lib.hbm_traffic(8, 64, 256, "fast")
