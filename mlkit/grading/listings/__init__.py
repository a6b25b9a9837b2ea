"""Readers of DAG files and pipeline files, which judge a text and never run it."""
