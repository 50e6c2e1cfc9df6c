"""`zoo search`, from a checkout."""

from zoo.cli.search import main

if __name__ == "__main__":
    main()
