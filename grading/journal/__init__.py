"""A learner's own file beside the notebook: first predictions, points, mistakes met and mended."""
