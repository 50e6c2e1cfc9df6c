"""`zoo explain`, from a checkout."""

from zoo.cli.explain import main

if __name__ == "__main__":
    main()
