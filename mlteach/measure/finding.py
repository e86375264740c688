"""What an examination finds, and the words that several of them share."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    topic : str
        What was looked at, such as "BLAS".
    status : str
        "ok"; "warn" where lessons work, but slower or not all of them; "fail" where they don't.
    message : str
        What was found, in one sentence.
    cure : str
        What to do about it, in one sentence; empty where there is nothing to do.
    """

    topic: str
    status: str
    message: str
    cure: str = ""


def output_of(command: Sequence[str], timeout: float = 10.0) -> str | None:
    """What a program prints, without the white space around it; None where it is missing, fails or hangs."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def for_system(*, linux: str, mac: str, windows: str) -> str:
    """The cure for the operating system at hand."""
    return {"darwin": mac, "win32": windows}.get(sys.platform, linux)


def how_to_set(variable: str) -> str:
    """Say how to set an environment variable to a folder of one's own."""
    return for_system(
        linux=f"Put `export {variable}=~/{variable.lower()}` into ~/.profile and log in again.",
        mac=f"Put `export {variable}=~/{variable.lower()}` into ~/.zprofile and open a new terminal.",
        windows=f'Run `setx {variable} "%USERPROFILE%\\{variable.lower()}"` and open a new terminal.',
    )


def how_to_unset(variable: str) -> str:
    """Say how to get rid of an environment variable."""
    return for_system(
        linux=f"Run `unset {variable}` and start Python again; look for it in ~/.profile and ~/.bashrc.",
        mac=f"Run `unset {variable}` and start Python again; look for it in ~/.zprofile and ~/.zshrc.",
        windows=f"Delete {variable} under Edit environment variables in Settings, and start Python again.",
    )
