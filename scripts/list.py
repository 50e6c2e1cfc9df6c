"""What the zoo holds: python scripts/list.py [pattern], such as "cnn/*" or "*mnist*"."""

import argparse


def main() -> None:
    import zoo

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pattern", nargs="?", default="*", help="shell wildcards")
    pattern = parser.parse_args().pattern
    for title, names in (
        ("models (model=)", zoo.list_models(pattern)),
        ("data (data=)", zoo.list_data(pattern)),
        ("pretrained (weights=)", zoo.list_pretrained(pattern)),
    ):
        print(f"{title}\n" + "\n".join(f"  {name}" for name in names or ["none match"]))


if __name__ == "__main__":
    main()
