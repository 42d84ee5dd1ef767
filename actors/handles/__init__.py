"""Handles: quotes and their negotiations as a person holds them, at a prompt or in a program."""
