"""The same work by other means: Papermill's command line, its API, and one plain process."""
