"""How a study scales, measured by the real commands and engines.

    NNDL_DATA_DIR=... pg_virtualenv python -m benchmarks.scaling [PART ...]

writes the tables of the parts, all of them unless some are named, into benchmarks/README.md. What
they measure is said at the head of each one's file. The machine must be free (a load below 0.7 as
each part begins, which is written below its table); PostgreSQL is found
by PGHOST, PGPORT, PGUSER and PGPASSWORD, which pg_virtualenv (Debian: postgresql-common) sets.
"""

import argparse
import os

from benchmarks.readme import write_section
from benchmarks.scaling import overhead, proposals, sleeping, workers

PARTS = {
    "workers": workers.measured,
    "overhead": overhead.measured,
    "sleeping": sleeping.measured,
    "proposals": proposals.measured,
}
"""What measures a part and makes its table, given how many rounds there are."""


def main() -> None:
    """Measure the parts that are asked for and write their tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=3, help="whose median is taken (3)")
    options = parser.parse_args()
    for part in options.parts:
        if part not in PARTS:
            parser.error(f"PART must be one of {', '.join(PARTS)}: got {part}")
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        os.environ.pop(name, None)
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
    for part in options.parts or PARTS:
        load = os.getloadavg()[0]
        text = PARTS[part](options.rounds)
        text += f"\n\nThe load of the machine as this began: {load:.1f}."
        print(text, flush=True)
        write_section(f"scaling: {part}", text)


if __name__ == "__main__":
    main()
