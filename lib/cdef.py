# SPDX-License-Identifier: BSD-2-Clause
"""Write the declarations of the public headers, and nothing else, to standard output.

Foreign-function parsers (cffi, PHP's FFI) take declarations but no preprocessor,
no attributes and no system headers. What is left for them: typedefs, structs,
enums, prototypes and `#define NAME number`, each once, in the order of inclusion.

usage: cdef.py HEADER...
"""
import os
import re
import sys


def in_order(paths):
    """The headers, each after those it includes."""
    by_name = {"coordconv/" + os.path.basename(p): p for p in paths}
    done = []

    def visit(name):
        if name in done:
            return
        with open(by_name[name], encoding="utf-8") as f:
            for included in re.findall(r"#include <(coordconv/[^>]+)>", f.read()):
                visit(included)
        done.append(name)

    for name in sorted(by_name):
        visit(name)
    return [by_name[name] for name in done]


def declarations(text):
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r"#ifdef __cplusplus\n.*?#endif", "", text, flags=re.S)
    text = re.sub(r"#ifndef COORDCONV_API\n.*?#endif\n#endif", "", text, flags=re.S)
    lines = []
    for line in text.splitlines():
        line = line.replace("COORDCONV_API ", "").rstrip()
        if line.startswith("#") and not re.match(r"#define \w+ -?\w+$", line):
            continue
        if line:
            lines.append(line)
    return "\n".join(lines)


def main(paths):
    print("/* SPDX-License-Identifier: BSD-2-Clause")
    print(" * Declarations of libcoordconv, for parsers without a preprocessor. Generated. */")
    for path in in_order(paths):
        with open(path, encoding="utf-8") as f:
            text = declarations(f.read())
        if text:
            print(text)


if __name__ == "__main__":
    main(sys.argv[1:])
