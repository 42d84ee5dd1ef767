"""What is true: the nouns, the tables, and the one door to the database."""
