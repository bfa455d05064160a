"""The benchmarks compare what is the same, see what is there, and tell what came out."""

import platform
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from benchmarks import attention, bpe, decoding, figure, generation
from benchmarks.__main__ import page
from benchmarks.measure import (
    MEMORY,
    ROOT,
    Bar,
    Section,
    exponent,
    in_own_process,
    machine,
    markdown,
    peak_bytes,
)

FOLDER = ROOT / "benchmarks"
MB = 1_000_000


def within(peak: int | None, low: float, high: float) -> bool:
    """A peak lies between two numbers of bytes, or this system does not tell."""
    if peak is None:
        return not MEMORY.exists()
    return low <= peak <= high


# What measures


def test_an_exponent_is_the_power_of_the_size() -> None:
    sizes = [256, 512, 1024]
    assert exponent(sizes, [7 * n**1.5 for n in sizes]) == pytest.approx(1.5)


def test_a_peak_is_seen_though_nothing_of_it_is_left() -> None:
    def call() -> None:
        torch.ones(10 * MB)

    for _ in range(2):  # freed memory that is used again is seen again
        # 40 MB; Linux counts pages in batches, so a few hundred kB may be missing.
        assert within(peak_bytes(call), 39 * MB, 42 * MB)
    assert within(peak_bytes(lambda: None), 0, MB)


def test_a_failure_in_its_own_process_is_told() -> None:
    with pytest.raises(
        RuntimeError, match=r"benchmarks\.nobody 7 ended with 1:\n.*No module named"
    ):
        in_own_process("benchmarks.nobody", 7)


def test_the_machine_is_named_and_its_host_is_not() -> None:
    assert torch.__version__ in machine()
    assert platform.node() not in machine()


# What is compared


@pytest.mark.parametrize(
    "group",
    [
        (attention.OURS, attention.FUSED, attention.FUSED_MASK),
        (attention.HEADS, attention.MODULE, attention.MODULE_WEIGHTS),
    ],
)
def test_attentions_that_are_compared_return_the_same(group: tuple[str, ...]) -> None:
    with torch.no_grad():
        first, *others = (attention.attention(name, 32)() for name in group)
        for other in others:
            assert_close(other, first, rtol=0, atol=1e-5)
    assert set(group) < set(attention.NAMES)


def test_ours_holds_the_scores_and_the_fused_one_does_not() -> None:
    n = 1024
    scores = 4 * attention.NUM_HEADS * n * n
    with torch.no_grad():
        for name in attention.NAMES:
            attention.attention(name, 16)()
        for name in (attention.OURS, attention.GROUPED, attention.HEADS):
            assert within(peak_bytes(attention.attention(name, n)), 1.9 * scores, 3 * scores)
        assert within(peak_bytes(attention.attention(attention.FUSED, n)), 0, scores / 4)


def test_ways_to_share_give_the_same_and_only_one_copies_keys() -> None:
    ours, repeated = (decoding.sharing(name, decoding.NUM_KEYS) for name in decoding.SHARINGS)
    keys = 4 * decoding.GROUPS * decoding.NUM_KEYS * decoding.HEAD_DIM
    reads = decoding.SHARED_HEADS // decoding.GROUPS
    assert within(peak_bytes(ours), 0, keys / 2)
    assert within(peak_bytes(repeated), reads * keys, (reads + 1) * keys)
    small = (decoding.sharing(name, 16) for name in decoding.SHARINGS)
    assert_close(*(call() for call in small), rtol=1e-5, atol=1e-4)  # sums of 16 products near 10


def test_a_process_of_its_own_measures_what_this_one_does() -> None:
    name, num_keys = decoding.SHARINGS[1], 4096
    row = decoding.SharingRow(**in_own_process("benchmarks.decoding", "sharing", name, num_keys))
    copies = 4 * decoding.SHARED_HEADS * num_keys * decoding.HEAD_DIM
    assert within(row.peak, copies, 1.25 * copies)
    assert row.seconds > 0


def test_a_window_keeps_its_cache_and_a_full_layer_does_not() -> None:
    sizes = (256, 1024)
    window, full = (decoding.measure_layer(layer, sizes, rounds=2) for layer in ("window", "full"))
    assert [row.nbytes for row in window] == [
        2 * 4 * decoding.NUM_KV_HEADS * decoding.HEAD_DIM * decoding.WINDOW
    ] * 2
    assert full[1].nbytes == 4 * full[0].nbytes


