"""A newcomer who follows docs/tutorial.md word by word gets what it shows: real commands, in an
empty folder, in the order in which they stand.

NNDL_WRITE_DOCS=1 writes what came into the page instead of comparing.
"""

import pytest
from docs_blocks import ROOT, Page

PATH = ROOT / "docs" / "tutorial.md"


@pytest.mark.skipif(not PATH.is_file(), reason="a source distribution has no docs")
def test_the_tutorial(tmp_path):
    Page(PATH, tmp_path).run()
