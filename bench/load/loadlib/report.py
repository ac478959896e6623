"""Rows of figures, and the tables they are printed as."""

import dataclasses
import os
import platform
import re
import statistics
import time


@dataclasses.dataclass
class Verdict:
    """A figure held against what it must be and what it should be."""
    value: float
    must: float
    goal: float = None
    higher_is_better: bool = False
    form: str = "{:.2f}"

    def _reaches(self, limit):
        return self.value >= limit if self.higher_is_better else self.value <= limit

    def cells(self):
        sign = "≥ " if self.higher_is_better else "≤ "
        limit = lambda bound: "–" if bound is None else sign + self.form.format(bound)
        if not self._reaches(self.must):
            word = "MISSED"
        elif self.goal is not None and not self._reaches(self.goal):
            word = "met, goal missed"
        else:
            word = "met"
        return [self.form.format(self.value), limit(self.must), limit(self.goal), word]


class Table:
    def __init__(self, title, columns):
        self.title = title
        self.rows = [columns]

    def add(self, *cells):
        self.rows.append([str(cell) for cell in cells])

    def text(self):
        """Markdown, padded to be read as it is."""
        widths = [max(len(row[i]) for row in self.rows) for i in range(len(self.rows[0]))]
        line = lambda row: "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths)) + " |"
        rule = "|" + "|".join("-" * (w + 2) for w in widths) + "|"
        return "\n".join([f"### {self.title}", "", line(self.rows[0]), rule,
                          *map(line, self.rows[1:])]) + "\n"


def median(values):
    return statistics.median(values)


def machine():
    with open("/proc/cpuinfo") as info:
        model = re.search(r"model name\s*:\s*(.*)", info.read())
    release = ".".join(platform.release().split(".")[:2])
    return (f"{os.cpu_count()} cores, {model[1] if model else platform.machine()}, "
            f"Linux {release}, client on the same cores")


def document(command, tables, note):
    parts = [f"# {time.strftime('%Y-%m-%d %H:%M')}", "", f"`{command}`", "", machine() + ".", ""]
    if note:
        parts += [note, ""]
    return "\n".join(parts) + "\n" + "\n".join(table.text() for table in tables)
