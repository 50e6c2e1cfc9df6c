"""The installed package: the wheel, its command, and its Python interface."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.commands import ROOT
from helpers.own_code import MODEL

import zoo
from zoo.core.errors import UserError

FROM_WHEEL = """
import zoo
assert "installed" in zoo.__file__
try:
    zoo.train({"model": {"name": "fnn/mlp"}}, "run")
except zoo.UserError as error:
    print(error)
metrics = zoo.train(zoo.config("fnn/mlp", "trainer=cpu", "trainer.max_epochs=2", width=32), "run")
print(zoo.__version__, metrics["epoch"])
"""
MEGABYTES = 40  # limit of a wheel, with its weights


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the installed wheel, and a function that runs its programs outside the repository."""
    folder = tmp_path_factory.mktemp("installed")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    assert wheel.stat().st_size < MEGABYTES * 1e6
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", str(folder / "site")]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True)
    nowhere = {f"{scheme}_proxy": "http://127.0.0.1:9" for scheme in ("http", "https")}  # no network is needed
    environment = {**os.environ, **nowhere, "PYTHONPATH": str(folder / "site")}

    def run(*command, cwd):
        return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=240)

    return folder / "site", run


@pytest.fixture(scope="module")
def command(installed):
    """Run `zoo` with arguments in a folder, and return its output."""
    site, run = installed

    def zoo_command(*words, cwd):
        done = run(str(site / "bin" / "zoo"), *words, cwd=cwd)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return zoo_command


@pytest.mark.slow
def test_a_model_is_trained_from_the_wheel_in_another_folder(installed, tmp_path):
    done = installed[1](sys.executable, "-c", FROM_WHEEL, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert 'zoo.config("fnn/mlp")' in done.stdout
    assert done.stdout.splitlines()[-1].startswith(zoo.__version__)


@pytest.mark.slow
def test_the_installed_command_trains_evaluates_and_predicts_a_users_table(command, tmp_path):
    rows = [f"{i % 7},{i % 3},{'yes' if i % 7 > i % 3 else 'no'}" for i in range(120)]
    (tmp_path / "rows.csv").write_text("\n".join(["a,b,answer", *rows]))
    own = ("data=csv", "data.path=rows.csv", "data.target=answer")
    assert "report.html" in command(
        "train", "model=fnn/mlp", *own, "trainer=cpu", "trainer.max_epochs=2", "run_dir=run", cwd=tmp_path
    )
    assert "accuracy" in command("evaluate", "weights=run", cwd=tmp_path)
    command("predict", "weights=run", "input=rows.csv", "output=answers.csv", cwd=tmp_path)
    assert len((tmp_path / "answers.csv").read_text().splitlines()) == 121


@pytest.mark.slow
def test_the_installed_command_trains_images_without_network(command, tmp_path):
    assert "report.html" in command("train", "model=cnn", "trainer=debug", "run_dir=run", cwd=tmp_path)
    assert Path(tmp_path, "run", "model.safetensors").is_file()


@pytest.mark.slow
def test_the_installed_command_takes_a_users_model_and_settings(command, tmp_path):
    (tmp_path / "own" / "models").mkdir(parents=True)
    (tmp_path / "own" / "models" / "toy.py").write_text(MODEL)
    command("copy", "model/fnn/perceptron", "model/fnn/toy", "zoo_path=own", cwd=tmp_path)
    path = tmp_path / "own" / "conf" / "model" / "fnn" / "toy.yaml"
    path.write_text(path.read_text().replace("name: fnn/perceptron", "name: fnn/toy\n  width: 32"))
    done = command("train", "zoo_path=own", "model=fnn/toy", "model.width=8", "trainer=debug", cwd=tmp_path)
    assert "training fnn/toy" in done


@pytest.mark.slow
def test_the_installed_command_lists_and_explains_itself(command, tmp_path):
    assert "zoo train " in command("--help", cwd=tmp_path)
    assert "python" not in command("train", "--help", cwd=tmp_path)
    listed = command("list", cwd=tmp_path)
    assert "cnn/small" in listed and "fnn/mlp.breast_cancer" in listed
    assert command("--version", cwd=tmp_path).strip() == zoo.__version__


@pytest.mark.parametrize("words", [["list"], ["--help"], ["copy", "--help"], ["list", "data", "w*"], ["runs", "runs"]])
def test_help_and_lists_start_without_torch(words):
    lines = [
        "import contextlib, sys",
        f"sys.argv = ['zoo', *{words}]",
        "from zoo.cli.main import main",
        "with contextlib.suppress(SystemExit): main()",
        "assert not {'torch', 'hydra'} & set(sys.modules)",
    ]
    code = "\n".join(lines)
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_a_mistyped_command_gets_the_nearest_name():
    done = subprocess.run([sys.executable, "-m", "zoo", "trian"], capture_output=True, text=True)
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "no command 'trian'; the nearest: train, runs")


