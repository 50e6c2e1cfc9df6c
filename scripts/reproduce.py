"""`zoo reproduce`, from a checkout."""

from zoo.cli.reproduce import main

if __name__ == "__main__":
    main()
