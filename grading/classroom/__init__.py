"""A course directory's life: release, a sample class, learners' copies, runs of the solutions."""
