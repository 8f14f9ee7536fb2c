"""Where commands print: results to stdout, everything else to stderr; text as given, never as markup."""

from __future__ import annotations

import sys

from rich.console import Console

# In a file or a pipe a row of a table is one line.
out = Console(
    markup=False, highlight=False, emoji=False, soft_wrap=True, width=None if sys.stdout.isatty() else 1000
)
err = Console(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True)
