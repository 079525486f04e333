"""`python -m vlmkit`, for where the command itself is not on the PATH."""

from vlmkit.cli import main

if __name__ == "__main__":
    main()
