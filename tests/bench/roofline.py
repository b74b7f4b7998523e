# SPDX-License-Identifier: BSD-2-Clause
def draw(records, peak, figures):
    return ""
