"""Fingerprints, and the choice between running a stage and reusing its result."""
