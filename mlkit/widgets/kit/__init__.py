"""What views share: the panel, its controls, its markup, and the picture that stands for it."""
