"""``python -m nndl_exp.demo``: its server over HTTP, and its answers beside the network's own."""

import http.client
import json
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from demo_server import demo, train_digits
from PIL import Image

from nndl_exp import sweep
from nndl_exp.api import RunDirectory, load_config, load_dataset, run
from nndl_exp.cli.prediction import read_examples
from nndl_exp.cli.runs import find_run
from nndl_exp.config import TrackingConfig
from nndl_exp.datasets import SOURCES
from nndl_exp.demo.__main__ import main
from nndl_exp.demo.subject import SIDE, Subject
from nndl_exp.errors import UserError
from nndl_exp.fast.blas import blas_threads
from nndl_exp.nn.activations import ACTIVATIONS


@pytest.fixture(scope="module")
def output(tmp_path_factory) -> Path:
    """An output folder with a network for digits, of 28 x 28 and of 8 x 8 pixels."""
    folder = tmp_path_factory.mktemp("demo")
    train_digits(folder)
    run(load_config(["dataset=digits_8x8", "training.epochs=1"]), folder / "runs" / "small")
    return folder


def subject_of(folder: Path) -> Subject:
    return Subject.open(folder.name, RunDirectory(folder))


@pytest.fixture(scope="module")
def subject(output) -> Subject:
    return subject_of(output / "runs" / "digits")


@pytest.fixture(scope="module")
def port(output) -> Iterator[int]:
    with demo(output, "digits", "--no-browser", "--port", "0") as (port, _):
        yield port


def ask(
    port: int, method: str, path: str, body: Any = None, at: str = "127.0.0.1", **headers: str
) -> tuple[int, Any]:
    """The status, and the JSON of an answer or the text of a refusal."""
    with closing(http.client.HTTPConnection(at, port, timeout=60)) as connection:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        response = connection.getresponse()
        text = response.read().decode()
    assert "default-src 'none'" in response.headers["content-security-policy"]
    return response.status, json.loads(text) if response.status == 200 else text


def own_layers(subject: Subject, x: np.ndarray) -> list[np.ndarray]:
    """The activations of each layer, computed here from the weights."""
    network, layers = subject.network, [x]
    names = [network.parts.activation] * (len(network.weights) - 1) + [network.parts.output]
    for w, b, name in zip(network.weights, network.biases, names, strict=True):
        layers.append(ACTIVATIONS[name].value(layers[-1] @ w.T + b))
    return layers[1:]


def test_a_validation_image_gets_the_networks_own_answer_to_the_bit(port, subject):
    validation = load_dataset("mnist_5k").validation
    for number in (0, 17, 999):
        x = validation.x[number : number + 1]
        status, answer = ask(port, "GET", f"/api/examples/{number}")
        with blas_threads(1):
            outputs = subject.network.predict(x)[0]
            layers = own_layers(subject, x)
        assert status == 200
        assert np.array_equal(np.float32(answer["input"]), x[0])
        assert np.array_equal(np.float32(answer["layers"][-1]), outputs)
        assert [len(a) for a in answer["layers"]] == [30, 10]
        for told, own in zip(answer["layers"], layers, strict=True):
            np.testing.assert_allclose(told, own[0], rtol=1e-5, atol=1e-7)
        assert answer["prediction"] == outputs.argmax()
        assert (answer["number"], answer["of"]) == (number, 1000)
        assert answer["label"] == validation.labels[number]


def test_a_drawing_is_put_into_the_frame_as_mnists_are(port, subject):
    dots = np.zeros((SIDE, SIDE), np.uint8)
    dots[10:150, 200:220] = 255  # a bar in a corner, 140 high
    dots[130:150, 180:220] = 255  # with a foot
    status, answer = ask(port, "POST", "/api/drawing", dots.tobytes())
    x = np.float32(answer["input"]).reshape(28, 28)
    assert status == 200
    assert np.flatnonzero(x.any(axis=1)).tolist() == list(range(3, 23))
    assert x.max() == np.float32(255 / 256)
    for axis in (0, 1):
        assert abs((x.sum(axis=axis) @ np.arange(28)) / x.sum() - 14) <= 0.5
    with blas_threads(1):
        outputs = subject.network.predict(x.reshape(1, -1))[0]
    assert np.array_equal(np.float32(answer["layers"][-1]), outputs)
    assert answer["prediction"] == outputs.argmax()


