"""Notebooks: what they declare, what they hold, how they are executed."""
