"""Fuzz what reads bytes from outside: see ``--help``."""

from __future__ import annotations

import argparse
import importlib
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TARGETS = sorted(file.stem.removeprefix("on_") for file in HERE.glob("on_*.py"))
CORPUS = HERE / "corpus"
FOUND = ROOT / ".cache" / "fuzz"
CRASHES = FOUND / "crashes"

# Longer than browsers' limit of 4096 for a cookie, which some parsers know. Others know no limit,
# and are slow on what is long.
LONGEST = 4400
SHORTER = dict.fromkeys(("envelope", "tagged_json"), 1000)
OPTIONS = ["-timeout=20", "-rss_limit_mb=3000", "-print_final_stats=1"]
FEWEST = 100


def say(line: str) -> None:
    """Print a line, for who follows a log too."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@dataclass(frozen=True)
class Ran:
    """How a target ran in one process; ``inputs`` are None where it said nothing of them."""

    target: str
    inputs: int | None
    code: int
    said: str

    @property
    def is_well(self) -> bool:
        """Whether nothing was found, and enough was tried."""
        return self.code == 0 and self.inputs is not None and self.inputs >= FEWEST


def prepare(target: str) -> None:
    """Put the seeds of a target among what was found."""
    found = FOUND / target
    found.mkdir(parents=True, exist_ok=True)
    CRASHES.mkdir(exist_ok=True)
    for number, seed in enumerate(importlib.import_module(f"on_{target}").SEEDS):
        (found / f"seed-{number}").write_bytes(seed)


def corpus(target: str) -> list[str]:
    """Return the folders of a target's corpus; what is found goes into the first."""
    return [str(folder / target) for folder in (FOUND, CORPUS) if (folder / target).is_dir()]


def one(target: str, seconds: float, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a target in a process of its own."""
    longest = f"-max_len={SHORTER.get(target, LONGEST)}"
    return subprocess.run(
        [sys.executable, HERE / "one.py", target, str(seconds), longest, *OPTIONS, *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        timeout=seconds + 120,
    )


def fuzz(target: str, seconds: float) -> Ran:
    """Fuzz a target for so long."""
    done = one(target, seconds, f"-artifact_prefix={CRASHES}/{target}-", *corpus(target))
    count = re.search(r"number_of_executed_units:\s+(\d+)", done.stdout)
    return Ran(target, int(count[1]) if count else None, done.returncode, done.stdout)


def keep(target: str) -> None:
    """Put the least of what was found that covers as much into the corpus."""
    with tempfile.TemporaryDirectory() as folder:
        least = Path(folder) / target
        least.mkdir()
        done = one(target, 600, "-set_cover_merge=1", str(least), *corpus(target))
        if done.returncode or not any(least.iterdir()):
            sys.exit(f"{target} could not be merged:\n{done.stdout[-3000:]}")
        kept = CORPUS / target
        kept.mkdir(parents=True, exist_ok=True)
        for file in kept.iterdir():
            file.unlink()
        for file in least.iterdir():
            (kept / file.name).write_bytes(file.read_bytes())
    sizes = [file.stat().st_size for file in kept.iterdir()]
    say(f"{target}: {len(sizes)} inputs of {sum(sizes)} bytes are kept")


def again(crash: Path) -> int:
    """Run the target of a crash on its input alone; returns 1 if it fails still."""
    target = next((name for name in TARGETS if crash.name.startswith(f"{name}-")), None)
    if target is None:
        sys.exit(f"the name of {crash} does not begin with a target's")
    done = one(target, 60, str(crash))
    say(done.stdout)
    return 1 if done.returncode else 0


def campaign(targets: list[str], seconds: float, processes: int) -> list[Ran]:
    """Fuzz targets on so many cores, each for as long as there is time; none stays idle."""
    rounds = math.ceil(len(targets) / processes)
    jobs = [targets[number % len(targets)] for number in range(rounds * processes)]
    share = seconds / rounds
    with ThreadPoolExecutor(processes) as pool:
        return list(pool.map(lambda target: fuzz(target, share), jobs))


def main() -> int:
    """Do what the command line says; returns 1 if anything was found."""
    parser = argparse.ArgumentParser(description="Fuzz what reads bytes from outside.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=float, default=60, help="for all targets together")
    cores = min(len(os.sched_getaffinity(0)), 2 * len(TARGETS))
    parser.add_argument("--processes", type=int, default=cores, help="at once")
    parser.add_argument("--keep", action="store_true", help="put what was found into the corpus")
    parser.add_argument("--again", type=Path, metavar="FILE", help="try a crash's input once more")
    given = parser.parse_args()
    if given.again:
        return again(given.again)
    targets = given.targets or TARGETS
    if unknown := set(targets) - set(TARGETS):
        parser.error(
            f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}"
        )
    for target in targets:
        prepare(target)
    if given.keep:
        for target in targets:
            keep(target)
        return 0
    began = time.monotonic()
    ran = campaign(targets, given.seconds, max(1, given.processes))
    inputs: Counter[str] = Counter()
    for one_run in ran:
        inputs[one_run.target] += one_run.inputs or 0
    for target in targets:
        say(f"{target}: {inputs[target]} inputs")
    say(f"in {time.monotonic() - began:.0f} s")
    bad = [one_run for one_run in ran if not one_run.is_well]
    for one_run in bad:
        say(f"\n== {one_run.target} failed ({one_run.code}):\n{one_run.said[-4000:]}")
    if bad:
        say(f"\nWhat made it fail is in {CRASHES}; to try a file of it: script/fuzz --again FILE")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
