"""Who decides the next move: the seam, and one file per negotiator."""
