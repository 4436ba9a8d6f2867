"""Drawing the learning curves of a recorded run."""

from pathlib import Path

from nndl_exp.display.figures.learning_curves import save_learning_curves
from nndl_exp.records import RunDirectory
from nndl_exp.run import measure_of


def draw(directory: RunDirectory, name: str) -> Path:
    """Draw a settled run's learning curves into its folder, unless they are there; the file."""
    path = directory.path / "learning_curves.png"
    if not path.exists():
        result = directory.result()
        assert result is not None
        title = f"{name}: {result.reason}"
        config, epochs = directory.config(), directory.epochs()
        measure, monitor = measure_of(config), config.dataset.monitor
        save_learning_curves(path, epochs, result.best, title, measure, monitor)
    return path
