"""How long things take, side by side: `python -m benchmarks --help`."""
