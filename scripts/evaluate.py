"""`zoo evaluate`, from a checkout."""

from zoo.cli.evaluate import main

if __name__ == "__main__":
    main()
