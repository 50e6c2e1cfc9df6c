"""Convolutional networks: throughput, and seconds of training to a given accuracy.

Images per second are compared with the same network in a hand-written loop, first on the same tensors, then with a
DataLoader that converts PIL images to tensors one by one. All of them run without augmentation and with the zoo's
malloc settings.

Seconds to an accuracy are the fitting time of whole trainings whose mean test accuracy over the seeds reaches it. The
reference is the time pytorch/examples' mnist needs until an epoch ends with that accuracy, or a target. CIFAR-10's
seconds come from a pretrained file's card; the row also states the file's accuracy with test-time augmentation, which
published speed records include. A row that misses its accuracy has no goal.

The picture shows the pretrained single models (mean over seeds) beside published results. The ResNets and those after
them are from chenyaofo/pytorch-cifar-models, trained without a teacher; the zoo's ResNets were distilled.
"""

import json
import statistics
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks._measure import Measure, in_turn, now

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor, nn

    from benchmarks._case import Case
    from benchmarks._trainings import Epoch

SEEDS = range(5)
TTA = "mirror_shift"
MNIST = {  # settings that reach an accuracy fast
    0.990: ("model=cnn", "data=mnist", "trainer.max_epochs=1", "model.width=8", "optim.lr=0.02"),
    0.994: ("model=cnn", "data=mnist"),
}
ANCHORS: Mapping[str, Mapping[str, tuple[int, float]]] = {  # parameters and test accuracy as published, by data set
    "mnist": {"ruslangrimov/mnist-minimal-model": (1_936, 0.991)},
    "cifar10": {
        "resnet20, chenyaofo": (270_000, 0.9260),
        "resnet32": (470_000, 0.9353),
        "resnet44": (660_000, 0.9401),
        "resnet56": (860_000, 0.9437),
        "shufflenetv2": (1_260_000, 0.9298),
        "mobilenetv2": (2_240_000, 0.9379),
        "vgg16_bn": (15_300_000, 0.9416),
        "repvgg_a2": (26_800_000, 0.9498),
    },
}


def measure() -> Iterator[Measure]:
    from benchmarks._cases import first, image_case
    from benchmarks._throughput import throughput
    from zoo.data import load_data

    mnist, cifar10 = load_data("mnist"), load_data("cifar10")
    small = image_case("cnn/small", first(mnist, 6_400))
    yield from throughput(small)
    yield item_by_item(small)
    yield from throughput(image_case("cnn/lenet5", first(mnist, 6_400)))
    yield from throughput(image_case("cnn/resnet", first(cifar10, 384)))
    yield mnist_to(0.990, [example_to(0.990)], goal=1 / 20)
    yield mnist_to(0.994, [20], goal=1.0)
    yield cifar10_to(0.94, "cnn/fast.cifar10", target=15 * 60)
    yield cifar10_to(0.96, "cnn/fast.cifar10_large", target=3 * 60 * 60)


def mnist_to(accuracy: float, reference: Sequence[float], goal: float) -> Measure:
    """Measure the seconds of fitting of each seed with train.py."""
    from benchmarks.startup import command

    runs = []
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            command("train", *MNIST[accuracy], f"seed={seed}", f"run_dir={folder}/run")
            runs.append(json.loads((Path(folder) / "run" / "metrics.json").read_text()))
    reached = statistics.fmean(run["test"]["accuracy"] for run in runs)
    seconds = [run["seconds"]["fit"] for run in runs]
    title = _title("MNIST", accuracy, reached, " ".join(MNIST[accuracy]))
    return Measure(title, seconds, reference, "s", goal if reached >= accuracy else None)


def cifar10_to(accuracy: float, weights: str, target: float) -> Measure:
    """Read the seconds of fitting from a pretrained file's card, because training takes too long."""
    from zoo.inference.evaluation import evaluate_weights
    from zoo.inference.pretrained import load_card

    card = load_card(weights)
    with_tta = evaluate_weights(weights, tta=TTA)["test tta"]["accuracy"]
    reached = card["metrics"]["test"]["accuracy"]["mean"]
    title = _title("CIFAR-10", accuracy, reached, f"{weights}; its file with tta={TTA} {with_tta:.2%}")
    return Measure(title, [card["seconds"]["fit"]["mean"]], [target], "s", 1.0 if reached >= accuracy else None)


def _title(data: str, accuracy: float, reached: float, what: str) -> str:
    short = "" if reached >= accuracy else ", not reached"
    return f"{data} to {accuracy:.1%}{short}: mean {reached:.2%}, {what}"


