"""Hyper-parameter studies of neural networks, the way chapter 3 of Nielsen's book teaches them.

The public names are in ``nndl_exp.api``.
"""

from nndl_exp import interrupts as interrupts  # first: it claims the process of a command

__version__ = "0.2.0"
