"""Published image sets are parsed, and image files of every format decoded."""

import gzip
import hashlib
import importlib
import io
import tarfile

import numpy as np
import pytest
import torch
from helpers.datasets import NEED_FILES
from helpers.images import SEEN, broken, drawn, plain
from PIL import Image

import zoo
from zoo.core.errors import UserError
from zoo.data.images._decode import decode_file, read_header, to_array

# Standard sets, from small files of the published form


@pytest.fixture
def own(tmp_path, monkeypatch):
    """An empty ZOO_DATA, and an empty cache beside it."""
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "own"))
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "own"


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return content


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


@pytest.mark.parametrize(("name", "folder"), [("fashion_mnist", "FashionMNIST"), ("kmnist", "KMNIST")])
def test_sets_in_the_format_of_mnist_are_parsed_and_split(own, monkeypatch, name, folder):
    module = importlib.import_module(f"zoo.data.images.{name}")
    images, labels = drawn(60, 28, 28), np.arange(60, dtype=np.uint8) % 10
    for part in ("train", "t10k"):
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            file = f"{part}-{kind}-ubyte"
            content = put(own / folder / "raw" / f"{file}.gz", gzip.compress(idx(array)))
            hashes = {"MD5": hashlib.md5(content), "SHA256": hashlib.sha256(idx(array))}
            (known,) = (kind for kind in hashes if hasattr(module, kind))
            monkeypatch.setitem(getattr(module, known), file, hashes[known].hexdigest())
    splits = zoo.load_data(name, n_val=20)
    assert (len(splits.train), len(splits.val), len(splits.test)) == (40, 20, 60)
    assert torch.equal(splits.test.columns["image"][:, 0], torch.tensor(images))
    assert splits.test.columns["target"].tolist() == labels.tolist()
    train, val = (set(map(bytes, split.columns["image"].numpy())) for split in (splits.train, splits.val))
    assert train | val == set(map(bytes, images[:, None])) and not train & val


def test_a_file_that_is_not_idx_is_refused():
    from zoo.data.images._official_splits import parse_idx

    with pytest.raises(ValueError, match="begins with 0, 0, 8"):
        parse_idx(b"\0\0\x0d\1\0\0\0\0")


def cifar_file(*labels):
    records = np.concatenate([np.stack(labels, axis=1), drawn(len(labels[0]), 3072)], axis=1)
    return records.astype(np.uint8).tobytes()


def test_cifar100_has_fine_and_coarse_labels(own, monkeypatch):
    from zoo.data.images import cifar100

    coarse, fine = np.arange(200) % 20, np.arange(200) % 100
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for part in ("train", "test"):
            info, content = tarfile.TarInfo(f"cifar-100-binary/{part}.bin"), cifar_file(coarse, fine)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    content = put(own / "cifar-100-binary" / "cifar-100-binary.tar.gz", archive.getvalue())
    monkeypatch.setattr(cifar100, "MD5", hashlib.md5(content).hexdigest())
    splits = zoo.load_data("cifar100", n_val=100)
    assert splits.test.columns["target"].tolist() == fine.tolist()
    assert splits.test.columns["image"].flatten(1).numpy().tobytes() == drawn(200, 3072).tobytes()
    assert (splits.spec.class_names[0], splits.spec.class_names[99]) == ("apple", "worm")
    splits = zoo.load_data("cifar100", n_val=100, label="coarse")
    assert splits.test.columns["target"].tolist() == coarse.tolist()
    assert (len(splits.spec.class_names), splits.spec.class_names[1]) == (20, "fish")
    with pytest.raises(UserError, match="nearest: fine"):
        zoo.load_data("cifar100", label="fin")


