"""`zoo list`, from a checkout."""

from zoo.cli.list import main

if __name__ == "__main__":
    main()
