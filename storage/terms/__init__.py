"""What the two sides agree on beside the price: a file for each kind of term."""
