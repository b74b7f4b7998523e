# SPDX-License-Identifier: BSD-2-Clause
"""Use the library as somebody else's project would, from an installed copy.

usage: consumers.py WAY SOURCE_TREE BUILD_TREE MESON C_COMPILER
WAY is the name of a function below, with - for _. Exit status 77 where a tool is missing.
"""
import fcntl
import glob
import json
import os
import re
import shutil
import subprocess
import sys

way, tree, build, meson, c_compiler = sys.argv[1:]
c_compiler = c_compiler.split(";")
here = os.path.join(tree, "tests", "abi", "consumers")
stage = os.path.join(build, "tests", "abi", "stage")
work = os.path.join(build, "tests", "abi", "consumer-" + way)
EXPECTED = "coordconv 0.1: loss 0.556 to 0.000, x 1.000, y 0.000\n"


class Missing(Exception):
    """A tool this way needs is not here."""


def need(tool):
    path = shutil.which(tool)
    if path is None:
        raise Missing(tool)
    return path


def run(*command, **environment):
    """Standard output of a command that must succeed."""
    print("$", *command, flush=True)
    done = subprocess.run(command, cwd=work, text=True, capture_output=True,
                          env={**os.environ, **environment})
    if done.returncode != 0:
        sys.exit("%s\n%s\nexit status %d" % (done.stdout, done.stderr, done.returncode))
    return done.stdout


def expect(got, wanted):
    if got != wanted:
        sys.exit("printed %r\nexpected %r" % (got, wanted))
    print(got, end="")


