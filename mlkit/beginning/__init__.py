"""A pipeline of one's own: the first one, and a further stage."""
