"""JupyterLab as mlkit opens it: on a notebook, or on a stage's source with its real inputs."""
