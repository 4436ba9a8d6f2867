"""Loaders on files that lie: a value or one line, never a crash, a hang or a memory blow-up."""

import gzip
import io
import json
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nndl_exp.archive import MOST_UNPACKED
from nndl_exp.cli.prediction import read_examples
from nndl_exp.config import RunConfig, run_config, to_mapping
from nndl_exp.datasets import FileOptions, npz, table
from nndl_exp.datasets.cache import Prepared
from nndl_exp.datasets.idx import LARGEST, parse_images, parse_labels, read_bytes
from nndl_exp.errors import UserError
from nndl_exp.nn.network import Network, Parts
from nndl_exp.records import Result, RunDirectory
from nndl_exp.run import Run, check, run
from nndl_exp.training.checkpoint import Checkpoint
from nndl_exp.weights import load_network, to_bytes
from nndl_exp.yaml_file import LONGEST_YAML, read_yaml

MIB = 2**20
FUZZ = settings(
    max_examples=40,
    deadline=None,  # pytest-timeout ends a hang
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def value_or_line(load: Callable[[], object]) -> object:
    """What a loader returns, None for a refusal, which is one line."""
    try:
        return load()
    except UserError as e:
        assert "\n" not in str(e)
        assert len(str(e)) < 2000
        return None


@contextmanager
def at_most(megabytes: float) -> Iterator[None]:
    """Python and NumPy take no more memory than that."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < megabytes * MIB
    finally:
        tracemalloc.stop()


@st.composite
def damaged(draw, valid: bytes) -> bytes:
    """A file with some bytes changed, cut out, doubled, or its end lost; at times any bytes."""
    if draw(st.integers(0, 7)) == 0:
        return draw(st.binary(max_size=300))
    data = bytearray(valid)
    for _ in range(draw(st.integers(1, 4))):
        # What decides is at the beginning and, in a zip file or Parquet, at the end.
        near = draw(st.integers(0, min(len(data), 400)))
        at = draw(
            st.sampled_from([near, max(0, len(data) - near), draw(st.integers(0, len(data)))])
        )
        length = draw(st.integers(1, 8))
        kind = draw(st.sampled_from(["change", "change", "ones", "cut", "insert", "truncate"]))
        if kind == "change":
            data[at : at + length] = draw(st.binary(min_size=length, max_size=length))
        elif kind == "ones":
            data[at : at + 4] = b"\xff\xff\xff\x7f"
        elif kind == "cut":
            del data[at : at + length]
        elif kind == "insert":
            data[at:at] = data[at : at + length]
        else:
            del data[at:]
    return bytes(data)


def npz_bytes(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def zip_bytes(method: int = zipfile.ZIP_DEFLATED, **members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return file.getvalue()


def npy_bytes(shape: str, data: bytes = b"", descr: str = "'<f4'", version: int = 1) -> bytes:
    """An npy file with a header that says what one wants."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}".encode()
    length = struct.pack("<H" if version == 1 else "<I", len(header) + 1)
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + b"\n" + data


# ------------------------------------------------------------------------------------------- IDX

IMAGES = struct.pack(">IIII", 0x803, 3, 2, 2) + bytes(12)
LABELS = struct.pack(">II", 0x801, 5) + bytes(5)


def read_idx(path: Path) -> tuple:
    data = read_bytes(path)
    return value_or_line(lambda: parse_images(data, path)), parse_labels(data, path)


@FUZZ
@given(st.one_of(damaged(IMAGES), damaged(LABELS), damaged(gzip.compress(IMAGES)),
                 damaged(IMAGES).map(gzip.compress)))  # fmt: skip
def test_any_bytes_as_idx(tmp_path, data):
    path = tmp_path / "file"
    path.write_bytes(data)
    with at_most(4):
        value_or_line(lambda: read_idx(path))


@pytest.mark.parametrize("numbers", [(2**31, 28, 28), (2**32 - 1,) * 3, (2**31, 2**31, 0)])
def test_an_idx_header_that_lies_about_its_size(tmp_path, numbers):
    path = tmp_path / "file"
    path.write_bytes(struct.pack(">IIII", 0x803, *numbers))
    with at_most(2):
        value_or_line(lambda: parse_images(read_bytes(path), path))
    path.write_bytes(struct.pack(">II", 0x801, 2**31))
    with at_most(2), pytest.raises(UserError, match="must hold 2147483648 bytes"):
        parse_labels(read_bytes(path), path)


def test_a_gzip_bomb_is_not_unpacked(tmp_path):
    path = tmp_path / "bomb.gz"
    block = gzip.compress(bytes(64 * MIB))
    path.write_bytes(block * 16)  # a gibibyte in a mebibyte
    with at_most(2.2 * LARGEST / MIB), pytest.raises(UserError, match="must have at most 67,108"):
        read_bytes(path)


# ------------------------------------------------------------------------------------- npz, tables

DATASET = npz_bytes(x=np.random.default_rng(0).random((12, 3)), y=np.arange(12) % 2)


def prepare_npz(path: Path) -> Prepared:
    return npz.prepare(path, FileOptions(path=str(path)), "0" * 64)


@FUZZ
@given(damaged(DATASET))
def test_any_bytes_as_an_npz_dataset(tmp_path, data):
    path = tmp_path / "file.npz"
    path.write_bytes(data)
    with at_most(8):
        value_or_line(lambda: prepare_npz(path))
        value_or_line(lambda: npz.read_new(path, {}, 3))


@FUZZ
@given(
    shape=st.one_of(
        st.lists(st.one_of(st.integers(-3, 5), st.integers(2**31, 2**70)), max_size=4).map(tuple),
        st.sampled_from(["(True,)", "(1.5,)", "x", "[2]", "(" * 500, "(1,) * 9", "10**9**9"]),
    ),
    descr=st.sampled_from(["'<f4'", "'|O'", "'<U0'", "'V0'", "[('a','<f4')]", "[('a','|O')]",
                           "'M8'",
                           "('<f4', (2,))", "'<f4,<O'", "'<c16'", "'|S3'", "7", "'?', ", "'|b1'",
                           "[('a', '<f4', (10**9, 10**9))]"]),
    version=st.sampled_from([1, 2, 3, 9]),
    data=st.binary(max_size=40),
    y=st.sampled_from([np.arange(2), np.array(["a", "b"]), np.array([0.5, 1.5])]),
)  # fmt: skip
def test_any_npy_header_in_an_npz(tmp_path, shape, descr, version, data, y):
    path = tmp_path / "file.npz"
    good = io.BytesIO()
    np.save(good, y)
    path.write_bytes(zip_bytes(x=npy_bytes(str(shape), data, descr, version), y=good.getvalue()))
    with at_most(8):
        value_or_line(lambda: prepare_npz(path))
        value_or_line(lambda: load_network(path))


@pytest.mark.parametrize("shape", ["(10**12,)", "(1000000000000,)", "(65536, 65536, 65536)"])
def test_an_npy_header_that_lies_about_its_size(tmp_path, shape):
    path = tmp_path / "file.npz"
    path.write_bytes(zip_bytes(x=npy_bytes(shape, bytes(100)), network=npy_bytes(shape)))
    with at_most(2):
        assert value_or_line(lambda: npz.read_arrays(path)) is None
        assert value_or_line(lambda: load_network(path)) is None
        assert Checkpoint.load(path, network()) is None


def test_a_zip_bomb_is_not_unpacked(tmp_path):
    path = tmp_path / "file.npz"
    size = MOST_UNPACKED
    path.write_bytes(zip_bytes(x=npy_bytes(f"({size},)", bytes(size), "'|u1'")))
    assert path.stat().st_size < MIB
    with at_most(2), pytest.raises(UserError, match="say that they unpack to 268,435,5"):
        npz.read_arrays(path)
    # Weights are never compressed: not even a tenth of it is taken.
    path.write_bytes(zip_bytes(w1=npy_bytes("(20000000,)", bytes(20_000_000), "'|u1'")))
    with at_most(2), pytest.raises(UserError, match="say that they unpack to 20,000,0"):
        load_network(path)


def test_a_member_that_unpacks_to_more_than_its_directory_says(tmp_path):
    path = tmp_path / "file.npz"
    data = bytearray(zip_bytes(x=npy_bytes("(40000000,)", bytes(40_000_000), "'|u1'")))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):  # uncompressed size
        at = data.index(signature) + offset
        data[at : at + 4] = struct.pack("<I", 1000)
    path.write_bytes(data)
    with at_most(4):
        assert value_or_line(lambda: npz.read_arrays(path)) is None


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_unpack_whole_chunks_are_refused(tmp_path, method):
    path = tmp_path / "file.npz"
    path.write_bytes(zip_bytes(method, x=npy_bytes("(10000000,)", bytes(10**7), "'|u1'")))
    with at_most(2), pytest.raises(UserError, match="in a way that np"):
        npz.read_arrays(path)


