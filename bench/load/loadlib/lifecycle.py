"""Start and idle memory of a server without models."""

import dataclasses
import os
import time

from .processes import Server
from .report import Table, Verdict, median

COLUMNS = ["case", "figure", "must", "goal", ""]
TITLE = "Without models"


def _start(bench):
    folder = os.path.join(bench.scratch, "empty")
    os.makedirs(folder, exist_ok=True)
    return Server(bench.server, folder, ["--model-control-mode=explicit"])


@dataclasses.dataclass
class StartCase:
    """Seconds from exec to the first 200 of /v2/health/ready."""
    name: str
    must: float
    title: str = TITLE

    def run(self, bench):
        seconds = []
        for _ in range(2 * bench.rounds + 1):
            with _start(bench) as server:
                seconds.append(server.ready_seconds)
        table = Table(self.title, COLUMNS)
        table.add(self.name, *Verdict(median(seconds), self.must, form="{:.3f} s").cells())
        return table


@dataclasses.dataclass
class MemoryCase:
    """Resident bytes, shared pages included, a second after the start."""
    name: str
    must: float
    title: str = TITLE

    def run(self, bench):
        with _start(bench) as server:
            time.sleep(1)
            resident = server.resident_bytes() / 1e6
        table = Table(self.title, COLUMNS)
        table.add(self.name, *Verdict(resident, self.must, form="{:.1f} MB").cells())
        return table
