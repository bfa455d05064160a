"""What a block does to each vector on its own: norms, activations, feed-forward networks."""
