"""The share of the learning rate that a step gets."""

__all__ = ["warm_up"]


def warm_up(step: int, warmup_steps: int) -> float:
    """A straight line up to 1, and 1 from there on."""
    if step + 1 >= warmup_steps:
        return 1.0
    return (step + 1) / warmup_steps
