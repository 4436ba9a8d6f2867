"""The mathematics of chapters 1 to 3, in the book's notation; needs NumPy and SciPy only."""

from nndl_exp.nn.network import Network

__all__ = ["Network"]