def test_an_empty_paper_has_no_answer(port):
    faint = np.full((SIDE, SIDE), 20, np.uint8).tobytes()
    for paper in (bytes(SIDE * SIDE), faint):
        _, answer = ask(port, "POST", "/api/drawing", paper)
        assert answer["prediction"] is None
        assert answer["input"] == [0] * 784
        assert answer["layers"] == []


def test_the_next_mistake_is_the_next_image_that_the_network_gets_wrong(port, subject):
    validation = load_dataset("mnist_5k").validation
    outputs = subject.network.predict(validation.x)
    wrong = np.flatnonzero(outputs.argmax(axis=1) != validation.labels).tolist()
    assert 10 < len(wrong) < 200
    shown, number = [], 0
    for _ in range(5):
        _, answer = ask(port, "GET", f"/api/mistakes/{number}")
        assert answer == ask(port, "GET", f"/api/examples/{answer['number']}")[1]
        assert answer["prediction"] != answer["label"]
        shown.append(answer["number"])
        number = answer["number"] + 1
    assert shown == wrong[:5]
    for number in (wrong[-1] + 1, 1000):  # after the last one, the first
        assert ask(port, "GET", f"/api/mistakes/{number}")[1]["number"] == wrong[0]


def test_a_network_without_a_mistake_says_so(tmp_path):
    words = ["dataset=digits_8x8", "dataset.classes=[0,1]", "network.hidden=[20]"]
    run(load_config([*words, "training.epochs=20"]), tmp_path / "zeros")
    subject = subject_of(tmp_path / "zeros")
    assert subject.result.validation_accuracy == 1
    with pytest.raises(UserError, match="zeros gets every validation image right"):
        subject.mistake(0)


def test_a_neuron_has_the_networks_weights(port, subject):
    (hidden, last), biases = subject.network.weights, subject.network.biases
    _, answer = ask(port, "GET", "/api/neurons/1/29")
    assert answer["weights"] == hidden[29].tolist()
    assert answer["after"] == last[:, 29].tolist()
    assert answer["bias"] == biases[0][29]
    _, answer = ask(port, "GET", "/api/neurons/2/9")
    assert (answer["weights"], answer["after"]) == (last[9].tolist(), [])


def test_the_page_knows_the_run(port):
    _, facts = ask(port, "GET", "/api/network")
    assert (facts["name"], facts["dataset"], facts["sizes"]) == (
        "digits",
        "mnist_5k",
        [784, 30, 10],
    )
    assert facts["accuracy"] > 0.85
    assert facts["classes"] == list("0123456789")
    assert "scaled to fit 20 × 20" in facts["framing"]


def chunks() -> Iterator[bytes]:
    for _ in range(100):
        yield bytes(10_000)


BAD = [
    (
        "POST",
        "/api/drawing",
        b"",
        {},
        400,
        "must be 280 rows of 280 bytes (78400): got 0",
    ),
    ("POST", "/api/drawing", bytes(78399), {}, 400, "got 78399"),
    ("POST", "/api/drawing", bytes(78401), {}, 413, "Content Too Large"),
    ("POST", "/api/drawing", chunks, {}, 413, "Content Too Large"),
    ("GET", "/api/drawing", None, {}, 405, "Method Not Allowed"),
    ("POST", "/api/examples/1", b"", {}, 405, "Method Not Allowed"),
    ("GET", "/api/examples/1000", None, {}, 400, "validation images are 0 to 999: got 1000"),
    ("GET", "/api/examples/-1", None, {}, 404, "Not Found"),
    ("GET", "/api/neurons/0/0", None, {}, 400, "got neuron 0 of layer 0"),
    ("GET", "/api/neurons/1/30", None, {}, 400, "got neuron 30 of layer 1"),
    ("GET", "/api/neurons/3/0", None, {}, 400, "got neuron 0 of layer 3"),
    ("GET", "/none", None, {}, 404, "Not Found"),
    ("GET", "/../subject.py", None, {}, 404, "Not Found"),
    ("GET", "/%2e%2e/subject.py", None, {}, 404, "Not Found"),
    ("GET", "/", None, {"Host": "digits.example"}, 400, "Invalid host header"),
    ("GET", "/api/network", None, {"Host": "digits.example:80"}, 400, "Invalid host header"),
    ("GET", "/api/network", None, {"Host": "127.0.0.1.example"}, 400, "Invalid host header"),
    ("GET", "/api/network", None, {"Origin": "http://evil.example"}, 403, "another origin"),
    ("GET", "/api/network", None, {"Origin": "null"}, 403, "another origin"),
    ("POST", "/api/drawing", bytes(78400), {"Origin": "http://127.0.0.1:1"}, 403, "another origin"),
]


