"""The rules of a negotiation, pure: no thread, no clock, no database."""
