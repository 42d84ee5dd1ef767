"""Package data: sample quotes."""
