"""Parts of models in loops; one idea a module."""