class Malice:
    """What pickle would run."""

    def __reduce__(self) -> tuple:
        return Path.touch, (Path("marker"),)


def test_pickled_objects_are_refused_and_never_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "file.npz"
    objects = np.array([Malice()], dtype=object)
    path.write_bytes(npz_bytes(x=objects, y=np.arange(1), network=objects, history=objects))
    for load in (prepare_npz, load_network):
        with pytest.raises(UserError, match="Python objects, which are never loaded"):
            load(path)
    assert Checkpoint.load(path, network()) is None
    assert not Path("marker").exists()


def test_what_the_loader_reads_is_what_numpy_reads(tmp_path):
    path = tmp_path / "file.npz"
    rng = np.random.default_rng(0)
    arrays = {
        "a": rng.random((3, 4)), "b": np.asfortranarray(rng.random((3, 4, 2)).astype(np.float32)),
        "c": np.array("text"), "d": np.arange(6, dtype=">i2"), "e": np.empty((0, 3)),
        "f": np.array([b"x", b"yz"]), "g": np.array(3.5), "h": np.array([True]),
    }  # fmt: skip
    for save in (np.savez, np.savez_compressed):
        save(path, **arrays)
        read = npz.read_arrays(path)
        with np.load(path) as expected:
            assert list(read) == list(expected.files)
            for name, array in read.items():
                assert array.dtype == expected[name].dtype
                assert array.flags.writeable
                np.testing.assert_array_equal(array, expected[name])


