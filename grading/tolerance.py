"""How far an answer's numbers may be from what is expected."""

from dataclasses import dataclass

__all__ = ["ALIKE", "DOUBLE", "HALF", "SINGLE", "Tolerance"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How far an answer may be from what is expected: |a - b| <= atol + rtol * |b|."""

    rtol: float = 1e-7
    atol: float = 1e-9


#: For inputs in float64.
DOUBLE = Tolerance()
#: How closely an answer agrees with a mistake that it is taken for.
ALIKE = Tolerance(rtol=1e-5, atol=1e-6)
#: For inputs in float32: what a different order of the same operations costs.
SINGLE = Tolerance(rtol=1e-4, atol=1e-5)
#: For inputs in bfloat16, whose numbers have eight bits. Right answers that round after each step
#: are up to 0.0244 · (1 + |b|) off, an entropy most; the tests measure it.
HALF = Tolerance(rtol=0.05, atol=0.05)
