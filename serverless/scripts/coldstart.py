"""Measures how long a program takes from its start to its first question to Lambda's runtime API.

    coldstart.py [--starts 50] [--function appointment] PROGRAM...

PROGRAM is a bootstrap, or a package with one, such as .build/lambda/bootstrap.zip. A program in C that does nothing but
ask is measured beside them, in turns, where there is a compiler: it says what this machine takes for a start.
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

C = r"""
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
int main(void) {
    struct sockaddr_in place = {.sin_family = AF_INET};
    place.sin_port = htons(atoi(strchr(getenv("AWS_LAMBDA_RUNTIME_API"), ':') + 1));
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int line = socket(AF_INET, SOCK_STREAM, 0);
    char text[] = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: localhost\r\n\r\n";
    if (connect(line, (struct sockaddr *)&place, sizeof place)) return 1;
    if (write(line, text, sizeof text - 1) < 0) return 1;
    return read(line, text, sizeof text) < 0;
}
"""


def start(program: Path, function: str) -> float:
    """Starts a program once. Gives the milliseconds until its question was there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        environment = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.getsockname()[1]}",
            "_HANDLER": function,
            "LD_LIBRARY_PATH": str(program.parent / "lib"),
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "KMS_KEY_ID": "alias/key",
            # For the functions that have a database.
            **{f"RDS_{name}{end}": value for name, value in DATABASE.items() for end in ("", "_LEDGER")},
        }
        before = time.perf_counter()
        # The file itself is executed, without a shell and without closing descriptors one by one.
        process = subprocess.Popen([program], env=environment, close_fds=False, cwd=program.parent)
        try:
            line, _ = server.accept()
            with line:
                question = line.recv(4096)
                took = (time.perf_counter() - before) * 1000
        finally:
            process.kill()
            process.wait()
    if b"/runtime/invocation/next" not in question:
        raise RuntimeError(f"{program} asked for something else: {question[:200]!r}")
    return took


DATABASE = {"HOST": "127.0.0.1", "DATABASE": "clinic", "USERNAME": "ledger"}


def unpack(program: Path, directory: Path) -> Path:
    """The bootstrap of a package."""
    if program.suffix != ".zip":
        return program.resolve()
    with zipfile.ZipFile(program) as archive:
        archive.extractall(directory)
    os.chmod(directory / "bootstrap", 0o755)
    return directory / "bootstrap"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=50)
    parser.add_argument("--function", default="appointment")
    parser.add_argument("programs", type=Path, nargs="+", metavar="PROGRAM")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ledger-start-") as scratch:
        programs = {}
        for number, program in enumerate(given.programs):
            programs[str(program)] = unpack(program, Path(scratch) / str(number))
        if compiler := shutil.which("cc") or shutil.which("clang"):
            source = Path(scratch) / "c.c"
            source.write_text(C)
            subprocess.run([compiler, "-O2", "-o", source.with_suffix(""), source], check=True)
            programs["C, the same question"] = source.with_suffix("")
        taken = {name: [] for name in programs}
        # The first start reads the file from disk, which is not what is asked.
        for round_ in range(given.starts + 1):
            for name, program in programs.items():
                took = start(program, given.function)
                if round_ > 0:
                    taken[name].append(took)
    for name, times in taken.items():
        times.sort()
        print(
            f"{name}: median {statistics.median(times):.1f} ms, 90 of 100 within {times[len(times) * 9 // 10]:.1f} ms, "
            f"{times[0]:.1f} to {times[-1]:.1f} ms, {len(times)} starts"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
