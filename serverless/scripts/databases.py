"""The PostgreSQL databases of a stage on this machine, with today's schema and some slots."""

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from emulator import free_port
from expander import documents

SERVERLESS = Path(__file__).resolve().parent.parent
SERVER = SERVERLESS.parent / "scripts/postgres.sh"
# The first slot of each country; the one of Peru is the one that the first version's example asks for.
SLOTS = {"PE": 100, "CL": 200}


@contextmanager
def running(stage: str, ledger: Path):
    """A server that is there for as long as the block is. Gives where it listens, HOST:PORT."""
    port = str(free_port())
    directory = tempfile.mkdtemp(prefix="ledger-postgres.", dir="/tmp")
    try:
        # In a session of its own: Ctrl-C is for this program, which stops the server when it is done with it.
        _run([SERVER, "start", directory, port], start_new_session=True)
        _prepare(stage, ledger, port)
        yield f"127.0.0.1:{port}"
    finally:
        subprocess.run([SERVER, "stop", directory], check=False, start_new_session=True)
        shutil.rmtree(directory, ignore_errors=True)


def _prepare(stage: str, ledger: Path, port: str) -> None:
    rds = documents.load(SERVERLESS / f"config/{stage}.yml")["rds"]
    user, database = rds["username"], rds["database"]
    # What RDS gives its first user, and no more.
    statements = [f"CREATE ROLE {user} LOGIN CREATEDB CREATEROLE"]
    statements += [f"CREATE DATABASE {database}{suffix} OWNER {user}" for suffix in ("", "_pe", "_cl")]
    for statement in statements:
        _run(["psql", "-qX", "-h", "127.0.0.1", "-p", port, "-U", "postgres", "-c", statement])
    environment = {
        "PATH": os.environ["PATH"],
        "RDS_HOST": "127.0.0.1",
        "RDS_PORT": port,
        "RDS_USERNAME": user,
        "RDS_DATABASE_PE": f"{database}_pe",
        "RDS_DATABASE_CL": f"{database}_cl",
        "RDS_HOST_LEDGER": "127.0.0.1",
        "RDS_PORT_LEDGER": port,
        "RDS_USERNAME_LEDGER": user,
        "RDS_DATABASE_LEDGER": database,
    }
    _run([ledger, "migrate", "up"], env=environment)
    # As docs/deployment.md has an administrator do it.
    for suffix, role in (("", "ledger_mirror"), ("_pe", "ledger_pe"), ("_cl", "ledger_cl")):
        for statement in (
            f"REVOKE CONNECT ON DATABASE {database}{suffix} FROM PUBLIC",
            f"GRANT CONNECT ON DATABASE {database}{suffix} TO {role}",
        ):
            _run(["psql", "-qX", "-h", "127.0.0.1", "-p", port, "-U", user, "-d", database, "-c", statement])
    # As the country's own system lists them. An import by a ledger would make the database that ledger's.
    for country, suffix in (("PE", "_pe"), ("CL", "_cl")):
        _run(
            [
                "psql",
                "-qX",
                "-v",
                "ON_ERROR_STOP=1",
                "-h",
                "127.0.0.1",
                "-p",
                port,
                "-U",
                user,
                "-d",
                database + suffix,
            ],
            input=_slots(country, datetime.now(UTC)),
        )


def _slots(country: str, now: datetime) -> str:
    """Ten slots of a country on the next working day, as SQL. At this hour both countries are open."""
    day = now + timedelta(days=1)
    while day.weekday() > 4:
        day += timedelta(days=1)
    slots = [(SLOTS[country] + number, 1 + number % 6, 1 + number) for number in range(10)]
    lines = [f"INSERT INTO clinical.centers (country, center) VALUES ('{country}', 1);"]
    for specialty in sorted({specialty for _, specialty, _ in slots}):
        lines.append(f"INSERT INTO clinical.specialties (country, specialty) VALUES ('{country}', {specialty});")
    for schedule, specialty, medic in slots:
        lines += [
            f"INSERT INTO clinical.medics (country, medic) VALUES ('{country}', {medic});",
            "INSERT INTO clinical.schedules (schedule, country, center, specialty, medic, date) VALUES "
            f"({schedule}, '{country}', 1, {specialty}, {medic}, '{day:%Y-%m-%d}T15:00:00Z');",
        ]
    return "\n".join(lines) + "\n"


def _run(command: list, **options) -> None:
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=120, check=False, **options
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
