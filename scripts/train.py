"""`zoo train`, from a checkout."""

from zoo.cli.train import main

if __name__ == "__main__":
    main()
