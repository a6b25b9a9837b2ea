"""Compile a pipeline to a Prefect flow."""
