"""`python -m zoo train ...` is `zoo train ...`, such as for torchrun."""

from zoo.cli.main import main

if __name__ == "__main__":
    main()
