"""Workbenches for the ideas of the lessons, and the map of the lessons."""
