"""Chapter 3, "How to choose a neural network's hyper-parameters?", a stage a file.

A stage is a module with a title, a summary, options with their defaults, and three functions: the
run that its trials vary, what they vary, and the script. Add one: a module, an entry in ``STAGES``.
"""

from math import inf
from typing import cast

from nndl_exp.study.stages.chapter3 import (
    any_learning,
    architecture,
    epochs,
    learning_rate,
    mini_batch_size,
    regularization,
    schedule,
    settings,
    techniques,
    winner,
)
from nndl_exp.study.stages.script import StageModule

STAGES = {
    name: cast(StageModule, module)
    for name, module in {
        "any_learning": any_learning,
        "learning_rate": learning_rate,
        "epochs": epochs,
        "regularization": regularization,
        "mini_batch_size": mini_batch_size,
        "techniques": techniques,
        "architecture": architecture,
        "schedule": schedule,
        "winner": winner,
    }.items()
}
BY_TRAINING_COST = ("any_learning", "learning_rate")
"""The stages that decide by the training cost, not by the validation set."""
LEAST = {
    "learning_rate": (8, learning_rate.Options.epochs, learning_rate.Options.images),
    "epochs": (1, epochs.LEAST, inf),
    "regularization": (8, epochs.LEAST, settings.LEAST_IMAGES),
    "mini_batch_size": (9, epochs.LEAST, settings.LEAST_IMAGES),
    "architecture": (1, epochs.LEAST, inf),
    "joint": (4, epochs.LEAST, inf),
    "winner": (6, epochs.LEAST, inf),
}
"""About the trials that a stage trains at the least, their epochs and their images; the others
train none, or hardly any."""
