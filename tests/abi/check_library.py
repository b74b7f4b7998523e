# SPDX-License-Identifier: BSD-2-Clause
"""What the built library shows to the world and asks of it.

usage: check_library.py SOURCE_TREE BUILD_TREE C_COMPILER [C++_COMPILER]
       check_library.py --renew SOURCE_TREE BUILD_TREE C_COMPILER
The second form writes layout.txt and coordconv.abi anew. A compiler is its words with ";"
between.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

import report

renew = sys.argv[1] == "--renew"
tree, build, *compilers = sys.argv[2 if renew else 1:]
c_compiler, cxx_compiler = ([c.split(";") for c in compilers] + [None, None])[:2]
include = os.path.join(tree, "include")
headers = sorted(h for h in os.listdir(os.path.join(include, "coordconv")) if h.endswith(".h"))
shared = os.path.join(build, "lib", "libcoordconv.so")
archive = os.path.join(build, "lib", "libcoordconv.a")
baseline = os.path.join(tree, "tests", "abi", "coordconv.abi")
layout_table = os.path.join(tree, "tests", "abi", "layout.txt")

MAX_BYTES = 1000000
STRICT = ["-Wall", "-Wextra", "-pedantic", "-Werror"]


def output(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, text=True, **more).stdout


def read(*path):
    with open(os.path.join(tree, *path), encoding="utf-8") as f:
        return f.read()


def difference(what, a, b):
    """Complaints about names that only one of two sets of (label, names) has."""
    return ["%s %s: in %s only" % (what, name, label)
            for (label, mine), (_, others) in ((a, b), (b, a)) for name in sorted(mine - others)]


def exported():
    """Dynamic symbols without their version; the version's own symbol left out."""
    lines = output("nm", "-D", "--defined-only", "--with-symbol-versions", shared).splitlines()
    return {line.split()[-1].split("@")[0] for line in lines if line.split()[-2] != "A"}


def mapped():
    body = re.search(r"global:(.*?)local:", read("lib", "libcoordconv.map"), re.S).group(1)
    return set(re.findall(r"\w+", body))


def prototypes():
    """(name, comment before it) of every function of the public headers."""
    text = "".join(read("include", "coordconv", h) for h in headers)
    return [(name, comment) for comment, name in re.findall(
        r"/\*\*((?:(?!\*/).)*)\*/\s*COORDCONV_API[^;(]*?\b(coordconv_\w+)\s*\(", text, re.S)]


def exports_are_the_version_map():
    return difference("symbol", ("the library", exported()), ("libcoordconv.map", mapped()))


def exports_are_the_headers():
    declared = set(re.findall(r"COORDCONV_API[^;(]*?\b(coordconv_\w+)\s*\(",
                              "".join(read("include", "coordconv", h) for h in headers)))
    return difference("function", ("the library", exported()), ("the headers", declared))


def every_function_says_since_when():
    commented = dict(prototypes())
    return ["%s: %s" % (name, "no comment before it" if name not in commented
                        else "no 'Since' in its comment")
            for name in sorted(mapped())
            if not re.search(r"Since[\s*]+\d+\.\d+", commented.get(name, ""))]


def nothing_is_imported_that_is_not_on_the_list():
    lines = output("nm", "-D", "--undefined-only", shared).splitlines()
    wanted = {line.split()[-1].split("@")[0] for line in lines}
    listed = {line for line in read("tests", "abi", "imports.txt").splitlines()
              if line and not line.startswith("#")}
    # What a distribution's hardening flags put in place of the plain call.
    harmless = re.compile(r"__stack_chk_fail|__\w+_chk")
    return ["%s: not in tests/abi/imports.txt" % name for name in sorted(wanted - listed)
            if name.removesuffix("64") not in listed and not harmless.fullmatch(name)]


def sections():
    """Section number: (name, address, bytes)."""
    lines = re.findall(r"^\s*\[\s*(\d+)\]\s+(\S+)\s+\S+\s+(\S+)\s+\S+\s+(\S+)",
                       output("readelf", "-SW", shared), re.M)
    return {number: (name, int(address, 16), int(size, 16))
            for number, name, address, size in lines}


