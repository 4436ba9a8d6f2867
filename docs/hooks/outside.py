"""Pages that lie outside docs/: the changelog, how to contribute, the book's results."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

PAGES = {
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "results.md": "experiments/RESULTS.md",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add them, their pictures and links from where they are now."""
    root = Path(config.docs_dir).parent
    for name, source in PAGES.items():
        text = (root / source).read_text()
        files.append(File.generated(config, name, content=re.sub(r"\]\(docs/", "](", text)))
        for picture in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text):
            path = str((root / source).parent / picture)
            files.append(File.generated(config, picture, abs_src_path=path))
    return files
