"""Observers: they receive the events of a run, show or pass them on, and never steer."""
