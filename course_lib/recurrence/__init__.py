"""A state carried from step to step: cells, sequences, gradients, encoder-decoder."""
