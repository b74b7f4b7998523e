#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Print a public header as Doxygen wants it: the comment at the top becomes the page of the
header, and a comment before or behind a member or an enumerator belongs to it."""
import re
import sys

text = open(sys.argv[1], encoding='utf-8').read()
name = re.search(r'^ \* ([a-z_0-9]+\.h) - (.*(?:\n \* .*)*)', text, re.M)
text = text.replace('/* SPDX-License-Identifier: BSD-2-Clause\n', '/** @file\n', 1)
if name:
    text = text.replace(name.group(0), ' * @brief ' + name.group(2), 1)
text = re.sub(r'^(    (?!\*)\S[^\n]*?[\w\])][,;]? +|    \S[^\n]*? = [^\n]*?,? +)/\* ', r'\1/**< ', text,
              flags=re.M)
text = re.sub(r'^    /\* ', '    /** ', text, flags=re.M)
text = text.replace(' .. ', ' \\.\\. ')  # else a brief description ends there


def apart(line):
    """Members that share a declaration share its comment; Doxygen wants one for each."""
    names = line.group(2).split(', ')
    return ''.join(f'    {line.group(1)} {name}; /**< see {names[-1]} */\n' for name in names[:-1]) \
        + f'    {line.group(1)} {names[-1]};'


text = re.sub(r'^    ([\w ]+?) ((?:[\w\[\]]+, )+[\w\[\]]+);', apart, text, flags=re.M)
sys.stdout.write(text)
