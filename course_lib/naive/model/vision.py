"""Patches of one image, pixel by pixel."""

import numpy as np
from jaxtyping import Float64

__all__ = ["patches"]


def patches(images: Float64[np.ndarray, "_ _ _"], patch_size: int) -> Float64[np.ndarray, "T _"]:
    """The patches of one image, row by row; each patch by channel, row, column."""
    channels, height, width = images.shape
    result = []
    for top in range(0, height, patch_size):
        for left in range(0, width, patch_size):
            patch = []
            for channel in range(channels):
                for row in range(patch_size):
                    for column in range(patch_size):
                        patch.append(images[channel, top + row, left + column])
            result.append(patch)
    return np.array(result)
