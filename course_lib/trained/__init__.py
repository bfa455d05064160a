"""What somebody trained: heads, a pronouncer, and the text that models are trained on."""
