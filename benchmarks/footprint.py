"""What a run takes besides training: measuring, checkpoints, memory; and what a worker adds.

    NNDL_DATA_DIR=... python -m benchmarks.footprint    # writes benchmarks/README.md

On the full digits, one thread, each network in a process of its own. A worker adds the memory
that it writes to; the digits and the libraries are mapped from files that all processes share.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.readme import write_section

CASES = (["network.hidden=[30]"], [], ["network.hidden=[800]", "training.mini_batch_size=100"])
NAMES = ("[784, 30, 10], m = 10", "[784, 100, 10], m = 10", "[784, 800, 10], m = 100")
MEGABYTE = 2**20


def resident() -> float:
    """Megabytes of memory that this process has in use."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / MEGABYTE


def measure(words: list[str]) -> dict[str, float]:
    """Shares of the training time, and memory beyond the imports, of three epochs."""
    from nndl_exp.api import load_config
    from nndl_exp.records import RunDirectory
    from nndl_exp.run import Run, check

    before = resident()
    config = load_config(["dataset=mnist", "training.epochs=4", *words])
    dataset, shares, checkpoints = check(config), [], []
    with tempfile.TemporaryDirectory() as folder, \
            Run(config, RunDirectory(Path(folder) / "run"), dataset) as run:  # fmt: skip
        start = time.perf_counter()
        for epoch in run:
            end = time.perf_counter()
            run.suspend()
            checkpoints.append((time.perf_counter() - end) / epoch.seconds)
            shares.append((end - start) / epoch.seconds - 1)
            start = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
    return {
        "measuring": statistics.median(shares[1:]),
        "checkpoint": statistics.median(checkpoints[1:]),
        "peak": peak,
        "imports": before,
    }


def worker_megabytes() -> float:
    """The memory that the larger of two workers has written to, on the full digits."""
    words = ["dataset=mnist", "workers=2", "tracking=none", "study.n_trials=4", "sampler=random",
             "search_space=numeric", "network.hidden=[100]", "training.epochs=12"]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "nndl_exp.sweep", *words, f"output={folder}"]
        sweep = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        largest: dict[int, float] = {}
        while sweep.poll() is None:
            for pid in _workers(sweep.pid):
                largest[pid] = max(largest.get(pid, 0), _unique(pid))
            time.sleep(0.2)
    return max(largest.values())


def _workers(parent: int) -> list[int]:
    try:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    except OSError:
        return []
    return [int(child) for child in children if "spawn_main" in _command(int(child))]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def _unique(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    private = sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty"))
    return private / 1024


def main() -> None:
    """Measure and write the table."""
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2:])))
        return
    lines = ["| network | measuring | a checkpoint an epoch | peak memory beyond the imports |",
             "|---|---|---|---|"]  # fmt: skip
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    for name, words in zip(NAMES, CASES, strict=True):
        command = [sys.executable, "-m", "benchmarks.footprint", "--measure", *words]
        rounds = [
            json.loads(subprocess.run(command, env=environment, capture_output=True, text=True,
                                      check=True).stdout)
            for _ in range(3)
        ]  # fmt: skip
        m = {key: statistics.median(r[key] for r in rounds) for key in rounds[0]}
        lines.append(
            f"| {name} | {m['measuring']:.1%} | {m['checkpoint']:.1%} | {m['peak']:.0f} MB |"
        )
        print(lines[-1], flush=True)
    lines += ["", f"Each of two workers of a sweep adds {worker_megabytes():.0f} MB."]
    print(lines[-1])
    write_section("footprint", "\n".join(lines))


if __name__ == "__main__":
    main()
