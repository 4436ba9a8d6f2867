"""What the scripts of ``experiments/`` are made of: the book's own random numbers, and the frame in
which a script trains, draws and compares what came out with the book."""

from nndl_exp.book.experiment import Experiment, main

__all__ = ["Experiment", "main"]
