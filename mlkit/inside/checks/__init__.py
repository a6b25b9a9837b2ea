"""What `mlkit.check` does in a notebook: facts, cells and roles, which the grader reads alike."""
