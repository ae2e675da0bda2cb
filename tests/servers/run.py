"""Start servers, run a command that finds them by environment variables, and stop them.

    python tests/servers/run.py [--only redis,cluster,postgresql,mariadb] -- COMMAND...

The exit status is the command's. With ``--missing`` nothing is run: the Debian packages that the
servers lack are printed.
"""

# ruff: noqa: T201  # a script: it prints

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from server import MissingBinary, NotStarted, Server, end  # found by the line above

KINDS = {
    "redis": ("redis_servers", "RedisServer"),
    "cluster": ("redis_servers", "RedisCluster"),
    "postgresql": ("sql_servers", "PostgreSQLServer"),
    "mariadb": ("sql_servers", "MariaDBServer"),
}


def kind(name: str) -> type[Server]:
    """Return the class of servers of one kind."""
    module, of_it = KINDS[name]
    found: type[Server] = getattr(import_module(module), of_it)
    return found


def run(command: list[str], environment: dict[str, str]) -> int:
    """Run a command to its end, also when this process is told to end; return its status."""
    process = subprocess.Popen(command, env=environment)
    try:
        status = process.wait()
    except KeyboardInterrupt:
        # A terminal has sent it to the command too, which may have something to tidy up.
        try:
            status = process.wait(15)
        except (KeyboardInterrupt, subprocess.TimeoutExpired):
            end(process)
            status = -signal.SIGINT
    except SystemExit:
        end(process)
        raise
    return status if status >= 0 else 128 - status


def main() -> int:
    """Do what the first lines of this file say."""
    parser = argparse.ArgumentParser(description="Run a command beside servers for tests.")
    parser.add_argument("--only", default=",".join(KINDS), help="which servers, with commas")
    parser.add_argument("--missing", action="store_true", help="print the packages that lack")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    chosen = parser.parse_args()
    names: list[str] = [name for name in chosen.only.split(",") if name]
    if unknown := sorted(set(names) - KINDS.keys()):
        parser.error(f"no such server: {', '.join(unknown)}; there are {', '.join(KINDS)}")
    kinds = [kind(name) for name in names]
    if chosen.missing:
        print(*sorted({package for one in kinds for package in one.missing_packages()}))
        return 0
    command: list[str] = chosen.command[1:] if chosen.command[:1] == ["--"] else chosen.command
    if not command:
        parser.error("no command to run")

    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    servers = [one() for one in kinds]
    try:
        began = time.monotonic()
        with ThreadPoolExecutor(max(1, len(servers))) as starting:
            list(starting.map(Server.start, servers))
        seconds = time.monotonic() - began
        print(f"servers: {', '.join(names)} ({seconds:.1f} s)", file=sys.stderr, flush=True)
        return run(command, os.environ | {server.variable: server.url for server in servers})
    except (MissingBinary, NotStarted) as error:
        print(f"no servers: {error}", file=sys.stderr)
        return 1
    except FileNotFoundError as error:
        print(f"can't be run: {error}", file=sys.stderr)
        return 127
    except KeyboardInterrupt:
        return 130
    finally:
        for server in servers:
            server.stop()


if __name__ == "__main__":
    sys.exit(main())
