"""How settings and objectives are called in figures: the field's terms and the book's symbols."""

from nndl_exp.config import short_name

_TERMS = {
    "training.eta": ("learning rate", "η"),
    "training.lmbda": ("regularization", "λ"),
    "training.mini_batch_size": ("mini-batch size", "m"),
    "training.momentum": ("momentum coefficient", "μ"),
    "training.dropout": ("dropout rate", ""),
    "training.input_dropout": ("dropout rate of inputs", ""),
    "training.schedule.factor": ("factor of the learning-rate schedule", ""),
    "training.max_norm": ("largest norm of a neuron's weights", ""),
    "network.hidden": ("hidden layers (neurons)", ""),
    "network.hidden.layers": ("number of hidden layers", ""),
}
_WIDTH = "network.hidden.width_"
SECOND = {"parameters": "weights and biases", "multiply_adds": "multiply-adds for an image"}
"""What the second objectives count."""


def label(name: str) -> str:
    """What an axis says: learning rate η; a setting without a term of its own keeps its name."""
    if name.startswith(_WIDTH):
        return f"neurons in hidden layer {name.removeprefix(_WIDTH)}"
    term, symbol = _TERMS.get(name, (short_name(name).replace("_", " "), ""))
    return f"{term} {symbol}".rstrip()


def symbol(name: str) -> str:
    """The shortest that a reader understands: η, layers, layer 2."""
    if name.startswith(_WIDTH):
        return f"layer {name.removeprefix(_WIDTH)}"
    _, short = _TERMS.get(name, ("", ""))
    return short or short_name(name).replace("_", " ")


def objective(by_cost: bool, accuracy: str = "accuracy") -> str:
    """What is optimised, with its unit; ``accuracy`` is R² where targets are numbers."""
    return "validation cost C" if by_cost else f"validation {accuracy} (%)"
