"""The rules of the house, read from the imports themselves."""

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import nndl_exp

PACKAGE = Path(nndl_exp.__file__).parent
# A room may import its own and those before it. Commands and the API come last.
ORDER = (
    "interrupts", "masking", "escaping", "errors", "archive", "nn", "weights", "fast", "training",
    "yaml_file", "datasets", "config", "records", "run",
    "database", "study", "display", "tracking", "demo", "cli", "book",
)  # fmt: skip
ROOM_OF_LIBRARY = {
    "hydra": {"cli"},
    "omegaconf": {"cli"},
    "optuna": {"study", "display", "tracking"},
    "distributed": {"study"},
    "dask": {"study"},
    "mlflow": {"tracking"},
    "sqlalchemy": {"study", "tracking", "database"},
    "matplotlib": {"display"},
    "plotly": {"display"},
    "jinja2": {"display", "tracking"},
    "pooch": {"datasets"},
    "mlxtend": {"datasets"},
    "sklearn": {"datasets", "book"},
    "PIL": {"datasets"},
    "starlette": {"demo"},
    "uvicorn": {"demo"},
    "rich": {"cli", "display", "commands"},
    "click": {"cli", "commands"},
    "threadpoolctl": {"fast", "records"},
}
CORE, OPTIONAL = {"numpy", "scipy"}, {"threadpoolctl"}
COMMANDS = {"__init__", "__main__", "api", "train", "sweep", "reproduce", "evaluate", "predict",
            "sync", "init_storage", "studies", "report"}  # fmt: skip


def room(path: Path) -> str:
    if path.stem == "__main__":
        return "commands"  # also that of a room: python -m nndl_exp.demo
    part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "commands" if part in COMMANDS else part


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    here = room(path)
    rank = ORDER.index(here) if here != "commands" else len(ORDER)
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "nndl_exp" and len(parts) > 1 and parts[1] in ORDER:
            assert ORDER.index(parts[1]) <= rank, f"{here} imports {name}"
        elif len(parts) > 1 and parts[0] == "nndl_exp":
            assert here == "commands", f"{here} imports {name}"


def test_the_rooms_of_a_study_import_in_no_circle():
    """proposing <- trial <- search <- running <- stages <- study, and what stands between them."""
    needs: dict[str, set[str]] = {}
    for path in (PACKAGE / "study").rglob("*.py"):
        here = path.relative_to(PACKAGE / "study").parts[0].removesuffix(".py")
        others = {
            name.partition("study.")[2].partition(".")[0]
            for name in imports(path)
            if name.startswith("nndl_exp.study.")
        }
        needs.setdefault(here, set()).update(others - {here})
    list(graphlib.TopologicalSorter(needs).static_order())  # raises CycleError


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_library_has_one_room(path):
    for name in imports(path):
        allowed = ROOM_OF_LIBRARY.get(name.split(".")[0])
        assert allowed is None or room(path) in allowed, f"{room(path)} imports {name}"


@pytest.mark.parametrize("name", ["nn", "fast", "training"])
def test_the_core_needs_numpy_and_scipy_only(name):
    for path in (PACKAGE / name).rglob("*.py"):
        for module in imports(path):
            top = module.split(".")[0]
            assert top in {*CORE, *OPTIONAL, "nndl_exp"} or top in sys.stdlib_module_names, module


def test_no_room_is_called_utils():
    names = {path.stem for path in MODULES} | {path.parent.name for path in MODULES}
    assert not names & {"utils", "util", "helpers", "helper", "common", "misc", "manager"}


DOCUMENTED = {"_exit"}  # os._exit is public in spite of its name


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__") and name not in DOCUMENTED


def private_names(path: Path) -> Iterator[str]:
    """Underscore names that a module takes from elsewhere; its own, and those of ``self``, are
    not."""
    tree = ast.parse(path.read_text())
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for name in imports(path):
        if not name.startswith("nndl_exp.") and any(map(is_private, name.split("."))):
            yield name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            holder = ast.unparse(node.value)
            if holder not in ("self", "cls") and not (holder.isidentifier() and node.attr in own):
                yield ast.unparse(node)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_private_name_of_a_dependency_is_used(path):
    assert not list(private_names(path))


def loaded_after(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


def test_workers_import_neither_mlflow_nor_matplotlib():
    loaded = loaded_after("import nndl_exp.study.trial, nndl_exp.study.executors")
    assert not loaded & {"mlflow", "matplotlib", "pandas", "hydra", "sqlalchemy", "rich", "sklearn"}


def test_help_and_errors_load_nothing_heavy():
    loaded = loaded_after(
        "import nndl_exp.train, nndl_exp.sweep, nndl_exp.report, nndl_exp.__main__, "
        "nndl_exp.demo.__main__"
    )
    heavy = {"mlflow", "matplotlib", "plotly", "pandas", "optuna", "scipy", "sqlalchemy"}
    assert not loaded & {*heavy, "jinja2", "uvicorn"}
