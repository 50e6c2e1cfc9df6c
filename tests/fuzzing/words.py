"""Command line arguments, valid and invalid."""

from hypothesis import strategies as st

_KEYS = (
    *("model", "data", "optim", "trainer", "callbacks", "logger", "experiment", "task", "seed", "seeds", "resume"),
    *("model.width", "model.depth", "model.nope", "data.batch_size", "data.path", "optim.lr", "optim.schedule.warmup"),
    *("trainer.max_epochs", "trainer.precision", "task.loss", "finetune", "modle", "data.", ".data", "optim.lr.x", ""),
)
_VALUES = (
    *("fnn", "cnn", "rnn/lstm", "cnnn", "breast_cancer", "csv", "adamw", "cpu", "debug", "none", "null", "auto"),
    *("0", "-1", "1e-3", "1e999", "nan", "9" * 400, "true", "[1,2]", "[1,[2", "{a:1}", "{a", "'a", '"', "\\"),
    *("$", "${", "${seed}", "${nope}", "${oc.env:NOPE}", "${seed:${seed}}", "???", "../x", "/x", "a b", "größe", "😀"),
    *("a" * 5000, "x@y", "x=y", "1,2", "choice(1,2)", "range(1,9)", "glob(*)", "extend_list(1)", "int(x)"),
)


def overrides() -> st.SearchStrategy[str]:
    """Draw a command line argument, valid or invalid."""
    loose = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
    setting = st.tuples(
        st.sampled_from(("", "", "", "+", "++", "~")),
        st.one_of(st.sampled_from(_KEYS), loose.filter(lambda key: not key.startswith(("-", "hydra")))),
        st.sampled_from(("=", "=", "=", "", "==")),
        st.one_of(st.sampled_from(_VALUES), loose),
    )
    return st.one_of(setting.map("".join), st.sampled_from(("model=fnn/mlp", "model=cnn", "model=rnn", "--help")))
