"""Leads a study as the sweep does, without the report at its end: python lead.py FOLDER [WORD ...]

It prints what the sweep says of faults, and last how many times its workers trained a trial.
"""

import os
import sys
import time
from contextlib import suppress
from pathlib import Path

if "FAKETIME_TIMESTAMP_FILE" in os.environ:
    # libfaketime 0.9 answers EINVAL to a sleep whose end has passed when it comes to look.
    sleep = time.sleep

    def sleep_or_not(seconds: float) -> None:
        with suppress(OSError):
            sleep(seconds)

    time.sleep = sleep_or_not


def main() -> int:
    from studies import search_of

    from nndl_exp.config import seconds
    from nndl_exp.study.running.coordinator import Coordinator
    from nndl_exp.study.study import Study

    search = search_of(Path(sys.argv[1]), *sys.argv[2:])
    Study(search.config).create()
    budget = search.config.study.budget
    coordinator = Coordinator(search, budget=seconds(budget) if budget else None)
    coordinator.say = lambda line: print(line, flush=True)
    numbers = [trial.number for trial in coordinator]
    assert numbers == list(range(len(numbers)))
    if coordinator.report.why:
        print(f"stopped  {coordinator.report.why}")
    print(len(coordinator.report.spans))
    return 1 if coordinator.report.why else 0


if __name__ == "__main__":  # its workers import this file, and need nothing of it
    sys.exit(main())
