"""Lessons, exercises and stage notebooks as a static site: executed, shaped, built by Sphinx."""
