"""What the course adds to nbgrader's own steps; `nbgrader_config.py` names each."""
