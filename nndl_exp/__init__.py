"""Hyper-parameter studies of neural networks, the way chapter 3 of Nielsen's book teaches them.

The public names are in ``nndl_exp.api``.
"""

from nndl_exp.interrupts import claim_process_of_command

claim_process_of_command()  # before other modules are imported, which takes a while

__version__ = "0.2.0"
