"""The names of released checkpoints -> ours; the only place where foreign names stand."""
