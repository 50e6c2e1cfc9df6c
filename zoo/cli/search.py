"""Search for good settings of a training: zoo search [MODEL] [DATA] [COLUMN] [key=value ...] [trials=20].

The words are those of zoo train. A setting with a range LOW..HIGH or several values a,b,c is searched; without any, the
learning rate, the weight decay, and the model's width, depth and dropout are. Ranges are on a logarithmic scale where
HIGH is at least ten times LOW; "optim.lr=log(1,2)" and "optim.lr=interval(1,20)" say which.
Each of trials= trainings has its folder in run_dir=; poor ones are pruned, and the validation loss decides. budget= is
of each training. The same command resumes a search that was ended, and goes on with a higher trials=.

  zoo search table.csv price
  zoo search table.csv price optim.lr=1e-4..1e-1 model.width=32,64,128
  zoo search cnn photos/ optim.lr=1e-3..1 optim=sgd,adamw trials=30 run_dir=runs/search
"""

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

from zoo.cli.command_words import Words, as_override, print_understood, read_words
from zoo.cli.errors import exit_codes
from zoo.core.console import echo, terminal_width

TRIALS = 20
OWN = ("trials", "run_dir")  # settings of the search itself


def main(words: Sequence[str] | None = None) -> None:
    """Run the command; `words` are those of its command line, by default the process's."""
    from zoo.cli.help import docstring

    with exit_codes():
        read = read_words(sys.argv[1:] if words is None else words, {"--help": False, "-h": False}, lambda: OWN)
        if read.flags:
            return echo(docstring("search"))
        settings = [word for word in read.settings if word.partition("=")[0] not in OWN]
        settings = [*_understood(read), *settings]
        _search(settings, {key: value for key, value in read.given().items() if key in OWN})


def _understood(read: Words) -> list[str]:
    """Return the settings that the bare words stand for."""
    from zoo.cli.data_words import training_settings

    understood = training_settings(read)
    print_understood(understood)
    return [as_override(key, value) for key, value in understood.items()]


def _search(words: Sequence[str], own: dict[str, str]) -> None:
    import optuna  # noqa: F401, a missing extra is told before anything is read

    from zoo.cli.options import read_options
    from zoo.search.space import divide, n_combinations, usual_space
    from zoo.search.study import Search, run_search
    from zoo.search.summary import summarise
    from zoo.search.trial import read_config

    given = read_options([f"{key}={value}" for key, value in own.items()], {"trials": int, "run_dir": Path})
    settings, space = divide(words)
    if not space:
        usual = usual_space(read_config(settings, Path())[0])
        echo(f"searches the usual settings of the model: {' '.join(usual)}")
        space = divide(usual)[1]
    default = Path("runs", "search", hashlib.sha256("\n".join(sorted(words)).encode()).hexdigest()[:8])
    seed = next((int(word[5:]) for word in settings if word.startswith("seed=")), 0)
    n_trials = min(given.get("trials", TRIALS), n_combinations(space))
    search = Search(settings, space, given.get("run_dir", default), int(n_trials), seed)
    echo(f"{search.n_trials} trials in {search.folder}, which the same command resumes", flush=True)
    study = run_search(search)
    echo(summarise(search, study, terminal_width()))
