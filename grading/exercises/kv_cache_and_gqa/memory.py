"""kv_cache_bytes: what a model keeps of one text."""

from __future__ import annotations

from typing import Any

from grading.exercise import Exercise, LeftOut, Misconception, Output, Probe, Tolerance
from grading.late import late

__all__ = ["EXACT", "KV_CACHE_BYTES"]

library = late("course_lib.counts.cache")

#: A count is right to the last digit.
EXACT = Tolerance(rtol=0.0, atol=0.25)
ORDER = ("layers", "G", "D", "T", "bytes", "windows")


def _sizes(*sizes: Any) -> Any:
    return lambda generator: dict(zip(ORDER, sizes, strict=True))


def _probe(name: str, *sizes: Any, **more: Any) -> Probe:
    letters = {} if more.get("edge") else dict(zip("LGDT", sizes, strict=False))
    return Probe(name=name, draw=_sizes(*sizes), sizes=letters, **more)


def _kept(layers: int, T: int, windows: Any) -> list[int]:
    return [T if W is None else min(T, W) for W in (windows or [None] * layers)]


def _count(kept: Any = _kept, each: Any = lambda G, D, b: 2 * G * D * b) -> Any:
    """Return a count: what a layer keeps, times what a token takes there."""

    def count(layers: int, G: int, D: int, T: int, bytes: int, windows: Any = None) -> Any:
        return sum(kept(layers, T, windows)) * each(G, D, bytes)

    return count


def _layer_after_layer(
    layers: int, G: int, D: int, T: int, bytes: int, windows: Any = None
) -> int:  # fmt: skip
    total = 0
    for layer in range(layers):
        window = None if windows is None else windows[layer]
        tokens = T if window is None or window > T else window
        for _ in ("key", "value"):
            total += G * D * tokens * bytes
    return total


def _by_parts(
    layers: int, G: int, D: int, T: int, bytes: int, windows: Any = None
) -> int:  # fmt: skip
    """Count whole layers first, and take off what windows save."""
    saved = sum(max(T - W, 0) for W in windows or () if W is not None)
    return int((layers * T - saved) * G * D * bytes * 2)


def _whole(layers: int, T: int, windows: Any) -> list[int]:
    return [T] * layers


def _each(rule: Any) -> Any:
    """Return what layers keep by a rule for T and a window."""
    return lambda layers, T, windows: [rule(T, W) for W in (windows or [None] * layers)]


def _first_for_all(layers: int, T: int, windows: Any) -> list[int]:
    return [_kept(1, T, windows and windows[:1])[0]] * layers


def _smallest_for_all(layers: int, T: int, windows: Any) -> list[int]:
    return [min([T, *(W for W in windows or () if W is not None)])] * layers