def install():
    """Install into the stage, one test at a time, if the copy there is older than the build.
    Returns the prefix inside the stage."""
    library = os.path.join(build, "lib", "libcoordconv.so")
    with open(os.path.join(build, "tests", "abi", "stage.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = os.path.join(stage, "stamp")
        if not os.path.exists(stamp) or os.path.getmtime(stamp) <= os.path.getmtime(library):
            shutil.rmtree(stage, ignore_errors=True)
            run(meson, "install", "-C", build, "--no-rebuild", "--destdir", stage)
            open(stamp, "w").close()
    options = json.loads(run(meson, "introspect", "--buildoptions", build))
    prefix = next(o["value"] for o in options if o["name"] == "prefix")
    return stage + prefix


def installed(pattern):
    """The one installed file of this pattern."""
    found = glob.glob(os.path.join(install(), "**", pattern), recursive=True)
    if len(found) != 1:
        sys.exit("%s: installed %d times" % (pattern, len(found)))
    return found[0]


def flags(*words):
    """What pkg-config answers about the installed copy."""
    folder = os.path.dirname(installed("coordconv.pc"))
    return run(need("pkg-config"), *words, "coordconv", PKG_CONFIG_SYSROOT_DIR=stage,
               PKG_CONFIG_PATH=folder).split()


def library_path():
    return os.path.dirname(installed("libcoordconv.so.0"))


def consumer():
    return os.path.join(here, "consumer.c")


def pkgconf_shared():
    run(*c_compiler, "-std=c11", consumer(), "-o", "consumer", *flags("--cflags", "--libs"))
    expect(run("./consumer", LD_LIBRARY_PATH=library_path()), EXPECTED)


def pkgconf_static():
    """Our archive by name, since the linker takes a shared library where both are there."""
    archive = installed("libcoordconv.a")
    libs = [archive if word == "-lcoordconv" else word
            for word in flags("--static", "--cflags", "--libs")]
    if archive not in libs:
        sys.exit("pkg-config --static does not name -lcoordconv: %s" % libs)
    run(*c_compiler, "-std=c11", consumer(), "-o", "consumer", *libs)
    expect(run("./consumer"), EXPECTED)
    if "libcoordconv" in run(need("readelf"), "-d", "consumer"):
        sys.exit("the program still asks for the shared library")


def cxx():
    run(need("c++"), "-x", "c++", "-std=c++17", "-Wall", "-Wextra", "-pedantic", "-Werror",
        consumer(), "-x", "none", "-o", "consumer", *flags("--cflags", "--libs"))
    expect(run("./consumer", LD_LIBRARY_PATH=library_path()), EXPECTED)


def cmake():
    run(need("cmake"), "-G", "Ninja", "-S", os.path.join(here, "cmake"), "-B", "build",
        "-DCMAKE_PREFIX_PATH=" + install())
    run("cmake", "--build", "build")
    expect(run("build/consumer"), EXPECTED)
    expect(run("build/consumer_static"), EXPECTED)


def subproject():
    """The whole source tree below another project; built without optimisation, to be quick."""
    shutil.copy(os.path.join(here, "subproject", "meson.build"), work)
    shutil.copy(consumer(), work)
    os.mkdir(os.path.join(work, "subprojects"))
    os.symlink(tree, os.path.join(work, "subprojects", "coordconv"))
    with open(os.path.join(work, "subprojects", "coordconv.wrap"), "w") as f:
        f.write("[wrap-file]\ndirectory = coordconv\n[provide]\ndependency_names = coordconv\n")
    run(meson, "setup", "build", "--buildtype=plain", "--force-fallback-for=coordconv")
    run(need("ninja"), "-C", "build", "consumer")
    expect(run("build/consumer"), EXPECTED)


def ctypes():
    expect(run(sys.executable, os.path.join(here, "consumer_ctypes.py"),
               installed("libcoordconv.so.0")), EXPECTED)


def cffi():
    try:
        import cffi, numpy  # noqa: E401, only whether they are there
    except ImportError as error:
        raise Missing(error.name)
    expect(run(sys.executable, os.path.join(here, "consumer_cffi.py"),
               installed("libcoordconv.so.0"), installed("coordconv.cdef.h")), EXPECTED)


def run_blocks(page):
    """Run the C and Python blocks of a page; each must print what the text block after it says."""
    with open(os.path.join(tree, page), encoding="utf-8") as f:
        text = f.read()
    found = re.findall(r"^```(c|python)\n(.*?)^```\n.*?^```text\n(.*?)^```$", text, re.M | re.S)
    if not found or len(found) != len(re.findall(r"^```(?:c|python)$", text, re.M)):
        sys.exit("%s: a block without its output, or no block" % page)
    for language, source, wanted in found:
        name = "block.c" if language == "c" else "block.py"
        with open(os.path.join(work, name), "w", encoding="utf-8") as f:
            f.write(source)
        if language == "c":
            run(*c_compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", name, "-o", "block",
                *flags("--cflags", "--libs"))
            command = ["./block"]
        else:
            command = [sys.executable, name]
        expect(run(*command, LD_LIBRARY_PATH=library_path()), wanted)


def readme():
    run_blocks("README.md")


def guides():
    for page in ("quick-guide", "pipeline", "layer", "model", "training", "frames",
                 "pytorch-weights", "python"):
        run_blocks(os.path.join("doc", page + ".md"))


def documents():
    """Manual pages and, where they were made, the reference; every page, with what it shows."""
    files = glob.glob(os.path.join(install(), "**"), recursive=True)
    pages = glob.glob(os.path.join(tree, "doc", "*.md"))
    wanted = ["man3/coordconv.3"] + ["doc/coordconv/" + os.path.basename(page) for page in pages]
    if os.path.isdir(os.path.join(build, "doc", "reference", "html")):
        wanted.append("doc/coordconv/html/index.html")
        for header in glob.glob(os.path.join(tree, "include", "coordconv", "*.h")):
            wanted.append("man3/coordconv-%s.3" % os.path.basename(header)[:-2])
    for page in pages:
        with open(page, encoding="utf-8") as f:
            shown = re.findall(r"\]\((pictures/[^)#]*|[^)#/:]*\.md)[)#]", f.read())
        wanted += ["doc/coordconv/" + name for name in shown]
    missing = [name for name in wanted if not any(f.endswith("/" + name) for f in files)]
    if not pages or missing:
        sys.exit("not installed: %s" % " ".join(missing))
    print(len(pages), "pages, and what they show")


shutil.rmtree(work, ignore_errors=True)
os.makedirs(work)
try:
    globals()[way.replace("-", "_")]()
except Missing as tool:
    print("skipped: no", tool)
    sys.exit(77)
