"""How a model learns: tasks, the loss, one plain loop, recipes."""