KV_CACHE_BYTES = Exercise(
    name="kv_cache_bytes", slug="kv-cache-and-gqa", task="bytes", title="Bytes of a cache",
    kind="warm-up", points=0.5, difficulty=1, importance=3, minutes=10, parameters=ORDER,
    defaults={"windows": None}, outputs=(Output(name="bytes", kind="int"),), tolerance=EXACT,
    alike=EXACT, equation="eq-cache-bytes",
    reference=lambda layers, G, D, T, bytes, windows=None: library.kv_cache_bytes(
        layers, G, D, T, bytes, windows),
    part="course_lib.counts.cache.kv_cache_bytes",
    next_rung="The heads that ask do not enter: sharing keys among R of them divides it by R.",
    probes=(
        _probe("32 layers, 8 key heads of 128, 1000 tokens, windows left out", 32, 8, 128, 1000, 2,
               LeftOut()),
        _probe("3 layers, one with a window of 4, eleven tokens", 3, 2, 5, 11, 4, [None, 4, None]),
        _probe("4 layers with windows of 3, 20, none and 6, nine tokens", 4, 3, 7, 9, 1,
               [3, 20, None, 6]),
        _probe("5 layers, windows=None", 5, 3, 8, 6, 2, None),
        _probe("5 layers with windows that are longer than the text", 5, 2, 7, 3, 2, [10] * 5),
        _probe("gpt-oss-20b at 131,072 tokens in bfloat16", 24, 8, 64, 131_072, 2,
               [128, None] * 12),
        _probe("nothing so far", 2, 3, 5, 0, 2, [4, None], edge=True),
        _probe("one layer, one head, one number, one token", 1, 1, 1, 1, 1, None, edge=True),
    ),
    misconceptions=(
        Misconception(code="KVB-FORGETV", wrong=_count(each=lambda G, D, b: G * D * b), sentence=(
            "Keys alone are counted. A value of the same size is kept beside each.")),
        Misconception(code="KVB-H", wrong=_count(each=lambda G, D, b: 2 * D * b), also=(
            _count(each=lambda G, D, b: 2 * G * G * D * b),), sentence=(
            "G does not enter as it should: left out, or taken twice. Each of G key heads keeps D "
            "numbers.")),
        Misconception(code="KVB-D", wrong=_count(each=lambda G, D, b: 2 * G * b), also=(
            _count(each=lambda G, D, b: 2 * G * D * D * b),), sentence=(
            "D does not enter as it should: left out, or taken twice. A key is D numbers.")),
        Misconception(code="KVB-WINDOW", wrong=_count(_whole), sentence=(
            "The windows change nothing. A layer with a window keeps its last W tokens.")),
        Misconception(code="KVB-LONG", wrong=_count(_each(lambda T, W: T if W is None else W)),
                      sentence=(
            "A layer keeps W tokens even where there are fewer. It keeps what there is: the "
            "smaller of T and W.")),
        Misconception(code="KVB-MAX", wrong=_count(
            _each(lambda T, W: T if W is None else max(T, W))), sentence=(
            "The larger of T and W is kept. A window limits: the smaller one.")),
        Misconception(code="KVB-NOWINDOWED", wrong=_count(
            _each(lambda T, W: T if W is None else 0)), sentence=(
            "Layers with a window are not counted. They keep W tokens, few but not none.")),
        Misconception(code="KVB-NOFULL", wrong=lambda layers, G, D, T, bytes, windows=None:
                      _count()(layers, G, D, T, bytes) if windows is None else _count(
                          _each(lambda T, W: 0 if W is None else min(T, W)))(
                              layers, G, D, T, bytes, windows), sentence=(
            "Layers whose window is None are not counted. They have no window and keep all T "
            "tokens.")),
        Misconception(code="KVB-SAMEALL", wrong=_count(_first_for_all), also=(
            _count(_smallest_for_all),), sentence=(
            "One window is taken for all layers, the first or the smallest. Each layer has its "
            "own, or none.")),
        Misconception(code="KVB-WLESS", wrong=_count(
            _each(lambda T, W: T if W is None else min(T, W - 1))), sentence=(
            "One token too few is kept. A window of W is W tokens, the newest among them.")),
        Misconception(code="KVB-ONELAYER", wrong=lambda layers, G, D, T, bytes, windows=None:
                      _count()(1, G, D, T, bytes, windows and windows[:1]), sentence=(
            "One layer alone is counted. Every layer keeps keys and values of its own.")),
        Misconception(code="KVB-NUMBERS", wrong=_count(each=lambda G, D, b: 2 * G * D), sentence=(
            "Numbers are counted, and not bytes.")),
        Misconception(code="KVB-BITS", wrong=_count(each=lambda G, D, b: 16 * G * D * b), also=(
            _count(each=lambda G, D, b: G * D * b // 4),), sentence=(
            "A factor of eight is in the result, as between bits and bytes. bytes says how many "
            "bytes a number takes.")),
    ),
    alternatives=(_layer_after_layer, _by_parts),
)  # fmt: skip
