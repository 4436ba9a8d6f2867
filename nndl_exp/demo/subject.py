"""What the page shows: a run's network, what it says of a drawing, and what a neuron weighs."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from nndl_exp.config import RunConfig
from nndl_exp.datasets import SOURCES, Framing, Labelled, Reading, framing_of
from nndl_exp.errors import UserError
from nndl_exp.nn import Network
from nndl_exp.nn.arrays import Array
from nndl_exp.records import Result, RunDirectory

SIDE = 280
"""Dots along a side of the paper that is drawn on; a drawing is SIDE * SIDE bytes of grey."""

_FAINTEST = 26  # of 255: what is less is the edge of a stroke, as in a picture file


@dataclass(frozen=True)
class Subject:
    """A settled run as the page needs it. ``name`` is the run's, all else is from its record."""

    name: str
    directory: RunDirectory
    config: RunConfig
    result: Result
    network: Network
    reading: Reading
    framing: Framing

    @classmethod
    def open(cls, name: str, directory: RunDirectory) -> "Subject":
        """The subject of a run's record.

        Raises:
            UserError: the run has not ended, is not one of classes of pictures, or is damaged.
        """
        result, config, reading = directory.result(), directory.config(), directory.reading()
        if result is None:
            raise UserError(f"{name} has not ended; only a settled run can be shown")
        framing = framing_of(config.dataset.name, reading)
        if not reading.classes:
            raise UserError(
                f"only a network that tells classes of pictures can be shown: {name} tells numbers"
            )
        network = directory.network()
        fitting = (framing.shape[0] * framing.shape[1], len(reading.classes))
        if (network.sizes[0], network.sizes[-1]) != fitting:
            raise UserError(
                f"{directory.weights_path} must take {fitting[0]} pixels and tell {fitting[1]} "
                f"classes, as {directory.reading_path} says: got {network.sizes}"
            )
        if not all(np.isfinite(array).all() for array in (*network.weights, *network.biases)):
            raise UserError(f"the weights of {name} must be finite: its training diverged")
        return cls(name, directory, config, result, network, reading, framing)

    def facts(self) -> dict[str, Any]:
        """What stays the same: the network's layers, the data's classes, the paper."""
        parts, known = self.network.parts, self.config.dataset.name in SOURCES
        made = "as the training images were made" if known else "as MNIST's digits were made"
        return {
            "name": self.name,
            "dataset": self.reading.name,
            "classes": self.reading.classes,
            "sizes": self.network.sizes,
            "activation": parts.activation,
            "output": parts.output,
            "cost": parts.cost,
            "accuracy": self.result.validation_accuracy,
            "monitor": self.config.dataset.monitor,
            "shape": self.framing.shape,
            "framing": f"{self.framing.text()}, {made}",
            "side": SIDE,
            "pen": round(self.framing.pen * SIDE),
        }

    def summary(self) -> str:
        """The run in a line: its data, its layers, how well it did."""
        layers, parts = "-".join(map(str, self.network.sizes)), self.network.parts
        text = f"{self.reading.name} · {layers} · {parts.activation}, {parts.output} outputs"
        accuracy = self.result.validation_accuracy
        if accuracy is None:
            return text
        return f"{text} · {100 * accuracy:.1f} % of the {self.config.dataset.monitor} images"

    def answer(self, x: Array) -> dict[str, Any]:
        """What the network makes of one example x, of shape (1, n_in), layer by layer.

        ``layers`` are the activations of every layer after the input; ``prediction`` is the class
        of the largest output.

        Raises:
            UserError: an activation overflows.
        """
        x = x.astype(self.network.dtype)
        layers = [a[0] for a in self.network.layers(x)]
        if not all(np.isfinite(a).all() for a in layers):
            raise UserError("the activations must be finite: the network's weights are too large")
        return {
            "input": x[0].tolist(),
            "layers": [a.tolist() for a in layers],
            "prediction": int(layers[-1].argmax()),
        }

    def drawing(self, grey: bytes) -> dict[str, Any]:
        """The answer to a drawing, of SIDE rows of SIDE bytes from 0 for paper to 255 for ink.

        Without ink the network is not asked: there are no layers and no prediction.

        Raises:
            UserError: there are more bytes, or fewer.
        """
        if len(grey) != SIDE * SIDE:
            raise UserError(
                f"a drawing must be {SIDE} rows of {SIDE} bytes ({SIDE * SIDE}): got {len(grey)}"
            )
        dots = np.frombuffer(grey, dtype=np.uint8).reshape(SIDE, SIDE)
        ink = np.where(dots < _FAINTEST, 0.0, dots / 255)
        if not ink.any():
            return {"input": [0.0] * self.network.sizes[0], "layers": [], "prediction": None}
        return self.answer(self.framing.frame(ink))

    def neuron(self, layer: int, index: int) -> dict[str, Any]:
        """The weights of a neuron: from the layer before it, its bias, and to the layer after it.

        ``layer`` counts from 1, the first after the input; an output has no layer after it.

        Raises:
            UserError: there is no such neuron.
        """
        sizes = self.network.sizes
        if not (0 < layer < len(sizes) and 0 <= index < sizes[layer]):
            raise UserError(
                f"layers must be 1 to {len(sizes) - 1}, neurons count from 0 in {sizes[1:]}: "
                f"got neuron {index} of layer {layer}"
            )
        after = self.network.weights[layer][:, index].tolist() if layer < len(sizes) - 1 else []
        return {
            "weights": self.network.weights[layer - 1][index].tolist(),
            "bias": float(self.network.biases[layer - 1][index]),
            "after": after,
        }

    def example(self, number: int) -> dict[str, Any]:
        """The answer to a validation image, with the ``label`` that it really has.

        Raises:
            UserError: there is no such image, or the data can't be had or have changed since.
        """
        images = self._validation
        if not 0 <= number < len(images):
            raise UserError(f"validation images are 0 to {len(images) - 1}: got {number}")
        facts = {"number": number, "of": len(images), "label": int(images.labels[number])}
        return {**self.answer(images.x[number : number + 1]), **facts}

    def mistake(self, number: int) -> dict[str, Any]:
        """The answer to the next validation image from ``number`` on that the network gets wrong;
        after the last one, the first.

        Raises:
            UserError: it gets none wrong; see also ``example``.
        """
        wrong = self._mistakes
        for i in (*(i for i in wrong if i >= number), *wrong):
            example = self.example(i)
            if example["prediction"] != example["label"]:  # one by one it may just be right
                return example
        raise UserError(f"{self.name} gets every validation image right: there is no mistake")

    @cached_property
    def _mistakes(self) -> list[int]:
        """The numbers of the validation images that the network gets wrong."""
        images = self._validation
        outputs = self.network.predict(images.x.astype(self.network.dtype))
        return [int(i) for i in np.flatnonzero(outputs.argmax(axis=1) != images.labels)]

    @cached_property
    def _validation(self) -> Labelled:
        """Read when it is first asked for: the record alone is enough for what one draws."""
        from nndl_exp.run import data_of

        # A run of the book's figures may have watched the test set, which is shown to nobody.
        config = replace(self.config, dataset=replace(self.config.dataset, monitor="validation"))
        dataset = data_of(config)
        self.directory.check_data(dataset.sha256)
        assert isinstance(dataset.validation, Labelled)
        return dataset.validation