@pytest.mark.parametrize(("method", "path", "body", "headers", "status", "message"), BAD)
def test_a_bad_request_is_refused_in_one_line(port, method, path, body, headers, status, message):
    got, text = ask(port, method, path, body() if callable(body) else body, **headers)
    assert got == status
    assert message in text
    assert text.count("\n") == 0


def test_the_pages_own_origin_may_ask(port):
    for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
        status, _ = ask(port, "GET", "/api/network", Host=host, Origin=f"http://{host}")
        assert status == 200


def test_an_upload_that_is_broken_off_is_passed_over(output):
    head = "POST /api/drawing HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 78400\r\n\r\n"
    with demo(output, "digits", "--no-browser", "--port", "0") as (port, process):
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", port)) as upload:
                upload.sendall(head.encode() + bytes(1000))
                time.sleep(0.1)
        assert ask(port, "POST", "/api/drawing", bytes(SIDE * SIDE))[0] == 200
        process.send_signal(signal.SIGINT)
        _, complained = process.communicate(timeout=30)
    assert (process.returncode, complained) == (0, "")


def own_address() -> str:
    """An address of this machine that others see; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking, suppress(OSError):
        asking.connect(("192.0.2.1", 9))
        return str(asking.getsockname()[0])
    pytest.skip("needs a network")


def test_others_see_the_page_only_where_host_says_so_and_by_that_name(output):
    host = own_address()
    words = ("digits", "--no-browser", "--port", "0")
    with demo(output, *words) as (port, process), pytest.raises(OSError):
        ask(port, "GET", "/", at=host)
    assert "warning" not in "".join(process.printed)
    with demo(output, *words, "--host", host, host=host) as (port, process):
        said = "".join(process.printed)
        assert (
            "anyone on the network can see this page and ask the network; there is no password"
            in said
        )
        assert ask(port, "GET", "/api/network", at=host, Origin=f"http://{host}:{port}")[0] == 200
        for name in ("evil.example", f"127.0.0.1:{port}", "localhost"):
            assert ask(port, "GET", "/api/network", at=host, Host=name) == (
                400,
                "Invalid host header",
            )
        for origin in ("http://evil.example", f"http://127.0.0.1:{port}"):
            assert ask(port, "GET", "/api/network", at=host, Origin=origin)[0] == 403


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "", "0", "192.0.2.1", "no.such.example", "::1", "ä" * 99]
)
def test_a_host_that_is_no_address_of_this_machine_is_refused(capsys, output, host):
    message = refused(capsys, "digits", "--host", host, "--output", str(output))
    assert message.startswith(
        f"--host must be one address of this machine, or a name of it: got {host}"
    )


def test_it_starts_opens_a_browser_and_ends_with_ctrl_c(output, tmp_path):
    opener, opened = tmp_path / "browser", tmp_path / "opened"
    opener.write_text(f'#!/bin/sh\necho "$1" > {opened}.new && mv {opened}.new {opened}\n')
    opener.chmod(0o755)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):  # where another has it, it is taken too
            taken.bind(("127.0.0.1", 8008))
            taken.listen()
        with demo(output, "digits", BROWSER=f"{opener} %s") as (port, process):
            end = time.monotonic() + 30
            while not opened.exists() and time.monotonic() < end:
                time.sleep(0.05)
            assert opened.read_text() == f"http://127.0.0.1:{port}/\n"
            idle = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            idle.request("GET", "/")
            assert b"<title>Draw a digit" in idle.getresponse().read()  # and is kept alive
            process.send_signal(signal.SIGINT)
            said, complained = process.communicate(timeout=30)
            idle.close()
    assert process.returncode == 0
    assert complained == ""
    first, run_line, _ = process.printed
    assert first == "port 8008 is taken: this is another one\n"
    assert "digits · mnist_5k · 784-30-10 · sigmoid" in run_line
    assert said.endswith("ended\n")


def refused(capsys, *words: str) -> str:
    """The one line with which the command refuses a user's mistake."""
    with pytest.raises(SystemExit) as end:
        main(["--no-browser", *words])
    assert end.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err.removeprefix("error: ").strip()


