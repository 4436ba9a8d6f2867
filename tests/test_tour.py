"""docs/tour.ipynb runs from its first cell to its last, and prints what it was saved with.

NNDL_WRITE_DOCS=1 saves what came instead.
"""

import os
import re

import pytest
from docs_blocks import ROOT, difference, kernels

if not (ROOT / "mkdocs.yml").is_file():
    pytest.skip("a source distribution has no docs", allow_module_level=True)

import nbformat
from nbclient import NotebookClient

PATH = ROOT / "docs" / "tour.ipynb"


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """The notebook, run in an empty folder."""
    for name in ("IPYTHONDIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    ran = nbformat.read(PATH, as_version=4)
    folder = tmp_path / "empty"
    folder.mkdir()
    where = {"metadata": {"path": str(folder)}}
    NotebookClient(ran, timeout=600, coalesce_streams=True, resources=where).execute()
    return ran


@pytest.mark.timeout(900)  # as a whole, with the kernel's start
def test_it_runs_and_prints_what_was_saved(notebook):
    saved = nbformat.read(PATH, as_version=4)
    assert not [output for output in outputs(notebook) if output.get("name") == "stderr"]
    if os.environ.get("NNDL_WRITE_DOCS"):
        write(notebook)
        return
    pictures = [output for output in outputs(notebook) if "image/png" in output.get("data", {})]
    assert len(pictures) == 4
    assert [o.output_type for o in outputs(saved)] == [o.output_type for o in outputs(notebook)]
    if saved.metadata["numbers of"] == kernels():
        for before, now in zip(outputs(saved), outputs(notebook), strict=True):
            assert not difference(text_of(before), text_of(now))


def outputs(notebook) -> list:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def text_of(output) -> str:
    """What an output says in words: printed lines, or a table; not the address of an object."""
    text = output.get("text") or output.get("data", {}).get("text/html", "")
    return re.sub(r"T_\w+", "T", text)


def write(notebook) -> None:
    """Save it without what would differ at the next time though nothing has changed."""
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.execution_count = None
            for output in cell.outputs:
                output.pop("execution_count", None)
                if output.output_type == "execute_result":
                    output.execution_count = None
                for kind, text in list(output.get("data", {}).items()):
                    if kind.startswith("text/") and isinstance(text, str):
                        output.data[kind] = re.sub(r"T_\w{5}", "T_table", text)
    language = {"name": "python"}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata = {"kernelspec": kernel, "language_info": language, "numbers of": kernels()}
    nbformat.write(notebook, PATH)