FRAME = pd.DataFrame({"a": range(12), "b": list("xyz") * 4, "c": [0.5, 1.5] * 6, "t": [0, 1] * 6})


def frame_bytes(suffix: str) -> bytes:
    file = io.BytesIO()
    FRAME.to_csv(file, index=False) if suffix == ".csv" else FRAME.to_parquet(file)
    return file.getvalue()


def prepare_table(path: Path) -> Prepared:
    return table.prepare(path, FileOptions(path=str(path), target="t"), "0" * 64)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_any_bytes_as_a_table(tmp_path, suffix):
    path = tmp_path / f"file{suffix}"

    @FUZZ
    @given(damaged(frame_bytes(suffix)))
    def fuzz(data: bytes) -> None:
        path.write_bytes(data)
        with at_most(32):
            value_or_line(lambda: prepare_table(path))

    fuzz()


def test_a_small_parquet_file_of_very_many_rows_is_refused(tmp_path):
    path = tmp_path / "file.parquet"
    rows = pd.DataFrame({"a": np.zeros(40_000_000, np.int8), "t": np.zeros(40_000_000, np.int8)})
    rows.to_parquet(path)
    assert path.stat().st_size < MIB
    with at_most(8), pytest.raises(UserError, match="says that it unpacks to 640,000,000 bytes"):
        prepare_table(path)


