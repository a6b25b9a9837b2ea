"""Dagster: ops in a job, and an asset for each artifact."""
