"""Hyper-parameter studies of neural networks, the way chapter 3 of Nielsen's book teaches them.

The public names are in ``nndl_exp.api``.
"""

__version__ = "0.1.0"