@pytest.mark.parametrize("data", [b"x" * 300, b"x,t\n" + b"," * 300, b"," * 5000 + b"\n1"])
def test_tables_of_odd_form(tmp_path, data):
    path = tmp_path / "file.csv"
    path.write_bytes(data)
    with at_most(64):
        assert value_or_line(lambda: prepare_table(path)) is None


# ------------------------------------------------------------------------------- weights, records


def network() -> Network:
    return Network.initialize((3, 4, 2), Parts(), rng=np.random.default_rng(0))


WEIGHTS = to_bytes(network())


@FUZZ
@given(damaged(WEIGHTS))
def test_any_bytes_as_weights(tmp_path, data):
    path = tmp_path / "weights.npz"
    path.write_bytes(data)
    with at_most(8):
        loaded = value_or_line(lambda: load_network(path))
    if isinstance(loaded, Network):
        loaded.predict(np.zeros((1, loaded.sizes[0])))


HEADERS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["format", "activation", "output", "cost", "number", "weights",
                             "state", "within", "layers", "classes", "encoding", "data"]),
            inner, max_size=5),
    ),
    max_leaves=12,
)  # fmt: skip


@FUZZ
@given(HEADERS)
def test_any_header_of_weights_and_history_of_a_checkpoint(tmp_path, header):
    path = tmp_path / "file.npz"
    text = np.array(json.dumps(header))
    path.write_bytes(npz_bytes(network=text, history=text, w1=np.eye(2), b1=np.ones(2)))
    value_or_line(lambda: load_network(path))
    assert Checkpoint.load(path, network()) is None


def small() -> RunConfig:
    plain = to_mapping(RunConfig())
    plain["dataset"] |= {"training_size": 60, "validation_size": 20}
    plain["network"]["hidden"] = [5]
    plain["training"] |= {"epochs": 3, "momentum": 0.5, "monitor_every": 30, "layer_metrics": True}
    return run_config(plain)


@pytest.fixture(scope="module")
def record(tmp_path_factory) -> dict[str, bytes]:
    """The files of a run that has ended, and the checkpoint of one that has not."""
    folder = tmp_path_factory.mktemp("record")
    run(small(), folder / "run")
    directory = RunDirectory(folder / "begun")
    with Run(small(), directory, check(small())) as training:
        next(iter(training))
        training.suspend()
    files = [*(folder / "run").iterdir(), directory.path / "checkpoint.npz"]
    return {path.name: path.read_bytes() for path in files}


def read_all(directory: RunDirectory) -> None:
    for load in (directory.config, directory.epochs, directory.result, directory.provenance,
                 directory.reading, directory.network):  # fmt: skip
        value_or_line(load)
    value_or_line(lambda: directory.check_data("0" * 64))


NAMES = ("config.yaml", "epochs.jsonl", "result.json", "dataset.json", "provenance.json",
         "weights.npz", "checkpoint.npz")  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_any_bytes_in_a_record(tmp_path, record, name):
    directory = RunDirectory(tmp_path)
    for other, content in record.items():
        (tmp_path / other).write_bytes(content)
    like = Run(small(), directory, check(small()))
    with like:
        template = like.network

    @settings(FUZZ, max_examples=25)
    @given(damaged(record[name]))
    def fuzz(data: bytes) -> None:
        (tmp_path / name).write_bytes(data)
        with at_most(32):
            read_all(directory)
            directory.load_checkpoint(template)

    fuzz()


@FUZZ
@given(HEADERS, st.sampled_from(["epochs.jsonl", "result.json", "dataset.json", "provenance.json"]))
def test_any_json_in_a_record(tmp_path, record, value, name):
    directory = RunDirectory(tmp_path)
    (tmp_path / name).write_text(json.dumps(value))
    read_all(directory)


