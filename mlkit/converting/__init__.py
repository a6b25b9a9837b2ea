"""From one long notebook to a pipeline: cut, wired, and held against the original."""
