"""tour.md: the notebook docs/tour.ipynb with the outputs that it was saved with."""

from pathlib import Path

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from nbconvert import MarkdownExporter


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page and its pictures."""
    path = Path(config.docs_dir) / "tour.ipynb"
    notebook = nbformat.read(path, as_version=4)
    resources = {"output_files_dir": "tour_files", "unique_key": "tour"}
    text, made = MarkdownExporter().from_notebook_node(notebook, resources)
    text = text.replace("![png]", "![What the code above draws]")
    files.append(File.generated(config, "tour.md", content=text))
    for name, content in made["outputs"].items():
        files.append(File.generated(config, name, content=content))
    return files
