"""`python -m mlkit`: the command line, where the script `mlkit` is not on the path."""

from mlkit.cli.main import main

if __name__ == "__main__":
    main()
