"""Data sets: what is bundled, and the user's files with every kind of damage."""

from __future__ import annotations

import gzip
import struct
import sys

import numpy as np
import pytest
from PIL import Image

from pdekit.errors import ConfigError, DataError, MissingDataError, ShapeError
from pdekit.phenomena import data

GENERATOR = np.random.default_rng(8675)
IMAGES = GENERATOR.integers(0, 256, (6, 28, 28), dtype=np.uint8)
LABELS = np.array([3, 1, 4, 1, 5, 9], np.uint8)
COLOURS = GENERATOR.integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)


def idx(array):
    return b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def folder(tmp_path):
    """MNIST of six images to train on and four to test on, two of the files compressed."""
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(IMAGES))
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(LABELS)))
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(IMAGES[:4])))
    (tmp_path / "t10k-labels.idx1-ubyte").write_bytes(idx(LABELS[:4]))
    return tmp_path


def cifar(folder, name, labels=(7, 2)):
    records = [bytes([label]) + COLOURS[i].transpose(2, 0, 1).tobytes() for i, label in enumerate(labels)]
    (folder / name).write_bytes(b"".join(records))


def test_bundled_sets():
    digits, iris = data.digits(), data.iris()
    assert digits.x.shape == (1797, 8, 8) and digits.x.min() == 0 and digits.x.max() == 1
    assert np.bincount(digits.y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert iris.x.shape == (150, 4) and np.bincount(iris.y).tolist() == [50, 50, 50]
    assert digits.as_stand_in().provenance.startswith("stand-in: digits of scikit-learn ")


def test_splitting():
    digits = data.digits()
    plain = digits.split(1200)
    assert len(plain.train) == 1200 and len(plain.test) == 597
    np.testing.assert_array_equal(plain.train.x, digits.x[:1200])
    mixed, again = (digits.split(1200, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(mixed.test.x, again.test.x)
    assert (np.bincount(np.r_[mixed.train.y, mixed.test.y]) == np.bincount(digits.y)).all()
    assert not np.array_equal(mixed.train.y, plain.train.y)
    with pytest.raises(ShapeError, match="expected from 1 to 1796"):
        digits.split(1797)


def test_the_default_photograph():
    picture = data.image()
    assert picture.pixels.shape == (600, 512) and "matplotlib" in picture.provenance
    small = picture.resized(30, 32)
    np.testing.assert_allclose(small.pixels[3, 5], picture.pixels[60:80, 80:96].mean(), rtol=1e-5)
    assert picture.cropped(40, 32).pixels.shape == (40, 32)
    np.testing.assert_array_equal(picture.cropped(40, 32, 1, 2).pixels, picture.pixels[1:41, 2:34])
    with pytest.raises(ShapeError, match="expected a part of 512 x 600"):
        picture.cropped(601, 5)


def test_a_photograph_that_was_stripped_is_replaced(monkeypatch):
    monkeypatch.setattr("matplotlib.cbook.get_sample_data", lambda name, asfileobj: f"/absent/{name}")
    assert data.image().provenance.startswith("stand-in: synthetic")


def test_a_picture_of_the_users_own(tmp_path):
    Image.fromarray(IMAGES[0]).save(tmp_path / "image.png")
    np.testing.assert_allclose(data.image(tmp_path).pixels, IMAGES[0] / 255)
    assert str(tmp_path) in data.image(tmp_path).provenance


@pytest.mark.parametrize("keep", [0, 10, 60, 300])
def test_a_damaged_picture(tmp_path, keep):
    Image.fromarray(IMAGES[0]).save(tmp_path / "whole.png")
    (tmp_path / "image.png").write_bytes((tmp_path / "whole.png").read_bytes()[:keep])
    with pytest.raises(DataError, match=r"image.png.*expected a whole PNG or JPEG"):
        data.image(tmp_path)


def test_a_picture_that_is_none(tmp_path):
    (tmp_path / "image.jpg").write_text("no picture at all")
    with pytest.raises(DataError, match=r"image\.jpg"):
        data.image(tmp_path)


def test_synthetic_pictures_are_like_photographs():
    """Amplitudes fall about like 1/k, so power like k^-2, which discs and bars steepen a little; 5 seeds: 2.1 to 2.3."""
    for seed in range(5):
        pixels = data.synthetic_image(seed).pixels
        assert pixels.min() == 0 and pixels.max() == 1
        power = np.abs(np.fft.fft2(pixels - pixels.mean())) ** 2
        k = np.hypot(*np.meshgrid(*(np.fft.fftfreq(256, 1 / 256),) * 2))
        low, high = (power[(k >= a) & (k < 2 * a)].mean() for a in (4, 64))
        slope = np.log(low / high) / np.log(16)
        assert 1.8 < slope < 2.6, seed
    np.testing.assert_array_equal(data.synthetic_image(3).pixels, data.synthetic_image(3).pixels)
    with pytest.raises(ConfigError, match="seed"):
        data.synthetic_image(-1)


def test_the_cat_needs_scikit_image(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(MissingDataError, match=r"pip install 'pdekit\[images\]'"):
        data.cat()


def test_mnist_from_idx_files(folder):
    found = data.mnist(folder)
    np.testing.assert_allclose(found.train.x, IMAGES / 255, rtol=1e-6)
    assert found.train.y.tolist() == LABELS.tolist() and found.test.y.tolist() == LABELS[:4].tolist()
    assert "MNIST" in found.provenance and str(folder) in found.provenance


def test_mnist_from_an_archive(tmp_path):
    np.savez_compressed(tmp_path / "mnist.npz", x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:2], y_test=LABELS[:2])
    assert data.mnist(tmp_path).test.y.tolist() == [3, 1]


def test_fashion_mnist_is_not_taken_for_mnist(folder):
    with pytest.raises(MissingDataError, match="Fashion-MNIST"):
        data.mnist(folder, fashion=True)
    (folder / "fashion-mnist").mkdir()
    for path in list(folder.iterdir()):
        if path.is_file():
            path.rename(folder / "fashion-mnist" / path.name)
    assert len(data.mnist(folder, fashion=True).train) == 6


def test_cifar_from_binary_files(tmp_path):
    place = tmp_path / "cifar-10-batches-bin"
    place.mkdir()
    for name in [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]:
        cifar(place, name)
    found = data.cifar10(tmp_path)
    assert found.train.x.shape == (10, 32, 32, 3) and found.test.y.tolist() == [7, 2]
    np.testing.assert_allclose(found.test.x, COLOURS / 255, rtol=1e-6)
    (place / "data_batch_3.bin").unlink()
    with pytest.raises(MissingDataError, match=r"not data_batch_3.bin, expected all six"):
        data.cifar10(tmp_path)
    cifar(place, "data_batch_3.bin", (7, 10))
    with pytest.raises(DataError, match="record 1: got label 10"):
        data.cifar10(tmp_path)
    (place / "data_batch_3.bin").write_bytes(b"\0" * 3000)
    with pytest.raises(DataError, match="3000 bytes, expected a multiple of 3073"):
        data.cifar10(tmp_path)


def test_no_folder_and_a_folder_without_the_data_set(tmp_path, folder):
    with pytest.raises(MissingDataError, match="give --data DIR"):
        data.mnist(None)
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingDataError, match=r"MNIST: got .*empty' \(empty\), expected .* or mnist.npz"):
        data.mnist(tmp_path / "empty")
    with pytest.raises(MissingDataError, match="no such folder"):
        data.cifar10(tmp_path / "absent")
    with pytest.raises(MissingDataError, match=r"CIFAR-10: got .*t10k-images"):
        data.cifar10(folder)
    (folder / "t10k-labels.idx1-ubyte").unlink()
    with pytest.raises(MissingDataError, match="not t10k-labels-idx1-ubyte, expected all four"):
        data.mnist(folder)


WHOLE = idx(IMAGES)
DAMAGE = {
    "empty": (b"", "got the first bytes none"),
    "wrong magic": (b"\1" + WHOLE[1:], "got the first bytes 01 00 08 03"),
    "wrong type": (b"\0\0\x07\x03" + WHOLE[4:], "got the first bytes 00 00 07 03"),
    "short header": (WHOLE[:10], "header that ends early"),
    "truncated": (WHOLE[:-1], "got 4703 bytes after the header, expected 4704"),
    "too long": (WHOLE + b"\0", "got more bytes after the header, expected 4704"),
    "more declared": (WHOLE[:4] + struct.pack(">3I", 7, 28, 28) + WHOLE[16:], "expected 5488"),
    "bomb declared": (WHOLE[:4] + struct.pack(">3I", 2_000_000_000, 28, 28) + WHOLE[16:], "expected at most"),
    "labels instead": (idx(LABELS), "expected 3 axes"),
    "fewer images": (idx(IMAGES[:5]), "got 5 images and 6 labels"),
}


@pytest.mark.parametrize(("content", "words"), DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
def test_damaged_idx_files(folder, content, words, compressed):
    path = folder / "train-images-idx3-ubyte"
    path.unlink()
    (folder / (path.name + ".gz" * compressed)).write_bytes(gzip.compress(content) if compressed else content)
    with pytest.raises(DataError, match=words):
        data.mnist(folder)


@pytest.mark.parametrize("damage", ["cut", "bit", "plain"])
def test_damaged_compression(folder, damage):
    whole = bytearray(gzip.compress(idx(LABELS)))
    whole[-6] ^= 1
    content = {"cut": bytes(whole[:-12]), "bit": bytes(whole), "plain": idx(LABELS)}[damage]
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(content)
    with pytest.raises(DataError, match="expected a whole gzip file"):
        data.mnist(folder)


def test_damaged_archives(tmp_path):
    path = tmp_path / "mnist.npz"
    arrays = {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES, "y_test": LABELS}
    path.write_bytes(b"PK no archive")
    with pytest.raises(DataError, match="cannot be read"):
        data.mnist(tmp_path)
    np.savez(path, **{name: array for name, array in arrays.items() if name != "y_test"})
    with pytest.raises(DataError, match="expected y_test too"):
        data.mnist(tmp_path)
    np.savez(path, **arrays | {"y_test": np.array([{}] * 6, dtype=object)})
    with pytest.raises(DataError, match="cannot be read"):
        data.mnist(tmp_path)
    np.savez(path, **arrays | {"x_test": IMAGES / 255})
    with pytest.raises(DataError, match="images of float64"):
        data.mnist(tmp_path)
    np.savez(path, **arrays)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match="cannot be read"):
        data.mnist(tmp_path)