def symbols():
    """(address, bytes, type, section number, name) of each symbol, local ones too."""
    table = output("readelf", "-sW", shared).partition("Symbol table '.symtab'")[2]
    if not table:
        raise report.Skip("stripped")
    rows = [line.split() for line in table.splitlines()]
    return [(int(r[1], 16), int(r[2], 0), r[3], r[6], r[7]) for r in rows
            if len(r) == 8 and r[0][:-1].isdigit()]


# What the compiler brings along: begin and end of a shared object, and nothing else. A use of
# __builtin_cpu_supports would add __cpu_indicator_init and __cpu_model.
COMPILERS_CODE = {"frame_dummy", "__do_global_dtors_aux"}
COMPILERS_DATA = re.compile(r"completed\.\d+")


def loading_runs_no_code_of_ours():
    """Each entry of the start and end tables is a function of the compiler's."""
    functions = {address: name for address, _, kind, _, name in symbols() if kind == "FUNC"}
    entries = [(int(where, 16), int(what, 16)) for where, what in re.findall(
        r"^(\w+)\s+\w+\s+R_\w+_RELATIVE\s+(\w+)$", output("readelf", "-rW", shared), re.M)]
    complaints = []
    for name, address, size in sections().values():
        if re.match(r"\.(preinit_array|init_array|fini_array|ctors|dtors)", name):
            called = [functions.get(what, "?") for where, what in entries
                      if address <= where < address + size]
            complaints += ["%s: %s" % (name, f) for f in called if f not in COMPILERS_CODE]
            if len(called) * 8 != size:
                complaints.append("%s: %d bytes, %d entries understood" % (name, size, len(called)))
    return complaints


def a_new_context_starts_no_thread():
    """Neither does loading the library, in a process of one thread."""
    program = """
import ctypes, os, sys
def threads():
    return len(os.listdir("/proc/self/task"))
counts = [threads()]
library = ctypes.CDLL(sys.argv[1])
counts.append(threads())
context = ctypes.c_void_p()
assert library.coordconv_context_new(None, ctypes.byref(context)) == 0
library.coordconv_context_threads.restype = ctypes.c_int32
assert library.coordconv_context_threads(context) >= 1
counts.append(threads())
print(*counts)
"""
    if not os.path.isdir("/proc/self/task"):
        raise report.Skip("no /proc")
    counts = output(sys.executable, "-c", program, shared).split()
    return ["%s, %s and %s threads before, after loading, with a context" % tuple(counts)
            ] if counts != ["1", "1", "1"] else []


def no_global_data_can_be_written():
    """Thread-local data is of type TLS and passes."""
    names = sections()
    return ["%s: %d bytes in %s" % (name, size, names[section][0])
            for _, size, kind, section, name in symbols()
            if kind == "OBJECT" and size > 0 and names.get(section, "-")[0] in (".data", ".bss") and
            not COMPILERS_DATA.fullmatch(name)]


def the_stripped_library_is_small():
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "stripped.so")
        output("strip", "-o", copy, shared)
        size = os.path.getsize(copy)
    return ["%d bytes, the limit is %d" % (size, MAX_BYTES)] if size > MAX_BYTES else []


def names_in_the_archive_have_our_prefix():
    if not os.path.exists(archive):
        raise report.Skip("no static library in this build")
    names = {line.split()[-1] for line in
             output("nm", "-g", "--defined-only", archive).splitlines() if len(line.split()) == 3}
    ours = {name for name in names if re.match("cconv_|coordconv_", name)}
    return sorted(names - ours) + ([] if ours else ["no symbol at all"])


def compile_each(compiler, language, standard):
    complaints = []
    for header in headers:
        run = subprocess.run([*compiler, "-x", language, "-std=" + standard, *STRICT, "-I", include,
                              "-fsyntax-only", "-"],
                             input="#include <coordconv/%s>\nextern int unused;\n" % header,
                             capture_output=True, text=True)
        if run.returncode != 0:
            errors = [line for line in run.stderr.splitlines() if "error" in line]
            complaints.append("%s: %s" % (header, errors[0] if errors else run.stderr))
    return complaints