def test_svhn_reads_label_10_as_digit_0(own, monkeypatch):
    from scipy.io import savemat

    from zoo.data.images import svhn

    images, labels = drawn(32, 32, 3, 40), np.arange(40, dtype=np.uint8)[:, None] % 10 + 1  # 1 to 10
    for name in svhn.SHA256:
        file = io.BytesIO()
        savemat(file, {"X": images, "y": labels}, do_compression=True)
        content = put(own / "SVHN" / name, file.getvalue())
        monkeypatch.setitem(svhn.SHA256, name, hashlib.sha256(content).hexdigest())
    splits = zoo.load_data("svhn", n_val=10)
    assert splits.test.columns["target"][:10].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]
    assert splits.test.columns["image"][7, 2, 5, 30] == images[5, 30, 2, 7]
    assert (len(splits.train), len(splits.val)) == (30, 10)


@NEED_FILES
def test_published_files_give_their_known_labels_and_means():
    mnist, cifar10 = zoo.load_data("mnist"), zoo.load_data("cifar10")
    assert mnist.test.columns["target"][:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    for splits, mean in ((mnist, [0.1307]), (cifar10, [0.49139968, 0.48215841, 0.44653091])):
        whole = torch.cat([splits.train.columns["image"], splits.val.columns["image"]])
        sums = torch.stack([channel.sum(dtype=torch.int64) for channel in whole.unbind(1)])
        torch.testing.assert_close(sums / (whole[:, 0].numel() * 255), torch.tensor(mean), atol=5e-5, rtol=0)


# Files as pixels


def file_of(path, image, **options):
    image.save(path, **options)
    return path


@pytest.mark.parametrize("name", SEEN)
def test_every_file_format_is_decoded_to_its_colours(tmp_path, name):
    image, seen = SEEN[name]
    path = file_of(tmp_path / name, image)
    colour = decode_file(path, (3, 4, 4))
    assert colour.shape == (3, 4, 4) and colour.dtype == np.uint8
    np.testing.assert_allclose(
        colour, np.broadcast_to(np.array(seen)[:, None, None], (3, 4, 4)), atol=name in ("colour.webp", "cmyk.jpg")
    )
    grey = decode_file(path, (1, 4, 4))
    assert abs(int(grey[0, 0, 0]) - np.dot(seen, [0.299, 0.587, 0.114])) <= 1
    assert read_header(path)[:2] == (4, 4)


def test_transparent_palette_colours_become_white(tmp_path):
    path = file_of(tmp_path / "a.gif", plain("P", 0), transparency=0)
    assert (decode_file(path, (3, 4, 4)) == 255).all()


def test_16_bit_images_are_scaled_and_not_clipped(tmp_path):
    values = np.linspace(0, 65535, 16).round().astype(np.uint16).reshape(4, 4)
    path = file_of(tmp_path / "a.png", Image.fromarray(values))
    np.testing.assert_array_equal(decode_file(path, (1, 4, 4))[0], np.round(values / 257))
    with pytest.raises(UserError, match="mode F have no known range"):
        decode_file(file_of(tmp_path / "a.tif", Image.fromarray(values.astype(np.float32))), (1, 4, 4))
    with pytest.raises(UserError, match="mode F have no known range"):
        zoo.load("cnn/small.mnist5k").predict(Image.fromarray(values.astype(np.float32)))


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "tif"])
def test_images_are_rotated_as_their_exif_tag_says(tmp_path, ending):
    upright = plain("L", 0, (40, 20))
    upright.paste(255, (0, 0, 10, 20))  # white at the left
    exif = Image.Exif()
    exif[0x0112] = 6  # as stored, to be turned a quarter to the right
    stored = upright.transpose(Image.Transpose.ROTATE_90)
    path = file_of(tmp_path / f"a.{ending}", stored, exif=exif)
    assert read_header(path)[:2] == (20, 40)
    found = decode_file(path, (1, 20, 40))[0]
    assert found[:, :9].min() > 240 and found[:, 11:].max() < 15


def test_resizing_keeps_the_aspect_and_crops_the_centre():
    image = plain("L", 100, (80, 20))
    image.paste(255, (0, 0, 20, 20))
    image.paste(0, (60, 0, 80, 20))
    assert (to_array(image, (1, 10, 10)) == 100).all()
    assert (to_array(image, (1, 40, 40)) == 100).all()


