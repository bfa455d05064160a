"""A layer's attention as a module: one class for each member of the configuration's union."""
