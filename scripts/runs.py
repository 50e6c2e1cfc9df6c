"""`zoo runs`, from a checkout."""

from zoo.cli.runs import main

if __name__ == "__main__":
    main()
