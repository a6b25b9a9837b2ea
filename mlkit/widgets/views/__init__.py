"""Views of pipelines and their runs."""
