"""The proposals of a search on the disk: ``trials/K/proposal.json``, which is never changed.

A process that dies between a proposal and its result loses neither: what is there, is trained.
"""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from nndl_exp.errors import UserError
from nndl_exp.records import atomic
from nndl_exp.study.proposing.proposer import Proposal

if TYPE_CHECKING:
    from nndl_exp.study.search import Search

FILE = "proposal.json"


def record(search: "Search", proposal: Proposal) -> bool:
    """Record a proposal; returns False if another one is recorded, which counts."""
    path = search.run_directory(proposal.number).path / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    data = json.dumps({"search": search.identity, **asdict(proposal)}).encode()
    return atomic.create(path, data) or path.read_bytes() == data


def recorded(search: "Search", number: int) -> Proposal | None:
    """The recorded proposal of a trial, None if there is none.

    Raises:
        UserError: the file is damaged, or that of another search.
    """
    path = search.run_directory(number).path / FILE
    try:
        found = json.loads(path.read_bytes())
        identity, proposal = found.pop("search"), Proposal(**found)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, LookupError, AttributeError):
        raise UserError(f"{path} is damaged; delete it, and it is made again") from None
    if identity != search.identity or proposal.number != number:
        raise UserError(
            f"{path.parent} must hold the trial that {search.name} proposes: got one of another "
            "search; delete the folder, or give another study.name"
        )
    return proposal