def every_header_compiles_alone_as_c11():
    return compile_each(c_compiler, "c", "c11")


def every_header_compiles_alone_as_cxx17():
    if cxx_compiler is None:
        raise report.Skip("no C++ compiler")
    return compile_each(cxx_compiler, "c++", "c++17")


def structs():
    """(struct, field names) of every public struct, read from the declarations."""
    text = output(sys.executable, os.path.join(tree, "lib", "cdef.py"),
                  *(os.path.join(include, "coordconv", h) for h in headers))
    for body, name in re.findall(r"typedef struct \w+ \{(.*?)\}\s*(\w+);", text, re.S):
        yield name, re.findall(r"(\w+)(?:\[\w+\])?;", body)


def layout():
    """Sizes and offsets, as this compiler has them."""
    lines = []
    for name, fields in structs():
        lines.append('printf("%s %%zu\\n", sizeof(%s));' % (name, name))
        lines += ['printf("%s.%s %%zu\\n", offsetof(%s, %s));' % (name, field, name, field)
                  for field in fields]
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "layout")
        source = "#include <coordconv/coordconv.h>\n#include <stdio.h>\nint main(void)\n{\n%s\n}\n"
        subprocess.run([*c_compiler, "-x", "c", "-std=c11", "-I", include, "-o", program, "-"],
                       input=source % "\n".join(lines), check=True, text=True)
        return output(program).splitlines()


def structs_have_their_sizes_and_offsets():
    if sys.maxsize != 2**63 - 1:
        raise report.Skip("the table is for 64-bit machines")
    with open(layout_table, encoding="utf-8") as f:
        stored = {line.strip() for line in f if not line.startswith("#")}
    return difference("size or offset", ("the headers", set(layout())), ("layout.txt", stored))


def write_abi(path):
    output("abidw", "--suppressions", os.path.join(tree, "tests", "abi", "private.suppr"),
           "--exported-interfaces-only", "--no-corpus-path", "--no-architecture", "--no-show-locs",
           "--no-comp-dir-path", "--no-elf-needed", "--type-id-style", "hash",
           "--out-file", path, shared)


def the_abi_is_the_stored_one():
    if not shutil.which("abidiff"):
        raise report.Skip("no abidiff")
    if ".debug_info" not in [name for name, _, _ in sections().values()]:
        raise report.Skip("a build without debug information (-Ddebug=true)")
    with tempfile.TemporaryDirectory() as folder:
        mine = os.path.join(folder, "now.abi")
        write_abi(mine)
        run = subprocess.run(["abidiff", baseline, mine], capture_output=True, text=True)
    return [run.stdout + run.stderr + "exit status %d" % run.returncode] if run.returncode else []


def renew_stored():
    licence = "SPDX-License-Identifier: BSD-2-Clause"
    with open(layout_table, "w", encoding="utf-8") as f:
        f.write("# %s\n# Sizes and offsets of public structs on 64-bit machines, in bytes.\n%s\n" %
                (licence, "\n".join(layout())))
    write_abi(baseline)
    with open(baseline, encoding="utf-8") as f:
        text = f.read()
    # Where the tree lay, seen from the build, is not of the ABI.
    text = re.sub(r"path='[^']*/(lib/)", r"path='\1", text)
    with open(baseline, "w", encoding="utf-8") as f:
        f.write(text.replace("\n", "\n  <!-- %s -->\n" % licence, 1))  # abidiff looks at line 1


if renew:
    renew_stored()
    sys.exit(0)
sys.exit(report.run([
    exports_are_the_version_map,
    exports_are_the_headers,
    every_function_says_since_when,
    nothing_is_imported_that_is_not_on_the_list,
    loading_runs_no_code_of_ours,
    a_new_context_starts_no_thread,
    no_global_data_can_be_written,
    the_stripped_library_is_small,
    names_in_the_archive_have_our_prefix,
    every_header_compiles_alone_as_c11,
    every_header_compiles_alone_as_cxx17,
    structs_have_their_sizes_and_offsets,
    the_abi_is_the_stored_one,
]))
