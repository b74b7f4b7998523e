#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Look whether every exported function has a manual page, every header is in the overviews, and
mandoc, where it is installed, takes the page written by hand, and Doxygen had no complaint.

usage: check.py MAN3 MAP OVERVIEW HEADER...
"""
import pathlib
import re
import shutil
import subprocess
import sys


def main():
    man3, symbols, overview = (pathlib.Path(path) for path in sys.argv[1:4])
    names = re.findall(r'^\s+(coordconv_\w+);', symbols.read_text(encoding='utf-8'), re.M)
    headers = [pathlib.Path(path).stem for path in sys.argv[4:]]
    front = (overview.parent / 'main.md').read_text(encoding='utf-8')
    lacks = (man3.parent / 'warnings').read_text(encoding='utf-8').splitlines()
    lacks += [f'{name}: no manual page' for name in names if not (man3 / f'{name}.3').is_file()]
    for header in headers:
        page = f'coordconv-{header}'
        if not (man3 / f'{page}.3').is_file():
            lacks.append(f'{page}(3): not there')
        if header != 'coordconv' and f'.Xr {page} 3' not in overview.read_text(encoding='utf-8'):
            lacks.append(f'{overview.name}: {page} is not under SEE ALSO')
        if header != 'coordconv' and f'| {header}.h |' not in front:
            lacks.append(f'main.md: {header}.h is not in the table')
    if shutil.which('mandoc'):
        done = subprocess.run(['mandoc', '-T', 'lint', str(overview)], capture_output=True,
                              text=True, check=False)
        lacks += [line for line in done.stdout.splitlines() if 'referenced manual' not in line]
    print(f'{len(names)} functions, {len(headers)} headers')
    print('\n'.join(lacks))
    return 1 if lacks or not names or not headers else 0


if __name__ == '__main__':
    sys.exit(main())
