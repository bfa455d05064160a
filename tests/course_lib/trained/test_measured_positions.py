"""The two committed tables on positions: whole, saying what the chapter says, measured again."""

import csv
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from course_lib.data import measure_positions, measure_stretching
from course_lib.data.measure_positions import IN_A_WINDOW, KINDS, MEASURED, TRAINED
from course_lib.data.measure_stretching import LONG, SHORT, TUNING, WAYS
from course_lib.positions.absolute import sinusoidal


def rows(path: Path, columns: tuple[str, ...]) -> dict[tuple[str, int, int], list[float]]:
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    assert tuple(lines[0]) == columns
    return {
        (name, int(one), int(two)): [float(loss) for loss in losses]
        for name, one, two, *losses in lines[1:]
    }


@pytest.fixture(scope="module")
def places() -> dict[tuple[str, int, int], list[float]]:
    return rows(measure_positions.TABLE, measure_positions.COLUMNS)


@pytest.fixture(scope="module")
def stretched() -> dict[tuple[str, int, int], list[float]]:
    return rows(measure_stretching.TABLE, measure_stretching.COLUMNS)


def beyond(losses: list[float]) -> float:
    """How much more the places cost that training on 20 never reached."""
    return sum(losses[19:]) / 20 - sum(losses[:19]) / 19


def test_the_tables_hold_every_row(
    places: dict[tuple[str, int, int], list[float]],
    stretched: dict[tuple[str, int, int], list[float]],
) -> None:
    seeds = measure_positions.SEEDS
    every = {*itertools.product(KINDS, TRAINED, seeds)}
    every |= {*itertools.product(IN_A_WINDOW.values(), (20,), seeds)}
    assert places.keys() == every
    assert stretched.keys() == {*itertools.product(WAYS, (0, TUNING), measure_stretching.SEEDS)}
    assert {len(losses) for losses in places.values()} == {MEASURED - 1}
    assert {len(losses) for losses in stretched.values()} == {LONG // measure_stretching.GROUP}
    assert len(seeds) >= 3
    assert len(measure_stretching.SEEDS) >= 3


def test_in_every_seed_alibi_goes_on_and_added_vectors_do_not(
    places: dict[tuple[str, int, int], list[float]],
) -> None:
    for seed in measure_positions.SEEDS:
        lost = {kind: beyond(places[kind, 20, seed]) for kind in KINDS}
        assert lost["ALiBi"] < 0.03 < lost["NoPE"] < lost["learned"]
        assert lost["ALiBi"] < 0.1 < lost["RoPE"] < lost["sinusoidal"]
        for kind, windowed in IN_A_WINDOW.items():
            assert beyond(places[windowed, 20, seed]) < beyond(places[kind, 20, seed])
            assert places[windowed, 20, seed][:19] == places[kind, 20, seed][:19]
        for kind in KINDS:  # the places themselves are no harder
            assert beyond(places[kind, 40, seed]) < 0.08


def test_in_every_seed_yarn_is_lost_less_than_interpolation(
    stretched: dict[tuple[str, int, int], list[float]],
) -> None:
    at = SHORT // measure_stretching.GROUP
    for seed in measure_stretching.SEEDS:
        far = {way: sum(stretched[way, 0, seed][at:]) for way in WAYS}
        assert far["YaRN"] < far["NTK"] < far["none"]
        near = {way: sum(stretched[way, 0, seed][:at]) for way in WAYS}
        assert min(near, key=lambda way: near[way]) == "none"
        assert max(near, key=lambda way: near[way]) == "interpolation"


def test_a_table_of_sinusoids_is_written_and_not_trained() -> None:
    model = measure_positions.drawn("sinusoidal", torch.Generator().manual_seed(0))
    table = model.get_parameter("positions")
    assert torch.equal(table, sinusoidal(MEASURED, table.shape[1]))
    assert not table.requires_grad
    model = measure_positions.drawn("learned", torch.Generator().manual_seed(0))
    assert model.get_parameter("positions").requires_grad


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Small products gain nothing by threads, which wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("without_annotations", "one_thread")
def test_a_shorter_training_ends_at_20_likewise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure_positions, "STEPS", 120)
    learned = measure_positions.measured("learned", 20, 0)["learned"]
    alibi = measure_positions.measured("ALiBi", 20, 0)["ALiBi"]
    assert beyond(alibi) < 0.05
    assert beyond(learned) > 0.2


@pytest.mark.usefixtures("without_annotations", "one_thread")
def test_a_shorter_training_stretches_likewise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure_stretching, "STEPS", 100)
    monkeypatch.setattr(measure_stretching, "TUNING", 1)
    found = measure_stretching.measured(0, ("none", "YaRN"))
    at = SHORT // measure_stretching.GROUP
    far = {way: sum(found[way, 0][at:]) / (12 - at) for way in ("none", "YaRN")}
    assert far["YaRN"] < far["none"] - 0.07
    assert sum(found["none", 0][:at]) < sum(found["YaRN", 0][:at])


@pytest.mark.usefixtures("without_annotations", "one_thread")
def test_a_window_is_measured_of_the_same_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure_positions, "STEPS", 3)
    found = measure_positions.measured("RoPE", 20, 0)
    assert found["RoPE"][:19] == found["RoPE, window"][:19]
    assert found["RoPE"][20:] != found["RoPE, window"][20:]
    assert found.keys() == {"RoPE", "RoPE, window"}
    assert measure_positions.measured("RoPE", 40, 0).keys() == {"RoPE"}
