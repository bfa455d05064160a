"""How many parameters a norm has."""

from course_lib.config.norms import (
    LayerNormConfig,
    LayerNormWithoutShiftConfig,
    NormConfig,
    RMSNormConfig,
    RMSNormWithoutGainConfig,
    UnitOffsetRMSNormConfig,
)
from course_lib.sizes import require_positive

__all__ = ["norm_parameters"]


def norm_parameters(config: NormConfig, size: int) -> int:
    """Count a norm's gains, and its shifts where it has any.

    Args:
        config: which norm.
        size: entries of the vectors that it normalises.

    Returns:
        The number of parameters.

    Raises:
        ValueError: if the size is below 1, or no whole number.

    Source: Ba et al. 2016 (arXiv:1607.06450), eq. 4; Zhang and Sennrich 2019 (arXiv:1910.07467),
    eq. 4.
    """
    require_positive(size=size)
    match config:
        case LayerNormConfig():
            return 2 * size
        case LayerNormWithoutShiftConfig() | RMSNormConfig() | UnitOffsetRMSNormConfig():
            return size
        case RMSNormWithoutGainConfig():
            return 0