def test_downscaling_antialiases():
    chess = Image.fromarray(np.indices((64, 64)).sum(0).astype(np.uint8) % 2 * 255)
    small = to_array(chess, (1, 8, 8)).astype(int)
    assert abs(small - 127).max() <= 2


def test_the_first_frame_of_an_animation_is_decoded(tmp_path):
    path = file_of(tmp_path / "a.gif", plain("L", 50), save_all=True, append_images=[plain("L", 200)])
    assert (decode_file(path, (1, 4, 4)) == 50).all()


def test_large_photos_decoded_at_a_fraction_keep_their_content(tmp_path):
    ramp = Image.fromarray(np.broadcast_to(np.linspace(0, 255, 1600).astype(np.uint8), (1200, 1600)))
    path = file_of(tmp_path / "a.jpg", ramp, quality=95)
    found = decode_file(path, (1, 30, 40))[0].astype(int)
    assert abs(found - np.linspace(0, 255, 81)[1::2]).max() <= 3


BROKEN = {
    "cut.jpg": "truncated",
    "cut.png": "a.* truncated|broken|EOF|ended",
    "empty.png": "cut.png|the file is empty",
    "text.jpg": "not an image",
    "program.png": "a PostScript drawing",
    "huge.png": "more than 100 pixels",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_cannot_be_read_is_named(tmp_path, monkeypatch, name):
    path = broken(tmp_path / name)
    if name == "huge.png":
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(UserError, match=f"{name}: .*({BROKEN[name]})"):
        decode_file(path, (1, 64, 64))


def box(brand):
    return b"\0\0\0\x18ftyp" + brand + bytes(100)


OTHER_FILES = {  # what a file called .jpg may hold
    "HEIC photo": [box(b"heic"), box(b"heix"), box(b"mif1"), box(b"msf1")],
    "camera's RAW": [box(b"crx "), b"FUJIFILMCCD-RAW", b"IIU\0" + bytes(20)],
    "a video": [box(b"isom"), box(b"qt  "), b"\x1aE\xdf\xa3webm"],
    "a PDF": [b"%PDF-1.7"],
    "an SVG": [b'<svg xmlns="x">', b'\n<?xml version="1.0"?>\n<!-- by hand -->\n<svg>'],
    "JPEG XL": [b"\xff\x0a\xfa", b"\0\0\0\x0cJXL \r\n"],
    "a web page": [b"<!DOCTYPE html><html>", b"<html>"],
    "Git LFS": [b"version https://git-lfs.github.com/spec/v1"],
    "Photoshop": [b"8BPS"],
    "DICOM": [bytes(128) + b"DICM"],
    "packed archive": [b"PK\3\4", b"\x1f\x8b\x08"],
    "a damaged image": [b"\x89PNG\r\n", b"\xff\xd8\xff\xe0"],
    "not an image": [b"words", bytes(1000), b"<?xml?><note/>"],
}


@pytest.mark.parametrize("kind", OTHER_FILES)
def test_a_file_that_is_not_an_image_is_called_what_it_is(tmp_path, kind):
    for content in OTHER_FILES[kind]:
        (tmp_path / "a.jpg").write_bytes(content)
        for read in (read_header, lambda path: decode_file(path, (1, 8, 8))):
            with pytest.raises(UserError, match=kind):
                read(tmp_path / "a.jpg")


def test_heic_photos_are_decoded_where_pillow_heif_is_installed(tmp_path):
    heif = pytest.importorskip("pillow_heif")
    heif.from_pillow(plain("RGB", (200, 10, 10), (40, 30))).save(tmp_path / "a.HEIC")
    assert read_header(tmp_path / "a.HEIC")[:2] == (30, 40)
    assert abs(decode_file(tmp_path / "a.HEIC", (3, 30, 40)).mean((1, 2)) - [200, 10, 10]).max() < 5
