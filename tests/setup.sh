# shellcheck shell=sh disable=SC2034
# SPDX-License-Identifier: BSD-2-Clause
#
# setup.sh - what ./examples/run and ./tests/run share; read with `.`, not run.
# Sets $top, the top of the source tree, from $0, which is one folder below it.

top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

# Debian's own Python runs Debian's Meson and sees Debian's NumPy; another one
# earlier in PATH would not.
python=/usr/bin/python3
[ -x "$python" ] || python=python3

build_packages='gcc libc6-dev meson ninja-build pkg-config libpthreadpool-dev libjansson-dev
  libpng-dev zlib1g-dev'
test_packages='g++ cmake libcmocka-dev python3-numpy python3-cffi abigail-tools
  doxygen mandoc libdlpack-dev clang libclang-rt-dev'

say()
{
    printf '%s: %s\n' "${0##*/}" "$*" >&2
}

# Those of the packages that are not installed, one a line.
missing_packages()
{
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
            echo "$package"
    done
}

# Run a command as root.
as_root()
{
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# need_packages NAME...: install the missing ones; nothing is asked of the
# network, nor of root, where all are there.
need_packages()
{
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        say "no apt here; these must be installed, under their Debian names:" "$@"
        say "that is: a C11 compiler, Meson 0.64 or newer, Ninja, pkg-config and, with" \
            "headers, pthreadpool, jansson, libpng, zlib; for the tests also a C++17 compiler," \
            "CMake, cmocka, NumPy, cffi, libabigail, Doxygen, mandoc, DLPack's header, and" \
            "clang with libFuzzer"
        return 0
    fi
    missing=$(missing_packages "$@")
    [ -n "$missing" ] || return 0
    # Word splitting is wanted from here on: one word a package.
    # shellcheck disable=SC2086
    set -- $missing
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
        say "neither root nor sudo here; as root, run: apt-get install" "$@"
        return 1
    fi
    say "installing" "$@"
    as_root apt-get update -q >&2 &&
        as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -q -y --no-install-recommends "$@" >&2
}

# configure FOLDER OPTION...: make or change a build folder. Meson's own choice of
# libdir depends on whether dpkg-dev is installed; without it, CMake does not look there.
configure()
{
    folder=$1
    shift
    if [ -f "$folder/build.ninja" ]; then
        meson configure "$folder" -Dlibdir=lib "$@"
    else
        meson setup "$folder" "$top" -Dlibdir=lib "$@"
    fi
}
