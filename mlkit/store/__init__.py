"""The runs folder: artifacts by digest, and the database of runs and results."""
