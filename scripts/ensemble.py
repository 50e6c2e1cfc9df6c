"""`zoo ensemble`, from a checkout."""

from zoo.cli.ensemble import main

if __name__ == "__main__":
    main()
