"""Convolutional networks: images a second, against the same network in a loop by hand on the same tensors, and against
that loop fed by a DataLoader that makes a tensor of each PIL image in turn, all without augmentation and with memory
kept as the zoo keeps it; and seconds of fitting to an accuracy.

The seconds to an accuracy are those of whole trainings that end with it, on the test split in the mean of the seeds;
the reference's those of the epochs of pytorch/examples' mnist until one ends with it, or the goal's. Those to one of
CIFAR-10 are of a pretrained file's card; beside it is what that file reaches with test-time augmentation, which records
of this kind include. A line whose accuracy was not reached has no goal. In the picture are the pretrained files of
single models, in the mean of their seeds, beside what others publish of theirs: the ResNets and all after them are
chenyaofo/pytorch-cifar-models', which had no teacher; the zoo's ResNets had one.
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
MNIST = {  # what train.py is told to reach an accuracy soon
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
    yield cifar10_to(0.94, "cnn/fast.cifar10", aim=15 * 60)
    yield cifar10_to(0.96, "cnn/fast.cifar10_large", aim=3 * 60 * 60)


def mnist_to(accuracy: float, reference: Sequence[float], goal: float) -> Measure:
    """Seconds of fitting by train.py, of each seed."""
    from benchmarks.startup import command

    runs = []
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            command("train.py", *MNIST[accuracy], f"seed={seed}", f"run_dir={folder}/run")
            runs.append(json.loads((Path(folder) / "run" / "metrics.json").read_text()))
    reached = statistics.fmean(run["test"]["accuracy"] for run in runs)
    seconds = [run["seconds"]["fit"] for run in runs]
    title = _title("MNIST", accuracy, reached, " ".join(MNIST[accuracy]))
    return Measure(title, seconds, reference, "s", goal if reached >= accuracy else None)


def cifar10_to(accuracy: float, weights: str, aim: float) -> Measure:
    """Seconds of fitting of a pretrained file, which takes too long to make anew."""
    from zoo.inference.evaluation import evaluate_weights
    from zoo.inference.pretrained import load_card

    card = load_card(weights)
    views = evaluate_weights(weights, tta=TTA)["test tta"]["accuracy"]
    reached = card["metrics"]["test"]["accuracy"]["mean"]
    title = _title("CIFAR-10", accuracy, reached, f"{weights}; its file with tta={TTA} {views:.2%}")
    return Measure(title, [card["seconds"]["fit"]["mean"]], [aim], "s", 1.0 if reached >= accuracy else None)


def _title(data: str, accuracy: float, reached: float, what: str) -> str:
    short = "" if reached >= accuracy else ", not reached"
    return f"{data} to {accuracy:.1%}{short}: mean {reached:.2%}, {what}"


def example_to(accuracy: float) -> float:
    """Seconds of the training epochs of pytorch/examples' mnist/main.py until one ends with this test accuracy."""
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
                answers = network((batch["image"] / 255 - 0.1307) / 0.3081).argmax(1)
                hits += float((answers == batch["target"]).sum())
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
    """Accuracy against parameters: the pretrained files, and what others publish."""
    from matplotlib.ticker import EngFormatter

    from zoo.inference.pretrained import is_ensemble, list_pretrained, load_card
    from zoo.report.charts import BLUE, INK

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
    """Training images a second, against a loader of PIL images."""
    from benchmarks._throughput import rates
    from benchmarks._trainings import by_hand, ours

    zoo, hand = in_turn(lambda: ours(case), lambda: by_hand(case, pil_batches(case)), n_rounds)
    return Measure(f"{case.name}, training: PIL and ToTensor", rates(case, zoo), rates(case, hand), "samples/s")


def pil_batches(case: "Case") -> "Epoch":
    """Training batches from a DataLoader over images as torchvision's data sets give them."""
    loader = pil_loader(case.columns("train"), case.config["data"]["batch_size"])
    return lambda: ([255 * images.to(case.device), targets.to(case.device)] for images, targets in loader)


def pil_loader(columns: "Sequence[Tensor]", batch_size: int) -> "Iterable[list[Tensor]]":
    """Shuffled batches of images (n, channels, height, width), each made a PIL image and then a tensor, and of
    their targets."""
    from PIL import Image
    from torch import Tensor
    from torch.utils.data import DataLoader, Dataset
    from torchvision.transforms import ToTensor

    images, targets = columns
    pixels = images.movedim(1, -1).squeeze(-1).numpy()  # (n, height, width), and 3 for colours
    to_tensor = ToTensor()

    class Images(Dataset[tuple[Tensor, Tensor]]):
        def __len__(self) -> int:
            return len(pixels)

        def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
            return to_tensor(Image.fromarray(pixels[index])), targets[index]

    return DataLoader(Images(), batch_size, shuffle=True)