def example_to(accuracy: float) -> float:
    """Train as pytorch/examples' mnist/main.py; return the seconds of its epochs until one ends with this accuracy."""
    import torch
    import torch.nn.functional as F

    from zoo.data import load_data
    from zoo.data.splits import batches

    splits = load_data("mnist")
    loader = pil_loader([*next(batches(splits.train, 60_000)).values()], batch_size=64)
    torch.manual_seed(1)
    network, total, reached = example_network(), 0.0, 0.0
    optimizer = torch.optim.Adadelta(network.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.7)
    while reached < accuracy:
        network.train()
        start = now()
        for image, target in loader:
            optimizer.zero_grad()
            F.cross_entropy(network((image - 0.1307) / 0.3081), target).backward()
            optimizer.step()
        schedule.step()
        total += now() - start
        network.eval()
        hits = 0.0
        with torch.inference_mode():
            for batch in batches(splits.test, 1_000):
                predicted = network((batch["image"] / 255 - 0.1307) / 0.3081).argmax(1)
                hits += float((predicted == batch["target"]).sum())
        reached = hits / len(splits.test)  # type: ignore[arg-type]
    return total


def example_network() -> "nn.Module":
    """The network of pytorch/examples' mnist/main.py."""
    from torch import nn

    return nn.Sequential(
        *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25)),
        *(nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10)),
    )


def draw(figure: "Figure", _: object) -> None:
    """Plot accuracy over parameters: the pretrained files and published results."""
    from matplotlib.ticker import EngFormatter

    from zoo.core.drawing import BLUE, INK
    from zoo.inference.pretrained import is_ensemble, list_pretrained, load_card

    figure.set_size_inches(9, 3.6)
    for ax, (data, others) in zip(figure.subplots(1, len(ANCHORS)), ANCHORS.items(), strict=True):
        cards = {name: load_card(name) for name in list_pretrained(f"cnn/*.{data}*")}
        ours = {
            name.removeprefix("cnn/").replace(f".{data}", ""): (
                card["n_parameters"],
                card["metrics"]["test"]["accuracy"]["mean"],
            )
            for name, card in cards.items()
            if card["spec"]["name"] == data and not is_ensemble(card)
        }
        for label, points, colour, marker in (("others", others, INK, "x"), ("the zoo's", ours, BLUE, "o")):
            if points:
                ax.scatter(*zip(*points.values(), strict=True), c=colour, marker=marker, s=18, label=label)
            for name, point in points.items():
                ax.annotate(name, point, (4, 3), textcoords="offset points", fontsize=7, color=colour)
        ax.set(xscale="log", xlabel="parameters", ylabel="test accuracy", title=data)
        ax.margins(0.25, 0.15)
        ax.xaxis.set_major_formatter(EngFormatter(sep=""))
        ax.legend(loc="upper left")


def item_by_item(case: "Case", n_rounds: int = 3) -> Measure:
    """Measure training images per second, against a DataLoader of PIL images."""
    from benchmarks._throughput import rates
    from benchmarks._trainings import by_hand, ours

    zoo, hand = in_turn(lambda: ours(case), lambda: by_hand(case, pil_batches(case)), n_rounds)
    return Measure(f"{case.name}, training: PIL and ToTensor", rates(case, zoo), rates(case, hand), "samples/s")


def pil_batches(case: "Case") -> "Epoch":
    """Return training batches from a DataLoader over PIL images, as in torchvision's data sets."""
    loader = pil_loader(case.columns("train"), case.config["data"]["batch_size"])
    return lambda: ([255 * images.to(case.device), targets.to(case.device)] for images, targets in loader)


def pil_loader(columns: "Sequence[Tensor]", batch_size: int) -> "Iterable[list[Tensor]]":
    """Create a DataLoader that converts each image (n, channels, height, width) from PIL to a tensor."""
    from PIL import Image
    from torch import Tensor
    from torch.utils.data import DataLoader, Dataset
    from torchvision.transforms import ToTensor

    images, targets = columns
    pixels = images.movedim(1, -1).squeeze(-1).numpy()  # (n, height, width), with 3 channels last for colour
    to_tensor = ToTensor()

    class Images(Dataset[tuple[Tensor, Tensor]]):
        def __len__(self) -> int:
            return len(pixels)

        def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
            return to_tensor(Image.fromarray(pixels[index])), targets[index]

    return DataLoader(Images(), batch_size, shuffle=True)
