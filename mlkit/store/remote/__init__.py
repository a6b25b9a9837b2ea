"""What stands behind a URL: files in one piece, shared artifacts and results, mirrored runs."""