DEEP = "[" * 100_000
LAUGHS = "a: &a [1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{c}: &{c} [{', '.join([f'*{b}'] * 8)}]\n"
    for b, c in zip("abcdefghij", "bcdefghijk", strict=True)
)


@pytest.mark.parametrize("name", [name for name in NAMES if not name.endswith("npz")])
@pytest.mark.parametrize("text", [DEEP, '{"a":' * 50_000, LAUGHS, "9" * 5000, "a: " + "9" * 5000,
                                  "a: !!python/object/apply:os.getpid []", "a: !!timestamp x",
                                  "a: \0", "\ud800"], ids=lambda text: repr(text[:12]))  # fmt: skip
def test_deep_long_and_multiplying_text_in_a_record(tmp_path, name, text):
    (tmp_path / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    with at_most(32):
        read_all(RunDirectory(tmp_path))


def test_settings_are_no_longer_than_settings_are(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("a: " + ":".join(["1"] * LONGEST_YAML))
    with at_most(2), pytest.raises(UserError, match="must have at most 262,144 bytes"):
        read_yaml(path)


def test_a_checkpoint_of_another_network_is_no_checkpoint(tmp_path, record):
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(record["checkpoint.npz"])
    fitting = Network.initialize((784, 5, 10), Parts(), rng=np.random.default_rng(0))
    assert Checkpoint.load(path, fitting) is not None
    for sizes, dtype in (((784, 6, 10), "float32"), ((784, 5, 10), "float64")):
        other = Network.initialize(sizes, Parts(), rng=np.random.default_rng(0), dtype=dtype)
        assert Checkpoint.load(path, other) is None


def test_a_result_without_digests_or_times_is_damaged(tmp_path, record):
    result = json.loads(record["result.json"])
    for change in ({"weights": {}}, {"started": float("inf")}, {"state": "well"}):
        (tmp_path / "result.json").write_text(json.dumps(result | change))
        with pytest.raises(UserError, match="is damaged"):
            RunDirectory(tmp_path).result()
    (tmp_path / "result.json").write_text(json.dumps(result))
    assert isinstance(RunDirectory(tmp_path).result(), Result)


def test_predict_takes_rows_without_trust(tmp_path, record):
    (tmp_path / "dataset.json").write_bytes(record["dataset.json"])
    reading, path = RunDirectory(tmp_path).reading(), tmp_path / "rows.npz"
    for data in (b"", zip_bytes(x=npy_bytes("(10**9,)")), zip_bytes(x=b"no array"), npz_bytes()):
        path.write_bytes(data)
        assert value_or_line(lambda: read_examples(path, "mnist_5k", reading)) is None


LIARS = """
import resource, sys
from pathlib import Path
import numpy, pandas, pyarrow.parquet
from nndl_exp.datasets import FileOptions, npz, table
from nndl_exp.errors import UserError
from nndl_exp.weights import load_network
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 400 * 2**20,) * 2)
for name in sys.argv[1:]:
    path = Path(name)
    for load in (table.read_frame, npz.read_arrays, load_network):
        try:
            load(path)
        except UserError as e:
            print(e)
"""


def test_liars_are_refused_where_memory_is_short(tmp_path):
    """With all memory counted, not only Python's: an address space of 400 MiB more."""
    (tmp_path / "a.npz").write_bytes(
        zip_bytes(x=npy_bytes("(10**11,)".replace("10**11", "9" * 11)))
    )
    (tmp_path / "b.npz").write_bytes(zip_bytes(x=npy_bytes(f"({2**28},)", bytes(2**28), "'|u1'")))
    big = pd.DataFrame({"a": np.zeros(40_000_000, np.int8)})
    big.to_parquet(tmp_path / "c.parquet")
    names = [str(path) for path in sorted(tmp_path.iterdir())]
    done = subprocess.run(
        [sys.executable, "-c", LIARS, *names], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 9
