"""Who does what: the actors, the rules they follow, and the ways in."""
