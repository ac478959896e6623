#!/usr/bin/env python3
"""Takes files out of wheels without installing them.

    wheel_files.py DIR PATTERN WHEEL...    files whose whole name in the wheel PATTERN matches, to DIR/<its group 1>
"""
import pathlib
import re
import shutil
import sys
import zipfile


def take(into, pattern, wheels):
    for archive in map(zipfile.ZipFile, wheels):
        for name in archive.namelist():
            inside = re.fullmatch(pattern, name)
            if inside is None:
                continue
            path = pathlib.Path(into, inside[1])
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as source, open(path, "wb") as out:
                shutil.copyfileobj(source, out)


if __name__ == "__main__":
    take(sys.argv[1], sys.argv[2], sys.argv[3:])