def test_tokens_and_logits_are_the_same_with_a_cache() -> None:
    kept, plain = (generation.run(cache, 8) for cache in generation.LOOPS)
    assert kept[0].ids == plain[0].ids
    assert len(kept[0].seconds) == len(kept[1]) == 8
    assert (kept[1] - plain[1]).abs().max() < generation.TOLERANCE


def test_without_a_cache_every_step_reads_all() -> None:
    model = generation.small_decoder()
    read: list[int] = []
    model.register_forward_hook(lambda _, inputs, __: read.append(inputs[0].shape[1]))
    expected = {"with": [16, 1, 1], "without": [16, 17, 18]}
    for cache, loop in generation.LOOPS.items():
        loop(model, torch.arange(16).unsqueeze(0), 3, generation.greedy)
        assert read == expected[cache]
        read.clear()


# What is told


def made_up() -> tuple[
    list[attention.Row],
    list[decoding.LayerRow],
    list[decoding.SharingRow],
    list[generation.Row],
    list[bpe.Row],
]:
    ids = list(range(64))
    return (
        [
            attention.Row(name=name, n=n, seconds=n**2 * 1e-6, peak=n**2)
            for n in attention.SIZES
            for name in attention.NAMES
        ],
        [
            decoding.LayerRow(layer=layer, n=n, seconds=1e-3, nbytes=n)
            for layer in decoding.LAYERS
            for n in decoding.SIZES
        ],
        [decoding.SharingRow(name=name, seconds=1e-3, peak=10**6) for name in decoding.SHARINGS],
        [
            generation.Row(cache=cache, seconds=[s * step for step in ids], parameters=7, ids=ids)
            for cache, s in zip(generation.LOOPS, (1.0, 4.0), strict=True)
        ],
        [
            bpe.Row(implementation=name, vocabulary="r50k_base", tokens=9, seconds=s, checksum=1)
            for name, s in zip(bpe.IMPLEMENTATIONS, (6.0, 2.0, 3.0), strict=True)
        ],
    )


def test_a_claim_fails_when_its_number_does() -> None:
    attention_rows, layer_rows, sharing_rows, generation_rows, _ = made_up()
    ours, fused = attention.section(attention_rows).bars
    assert ours.holds
    assert not fused.holds  # n² is not n
    slow = decoding.LayerRow(layer="window", n=99, seconds=1.21e-3, nbytes=1)
    assert decoding.layer_section(layer_rows).bars[0].holds
    assert not decoding.layer_section([*layer_rows, slow]).bars[0].holds
    assert decoding.sharing_section(sharing_rows).bars[0].holds
    copied = decoding.SharingRow(name=decoding.SHARINGS[0], seconds=1.0, peak=9 * MB)
    assert not decoding.sharing_section([copied, sharing_rows[1]]).bars[0].holds
    speed_up, same = generation.section(generation_rows, 1e-6).bars
    assert not speed_up.holds  # four times is not five
    assert same.holds
    assert not generation.section(generation_rows, 1e-3).bars[1].holds


def test_ours_says_by_how_much_it_loses() -> None:
    told = bpe.section(made_up()[-1])
    assert "3.0 times to tiktoken on r50k_base, 2.0 times to tokenizers on r50k_base" in told.text
    assert "| r50k_base | tiktoken | 9 | 4 | 3.0 |" in told.table


def test_a_page_begins_with_what_does_not_hold() -> None:
    bar = Bar(claim="a law", measured="7", holds=False)
    told = Section(title="A title", text="Words.", table=markdown(["n"], [["1"]]), bars=(bar,))
    written = page([told], "a machine")
    assert written.index("| a law | 7 | **no** |") < written.index("## A title")


def test_a_figure_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("one.svg", "other.svg")]
    for path in paths:
        figure.save(figure.draw(*made_up(), "a machine"), path)
    one, other = (path.read_text(encoding="utf-8") for path in paths)
    assert one == other
    assert "a machine" in one
    assert "dc:date" not in one


def test_the_committed_results_are_whole_and_hold() -> None:
    written = (FOLDER / "RESULTS.md").read_text(encoding="utf-8")
    assert "| yes |" in written
    assert "**no**" not in written
    for name in (*attention.NAMES, *decoding.SHARINGS, *bpe.IMPLEMENTATIONS, *bpe.VOCABULARIES):
        assert f"| {name} |" in written
    assert "results.svg" in written
    assert attention.OURS in (FOLDER / "results.svg").read_text(encoding="utf-8")
