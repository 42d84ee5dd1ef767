"""What each command does; `main` parses, and turns errors and signals into exit codes."""
