"""What a stage's notebook itself calls; each module cheap to import by itself."""
