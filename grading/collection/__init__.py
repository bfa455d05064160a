"""From what an LMS hands out to submitted/: zips and folders are read, each notebook is placed."""
