"""Keys and values that are kept from step to step, so that a step costs only what is new."""
