"""How much a model holds and costs, as exact integers computed from its sizes alone."""
