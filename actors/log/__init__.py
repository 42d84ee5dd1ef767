"""The log of a run: its file, what it tells about itself and the run, and how others read it."""