def test_a_settings_file_is_copied_once(tmp_path):
    from zoo.cli.copy import copy

    path = copy("optim/adamw", "optim/mine", tmp_path)
    assert path == tmp_path / "conf" / "optim" / "mine.yaml" and "adamw" in path.read_text()
    for name, new, message in [
        ("optim/adamw", "optim/mine", "is there already"),
        ("optim/adamv", "optim/mine2", "nearest: optim/adam"),
        ("optimm/adamw", "optim/mine2", "nearest: optim"),
    ]:
        with pytest.raises(UserError, match=message):
            copy(name, new, tmp_path)


def test_a_config_has_every_setting_and_the_given_values():
    config = zoo.config("fnn/mlp", "data=wine", "trainer.max_epochs=3", width=64)
    assert config["model"]["name"] == "fnn/mlp" and config["model"]["width"] == 64
    assert config["data"]["name"] == "wine" and config["trainer"]["max_epochs"] == 3
    assert config == zoo.config("model=fnn/mlp", "model.width=64", "data=wine", "trainer.max_epochs=3")


def test_the_config_is_still_available_by_its_old_name():
    from common import training_config

    assert training_config("model=fnn/mlp") == zoo.config("fnn/mlp")


@pytest.mark.parametrize(
    ("words", "choices", "message"),
    [
        (["fn"], {}, "nearest: fnn"),
        (["fnn", "data=wne"], {}, "nearest: wine"),
        (["fnn"], {"wdth": 3}, "nearest: width"),
        (["fnn", "trainer.epochs=3"], {}, "no setting 'trainer.epochs'; the nearest: trainer.max_epochs"),
        (["fnn", "trainer.max_epochs=three"], {}, "trainer.max_epochs is a whole number"),
        (["fnn"], {"width": "three"}, "model.width is a whole number"),
        (["fnn/mlp", "optim=1e-3"], {}, "optim is a name"),
        ([], {}, "say which model: model=cnn or fnn or rnn"),
    ],
)
def test_a_config_of_unknown_names_is_refused(words, choices, message):
    with pytest.raises(UserError, match=message):
        zoo.config(*words, **choices)


@pytest.mark.parametrize("mistaken", ["fnn", None, {}])
def test_a_training_of_anything_but_a_config_says_how_to_get_one(mistaken):
    with pytest.raises(UserError, match=r'zoo\.config\("fnn/mlp"\)'):
        zoo.train(mistaken)


def test_a_result_has_metrics_history_and_predictor(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = zoo.train(zoo.config("fnn/mlp", "trainer=cpu", "trainer.max_epochs=2"))
    assert result.path == Path("runs/breast_cancer") and result.report.is_file()
    assert result["test"] == result.metrics["test"] and result["epoch"] in (1, 2)
    assert result.history["epoch"].tolist() == [1, 2]
    assert result.predictor.spec.class_names == ["malignant", "benign"]
    assert repr(result.predictor) == "<Predictor fnn/mlp, classification of breast_cancer from numeric>"
    again = zoo.train(zoo.config("fnn/mlp", "trainer=cpu", "trainer.max_epochs=2", "resume=auto"), result.path)
    assert again == result


def test_a_result_is_shown_as_a_table_in_a_terminal_and_a_notebook(runs):
    from zoo.core.run_folder import Run
    from zoo.report.result import Result

    result = Result.of_run(Run(runs["fnn"]))
    assert "accuracy" in repr(result) and str(runs["fnn"]) in repr(result)
    shown = result._repr_html_()
    assert "<td>accuracy<" in shown and "report.html" in shown
    elsewhere = Result(runs["fnn"], {})
    assert not elsewhere.metrics and "first process" in repr(elsewhere)


def imports():
    """Yield every import of a zoo module: the file, and the module's dotted name."""
    for path in (ROOT / "zoo").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("zoo"):
                yield from ((path, f"{node.module}.{alias.name}") for alias in node.names)


def test_no_folder_reaches_into_the_private_files_of_another():
    for path, name in imports():
        package = ".".join(path.relative_to(ROOT).parent.parts)
        parts = name.split(".")
        private = [".".join(parts[:i]) for i, part in enumerate(parts) if part[0] == "_" and part[-1] != "_"]
        inside = all(f"{package}.".startswith(f"{folder}.") for folder in private)  # in that folder, or below it
        assert inside, f"{path} imports {name}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trainr": {}}, "no setting 'trainr'; the nearest: trainer"),
        ({"distill": {"teachr": "x"}}, "no setting of distill 'teachr'; the nearest: teacher"),
        ({"optim": None}, "optim is a section, a mapping of settings; got None"),
        ({"seed": 1.5}, "a seed is a whole number"),
        ({"seeds": [1, 1]}, "all different"),
        ({"zoo_path": "/somewhere"}, r"zoo\.add_path\('/somewhere'\)"),
    ],
)
def test_a_plain_config_is_checked_before_anything_is_made(changes, message, tmp_path):
    with pytest.raises(UserError, match=message):
        zoo.train_seeds({**zoo.config("fnn/mlp", "seeds=[0,1]"), **changes}, tmp_path / "run")
    assert not (tmp_path / "run").exists()
