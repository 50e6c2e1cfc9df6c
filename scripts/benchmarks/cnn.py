"""Convolutional networks: images a second, against the same network in a loop by hand on the same tensors, and against
that loop fed by a DataLoader that makes a tensor of each PIL image in turn."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from benchmarks._measure import Measure, in_turn

if TYPE_CHECKING:
    from benchmarks._case import Case
    from benchmarks._trainings import Epoch


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


def item_by_item(case: "Case", n_rounds: int = 3) -> Measure:
    """Training images a second, against a loader of PIL images."""
    from benchmarks._throughput import rates
    from benchmarks._trainings import by_hand, ours

    zoo, hand = in_turn(lambda: ours(case), lambda: by_hand(case, pil_batches(case)), n_rounds)
    return Measure(f"{case.name}, training: PIL and ToTensor", rates(case, zoo), rates(case, hand), "samples/s")


def pil_batches(case: "Case") -> "Epoch":
    """Training batches from a DataLoader over images as torchvision's data sets give them."""
    from PIL import Image
    from torch import Tensor
    from torch.utils.data import DataLoader, Dataset
    from torchvision.transforms import ToTensor

    images, targets = case.columns("train")
    pixels = images.movedim(1, -1).squeeze(-1).numpy()  # (n, height, width), and 3 for colours
    to_tensor = ToTensor()

    class Images(Dataset[tuple[Tensor, Tensor]]):
        def __len__(self) -> int:
            return len(pixels)

        def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
            return 255 * to_tensor(Image.fromarray(pixels[index])), targets[index]

    loader = DataLoader(Images(), case.config["data"]["batch_size"], shuffle=True)
    return lambda: ([column.to(case.device) for column in batch] for batch in loader)
