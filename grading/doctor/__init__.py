"""A damaged hand-in -> a notebook that can be graded, and in sentences what was mended."""
