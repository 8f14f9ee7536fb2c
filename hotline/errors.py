"""What ends a command.

Errors, as a tree:

    HotlineError            the command failed; exit code 1
    └── UsageError          it was asked for in a way that cannot work; exit code 2
        └── SettingsError   the settings are wrong; the message names key, value and what would be right
"""

from __future__ import annotations


class HotlineError(Exception):
    """The command failed; the message is one line that says what is wrong and what would be right."""

    exit_code = 1


class UsageError(HotlineError):
    """The command was asked for in a way that cannot work."""

    exit_code = 2


class SettingsError(UsageError):
    """The settings are wrong."""
