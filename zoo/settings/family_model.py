"""What a family's name stands for: `model=rnn` is another architecture for a series than for labelled sequences."""

from collections.abc import Sequence

from zoo.data.registry import DATA, facts


def resolve_family(overrides: Sequence[str]) -> list[str]:
    """Replace the family in `model=` by the architecture that the data set's FACTS name for it, if they name one."""
    chosen = dict(word.partition("=")[::2] for word in overrides)
    models = {name: facts(name) for name in chosen.get("data", "").split(",") if name in DATA.names()}
    named = {known.model for known in models.values() if known is not None}
    if len(named) != 1 or not (model := named.pop()):
        return list(overrides)
    family = model.partition("/")[0]

    def resolved(word: str) -> str:
        key, _, names = word.partition("=")
        if key != "model":
            return word
        return f"model={','.join(model if name == family else name for name in names.split(','))}"

    return [resolved(word) for word in overrides]
