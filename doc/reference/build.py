#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Make the reference of the API from the comments of the public headers.

usage: build.py DOXYGEN VERSION INCLUDE OUTPUT

OUTPUT/html is the reference for a browser, OUTPUT/man3 a manual page for each header
(coordconv-tensor) and one that leads to it for each function, OUTPUT/warnings what Doxygen
had to say, above all of symbols without a comment: the test wants it empty.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


def settings(version, include, output):
    return f'''
PROJECT_NAME = libcoordconv
PROJECT_NUMBER = {version}
PROJECT_BRIEF = "convolution networks that know where they are"
INPUT = "{include}/coordconv" "{HERE}/main.md"
FILE_PATTERNS = *.h
EXCLUDE_PATTERNS = meson.build
INPUT_FILTER = "{sys.executable} {HERE}/filter.py"
USE_MDFILE_AS_MAINPAGE = "{HERE}/main.md"
STRIP_FROM_PATH = "{include}"
STRIP_FROM_INC_PATH = "{include}"
OUTPUT_DIRECTORY = "{output}"
OPTIMIZE_OUTPUT_FOR_C = YES
JAVADOC_AUTOBRIEF = YES
TYPEDEF_HIDES_STRUCT = YES
MACRO_EXPANSION = YES
EXPAND_ONLY_PREDEF = YES
PREDEFINED = COORDCONV_API=
GENERATE_LATEX = NO
GENERATE_MAN = YES
MAN_LINKS = YES
HAVE_DOT = NO
SEARCHENGINE = NO
HTML_TIMESTAMP = NO
QUIET = YES
WARN_LOGFILE = "{output}/warnings"
'''


def man_name(page):
    """coords.h.3 is coordconv-coords.3: manual pages have but one room."""
    name = page.name
    return re.sub(r'^(?:coordconv_)?(\w+)\.h\.3$', r'coordconv-\1.3', name)


def copy_pages(source, target):
    target.mkdir()
    for page in sorted(source.iterdir()):
        if not re.match(r'coordconv_\w+\.3$|\w+\.h\.3$', page.name):
            continue
        text = page.read_text(encoding='utf-8')
        link = re.match(r'\.so man3/(\S+)', text)
        if link:
            text = f'.so man3/{man_name(pathlib.PurePath(link.group(1)))}\n'
        else:
            text = re.sub(r'^\.TH "[^"]*" 3 "[^"]*"', f'.TH "{man_name(page)[:-2]}" 3 ""', text)
        (target / man_name(page)).write_text(text, encoding='utf-8')


def main():
    doxygen, version, include, output = sys.argv[1:]
    output = pathlib.Path(output)
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run([doxygen, '-'], input=settings(version, include, scratch), text=True,
                              check=False)
        if done.returncode != 0:
            return 1
        for name in ('html', 'man3'):
            shutil.rmtree(output / name, ignore_errors=True)
        shutil.copytree(pathlib.Path(scratch) / 'html', output / 'html')
        warnings = (pathlib.Path(scratch) / 'warnings').read_text(encoding='utf-8')
        (output / 'warnings').write_text(warnings, encoding='utf-8')
        copy_pages(pathlib.Path(scratch) / 'man' / 'man3', output / 'man3')
    return 0


if __name__ == '__main__':
    sys.exit(main())