def test_a_port_that_is_asked_for_and_taken_is_refused(capsys, output):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        message = refused(capsys, "digits", "--port", port, "--output", str(output))
    assert message == f"--port must be a free one: got {port} (Address already in use)"


def test_help_says_what_it_does(cli):
    assert "draws a digit and watches" in cli.ok("nndl_exp", "demo", "--help").replace("\n", " ")


def test_a_table_is_refused_in_one_line(tmp_path, capsys):
    (tmp_path / "t.csv").write_text("a,b,kind\n" + "1,2,x\n3,1,y\n" * 20)
    words = [f"dataset.path={tmp_path}/t.csv", "dataset.target=kind", "training.epochs=1"]
    run(load_config(["dataset=table", *words]), tmp_path / "table")
    message = refused(capsys, str(tmp_path / "table"))
    assert "only a network trained on pictures (mnist_5k, mnist, " in message
    assert message.endswith("got t, rows of 2 numbers")
    assert "no such run: nope" in refused(capsys, "nope")


def small(folder: Path, *words: str) -> Path:
    sizes = ["dataset.training_size=60", "dataset.validation_size=20", "training.epochs=1"]
    run(load_config([*sizes, "training.eta=0.05", *words]), folder)
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ["network=softmax", "network.hidden=[12]"],
        ["network=relu", "network.hidden=[12,7,5]", "training.dropout=0.5"],
        ["network=tanh", "network.output=tanh", "network.cost=quadratic"],
        ["network=hidden_softmax"],
        ["network.output=linear", "network.cost=quadratic"],
        ["network.hidden=[]"],
        ["dataset=fashion_mnist", "network.dtype=float64"],
    ],
    ids="-".join,
)
def test_any_network_of_pictures_can_be_shown(tmp_path, words, request):
    if "dataset=fashion_mnist" in words:
        request.getfixturevalue("clothes")
    subject = subject_of(small(tmp_path / "run", *words))
    dots = np.zeros((SIDE, SIDE), np.uint8)
    dots[40:200, 90:120] = 255
    answer = subject.drawing(dots.tobytes())
    x = np.array([answer["input"]], subject.network.dtype)
    for told, own in zip(answer["layers"], own_layers(subject, x), strict=True):
        np.testing.assert_allclose(told, own[0], rtol=1e-4, atol=1e-6)
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer
    assert subject.example(3)["label"] in range(10)
    json.dumps(subject.facts(), allow_nan=False)


def test_pictures_of_ones_own_can_be_shown_numbers_not(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {"x": rng.random((60, 12, 9)), "y": np.arange(60) % 3}
    np.savez(tmp_path / "own.npz", **arrays)
    np.savez(tmp_path / "numbers.npz", x=arrays["x"], y=rng.random(60))
    words = ["training.epochs=1", "dataset=npz"]
    run(load_config([*words, f"dataset.path={tmp_path}/own.npz"]), tmp_path / "own")
    run(load_config([*words, f"dataset.path={tmp_path}/numbers.npz"]), tmp_path / "numbers")
    subject = subject_of(tmp_path / "own")
    dots = np.zeros((SIDE, SIDE), np.uint8)
    dots[10:270, 100:140] = 255
    x = np.array(subject.drawing(dots.tobytes())["input"]).reshape(12, 9)
    assert x.any(axis=1).sum() == 9  # 20 of 28 rows are 9 of 12
    assert "MNIST" in subject.facts()["framing"]
    with pytest.raises(UserError, match="classes of pictures can be shown: numbers tells numbers"):
        subject_of(tmp_path / "numbers")


def test_a_run_that_cannot_be_shown_is_refused(tmp_path, output):
    folder = small(tmp_path / "run")
    reading = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps(reading | {"classes": ["a", "b"]}))
    with pytest.raises(UserError, match="must take 784 pixels and tell 2 classes"):
        subject_of(folder)
    (folder / "result.json").unlink()
    with pytest.raises(UserError, match="run has not ended"):
        subject_of(folder)


