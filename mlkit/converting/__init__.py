"""From one long notebook to a pipeline: cut, wired, and compared with the original."""
