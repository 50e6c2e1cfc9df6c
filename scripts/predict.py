"""`zoo predict`, from a checkout."""

from zoo.cli.predict import main

if __name__ == "__main__":
    main()