def test_the_test_set_is_not_shown_even_where_a_run_watched_it(tmp_path):
    subject = subject_of(small(tmp_path / "run", "dataset.monitor=test"))
    data = load_dataset("mnist_5k", validation_size=20)
    assert np.array_equal(np.float32(subject.example(7)["input"]), data.validation.x[7])


def test_what_is_drawn_can_be_shown_without_the_data(tmp_path, monkeypatch):
    subject = subject_of(small(tmp_path / "run", "dataset.classes=[3,7]"))
    assert subject.facts()["classes"] == ("3", "7")
    monkeypatch.setattr("nndl_exp.run.load_dataset", lambda *_, **__: load_dataset("digits_8x8"))
    assert subject.drawing(bytes(SIDE * SIDE))["prediction"] is None
    with pytest.raises(UserError, match="the dataset has changed"):
        subject.example(0)


def test_mnists_own_images_come_out_of_the_framing_as_they_are():
    """Enlarged tenfold and moved about, they are cut out, scaled and centred to the same pixels."""
    images = load_dataset("mnist_5k").validation.x[:200].reshape(-1, 28, 28)
    rng, framing = np.random.default_rng(0), SOURCES["mnist_5k"].framing
    for image in images:
        large = np.kron(image / image.max(), np.ones((10, 10)))
        moved = np.zeros((400, 400))
        down, right = rng.integers(0, 120, 2)
        moved[down : down + 280, right : right + 280] = large
        again = framing.frame(moved).reshape(28, 28)
        np.testing.assert_allclose(again, image, atol=0.02)


def test_digits_of_8x8_are_counted_dots_from_top_to_bottom(tmp_path, output):
    thin = np.zeros((100, 100))
    thin[20:80, 45:55] = 1
    x = SOURCES["digits_8x8"].framing.frame(thin).reshape(8, 8) * 16
    assert np.array_equal(x, np.round(x)), "sixteenths"
    assert (x.sum(axis=1) == x.sum(axis=1)[0]).all(), "all rows are filled"
    assert np.flatnonzero(x.any(axis=0)).tolist() == [3, 4]
    Image.fromarray((255 - 255 * thin).astype(np.uint8)).save(tmp_path / "one.png")
    reading = RunDirectory(output / "runs" / "small").reading()
    ((_, row),) = read_examples(tmp_path / "one.png", "digits_8x8", reading)
    assert np.array_equal(row.reshape(8, 8) * 16, x), "predict reads a picture in the same way"


def test_clothes_fill_the_frame():
    square = np.zeros((50, 80))
    square[10:40, 5:75] = 1
    x = SOURCES["fashion_mnist"].framing.frame(square).reshape(28, 28)
    assert x.any(axis=0).all()
    assert np.flatnonzero(x.any(axis=1)).tolist() == list(range(8, 20))


def test_any_drawing_has_an_answer(subject):
    rng = np.random.default_rng(0)
    papers = [rng.integers(0, 256, (SIDE, SIDE), np.uint8)]
    marks = [(0, 0), (SIDE - 1, 0), (0, SIDE - 1), (100, slice(None)), (slice(None), SIDE - 1)]
    for mark in marks:  # a dot in a corner, a line from edge to edge
        papers.append(np.zeros((SIDE, SIDE), np.uint8))
        papers[-1][mark] = 30
    for paper in papers:
        answer = subject.drawing(paper.tobytes())
        assert 0 == min(answer["input"]) < max(answer["input"]) <= 255 / 256
        assert answer["prediction"] in range(10)


def test_a_study_stands_for_its_winner(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["strategy=joint", "study.n_trials=2", "training.epochs=1", "executor=serial"]
    words += ["dataset.training_size=100", "tracking=none", "study.name=s"]
    with pytest.raises(SystemExit, match="0"):
        sweep.main(words)
    capsys.readouterr()
    tracking, study = TrackingConfig(), tmp_path / "nndl-output" / "studies" / "s"
    references = ("s", str(study), str(study / "best.yaml"))
    found = [find_run(reference, "nndl-output", tracking) for reference in references]
    name = yaml.safe_load((study / "best.yaml").read_text())["origin"]["run"]
    assert [one.name for one in found] == [name] * 3
    assert {one.directory.path for one in found} == {
        study / "stages/joint/trials" / name.rpartition("/")[2]
    }
    (study / "best.yaml").unlink()
    assert "s has no winner yet; continue it with: python -m" in refused(capsys, "s")
