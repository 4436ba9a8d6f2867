"""How a network learns: stochastic gradient descent, stopping, the loop and its checkpoints."""

from nndl_exp.training.epoch import Epoch
from nndl_exp.training.loop import Settings, evaluate, train
from nndl_exp.training.streams import Streams

__all__ = ["Epoch", "Settings", "Streams", "evaluate", "train"]
