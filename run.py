#!/usr/bin/env python3
"""Set mlteach up and run it. All it needs is Python 3.11 or newer.

    python3 run.py lab          open the notebooks in JupyterLab: a copy of your own, in work/
    python3 run.py test         run every test, and every notebook with its outputs compared
    python3 run.py notebooks    run notebooks and save their outputs, for authors
    python3 run.py ladder       time every way to multiply matrices on this machine
    python3 run.py bundle DIR   collect the packages for machines without internet

On Windows it is  py run.py lab  and so on. The first time, the packages are installed into .venv.

    lab --here                  open notebooks/ itself, not the copy
    test --all                  also solutions, browser tests and long fuzzing
    JOB --offline DIR           install the packages that  bundle DIR  collected

What a job does not know goes on to JupyterLab, pytest, tools/refresh.py or mlteach ladder.
"""

# Python 3.6 must be able to read this file, so that an old Python can say what is wrong.

import contextlib
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

# From the first that the code needs to the last with wheels of the pinned Numba.
OLDEST, NEWEST = (3, 11), (3, 15)

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
# What is installed: written last, so that nothing half done is thought complete.
STAMP = VENV / "mlteach.json"

LAB = {
    "--ServerApp.ip": "127.0.0.1",
    "--ServerApp.root_dir": str(ROOT),
    "--ServerApp.answer_yes": "True",  # Ctrl-C stops it without a question
    "--LabApp.app_settings_dir": str(ROOT / "tools" / "jupyterlab"),  # defaults that call no other server
}


def lab(arguments, wheels):
    """Open JupyterLab on the reader's copy of the notebooks, or on the notebooks themselves."""
    set_up(wheels)
    if "--here" in arguments:
        folder = "notebooks"
        arguments.remove("--here")
    else:
        folder = "work"
        copy = [python(), "-m", "mlteach", "notebooks", folder]
        must(copy, "The notebooks could not be copied to work/ (see above).", stdout=subprocess.DEVNULL)
    # Where the browser is sent, and where the printed address leads, too.
    options = dict(LAB, **{"--LabApp.default_url": f"/lab/tree/{folder}/00_start_here.ipynb"})
    given = {argument.split("=")[0].replace("--ip", "--ServerApp.ip") for argument in arguments}
    defaults = [f"{name}={value}" for name, value in options.items() if name not in given]
    return call([python(), "-m", "jupyterlab", *defaults, *arguments])


def test(arguments, wheels):
    """Run pytest on the tests and the notebooks, side by side unless something else is asked for."""
    set_up(wheels, *["browser"] if "--all" in arguments else [])
    os.environ.update(PYTHONHASHSEED="0", SOURCE_DATE_EPOCH="0")
    command = [python(), "-m", "pytest", "--nbval", *arguments]
    if set(arguments) - {"--all"}:
        return call(command)
    print("The notebooks run beside the tests, and their report comes after.", flush=True)
    with tempfile.TemporaryFile() as report:
        with running([*command, "notebooks"], stdout=report, stderr=subprocess.STDOUT) as beside:
            code = call([*command, "tests"])
        report.seek(0)
        shutil.copyfileobj(report, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    return code or beside.returncode


def notebooks(arguments, wheels):
    """Run notebooks and save their outputs."""
    set_up(wheels)
    return call([python(), "tools/refresh.py", *arguments])


def ladder(arguments, wheels):
    """Time the rungs."""
    set_up(wheels)
    return call([python(), "-m", "mlteach", "ladder", *arguments])


def bundle(arguments, wheels):
    """Collect a wheel of every package, those included that build this one."""
    if len(arguments) != 1 or wheels:
        misused("bundle needs the folder to put the packages in, and nothing else: python3 run.py bundle DIR")
    check_version()
    folder = Path(arguments[0]).resolve()
    project = metadata()
    wanted = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["lab"],
        *project["dependency-groups"]["test"],
        *project["dependency-groups"]["browser"],
        *project["build-system"]["requires"],
        "editables",  # what the build back end asks for when it installs in place
        "pip",
    ]
    print(f"Collecting the packages in {folder}: a minute or two.", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        make_environment(Path(scratch), find_uv(), "--seed")
        collect = [python(Path(scratch)), "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
        collect += ["--constraint", "constraints.txt", "--wheel-dir", str(folder), *wanted]
        must(collect, "The packages could not be collected (see above).")
    found = list(folder.glob("*.whl"))
    size = sum(wheel.stat().st_size for wheel in found) / 1e6
    print(f"{len(found)} wheels, {size:.0f} MB, for {platform.platform(terse=True)} with Python {HERE}.")
    print("In a copy of this project there: python3 run.py lab --offline DIR")
    return 0


JOBS = {job.__name__: job for job in (lab, test, notebooks, ladder, bundle)}


def main(arguments):
    """Run the job that is named first and return its exit code."""
    if not arguments or {"-h", "--help"} & set(arguments):
        print(__doc__.strip())
        return 0 if arguments else 2
    job, *arguments = arguments
    if job not in JOBS:
        misused(f"there is no job {job!r}: choose one of {', '.join(JOBS)}")
    wheels = take_offline(arguments)
    return JOBS[job](arguments, wheels)


def take_offline(arguments):
    """Take --offline DIR out of a list of arguments; return the folder, or None."""
    for position, argument in enumerate(arguments):
        name, _, folder = argument.partition("=")
        if name == "--offline":
            size = 1 if folder else 2
            folder = Path(folder or "".join(arguments[position + 1 : position + 2])).resolve()
            del arguments[position : position + size]
            if not any(folder.glob("*.whl")):
                misused(f"--offline needs a folder that  run.py bundle  filled, and {folder} holds no wheels")
            return folder
    return None


def check_version():
    """Stop under a Python that the packages are not made for."""
    example = "{} run.py lab".format("py -3.13" if os.name == "nt" else "python3.13")
    known = "{}.{} to {}.{}".format(*OLDEST, *NEWEST)
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        age = "old" if sys.version_info[:2] < OLDEST else "new"
        sys.exit(
            f"Python {HERE} is too {age} for mlteach, whose packages are made for {known}: "
            f"install one of those (python.org has them) and start run.py with it, as in  {example}"
        )


def set_up(wheels, *groups):
    """Make .venv and install what a job needs, unless it is all there."""
    check_version()
    groups = {"test", *groups}
    version, has_pip = inspect(VENV)
    stamp = read_stamp()
    if version == HERE and stamp["pins"] == pins() and groups <= set(stamp["groups"]):
        return activate()
    if version != HERE and os.path.lexists(str(VENV)):
        remove(
            VENV, f"it was made by Python {version}, and this is {HERE}" if version else "it is not complete"
        )
    with contextlib.suppress(FileNotFoundError):
        STAMP.unlink()
    uv = find_uv()
    if version != HERE or not (uv or has_pip):
        make_environment(VENV, uv)
    groups |= set(stamp["groups"])
    install(sorted(groups), uv, wheels)
    draft = STAMP.with_suffix(".new")
    draft.write_text(json.dumps({"pins": pins(), "groups": sorted(groups)}))
    os.replace(str(draft), str(STAMP))
    activate()


def activate():
    """Let what runs from here on find the programs of .venv first, as an activated environment does."""
    os.environ["VIRTUAL_ENV"] = str(VENV)
    os.environ["PATH"] = os.pathsep.join([str(Path(python()).parent), os.environ.get("PATH", "")])
    os.environ.pop("PYTHONHOME", None)


def inspect(folder):
    """Return the version of an environment's Python, None where it does not work, and whether it has pip."""
    code = "import sys, importlib.util as u; print('%d.%d' % sys.version_info[:2], bool(u.find_spec('pip')))"
    try:
        told = subprocess.check_output([python(folder), "-I", "-c", code], stderr=subprocess.DEVNULL)
        version, has_pip = told.decode().split()
    except (OSError, subprocess.CalledProcessError, ValueError):
        return None, False
    return version, has_pip == "True"


def read_stamp():
    """Return what .venv says is installed in it."""
    try:
        stamp = json.loads(STAMP.read_text())
        return {"pins": stamp["pins"], "groups": list(stamp["groups"])}
    except (OSError, ValueError, KeyError, TypeError):
        return {"pins": None, "groups": []}


def pins():
    """Return a fingerprint of what should be installed, and of the folder that it serves."""
    parts = [(ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")]
    return hashlib.sha256(b"\0".join([*parts, str(ROOT).encode()])).hexdigest()


def remove(folder, why):
    """Remove an environment that is of no use."""
    print(f"Making {folder.name} anew: {why}.", flush=True)
    try:
        shutil.rmtree(str(folder))
    except OSError as error:
        sys.exit(f"{folder} is in the way and cannot be removed ({error}): remove it, then start again.")


def find_uv():
    """Return the path of uv, or None where there is none that works."""
    uv = shutil.which("uv")
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        if uv:
            subprocess.check_output([uv, "--version"], stderr=subprocess.DEVNULL)
            return uv
    return None


def make_environment(folder, uv, *uv_options):
    """Make an environment of this Python: with uv, or with venv and pip."""
    if uv:
        command = [
            uv,
            "venv",
            "--quiet",
            "--allow-existing",
            "--python",
            sys.executable,
            *uv_options,
            str(folder),
        ]
    elif importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip"):
        command = [sys.executable, "-m", "venv", str(folder)]
    else:
        sys.exit(
            "This Python comes without venv and ensurepip, which make .venv: on Debian and Ubuntu, "
            "run  sudo apt install python3-venv  and start again; elsewhere, install uv."
        )
    must(command, f"{folder} could not be made (see above).")


def install(groups, uv, wheels):
    """Install this project in place, and the pinned packages that it needs."""
    command = [uv, "pip", "install", "--python", python()] if uv else [python(), "-m", "pip", "install"]
    command += ["--quiet", "--constraint", "constraints.txt", "--editable", ".[lab]"]
    for group in groups:
        command += metadata()["dependency-groups"][group]
    if wheels:
        command += ["--no-index", "--find-links", str(wheels)]
    cure = (
        "a bundle serves one Python version and one kind of machine"
        if wheels
        else "without internet, see  python3 run.py --help  for bundle and --offline"
    )
    print("Installing the packages into .venv: a minute or two, about 600 MB.", flush=True)
    must(command, f"The packages could not be installed (see above): {cure}.")


def metadata():
    """Return pyproject.toml."""
    import tomllib

    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def python(folder=VENV):
    """Return the path of an environment's Python."""
    return str(folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


def must(command, complaint, **options):
    """Run a command, and stop with a sentence where it fails."""
    if call(command, **options) != 0:
        sys.exit(complaint)


def call(command, **options):
    """Run a command in the project's folder and return its exit code; it never outlives this program."""
    with running(command, **options) as process:
        pass
    return process.returncode


@contextlib.contextmanager
def running(command, **options):
    """Start a command in the project's folder, and wait for its end; it never outlives this program."""
    process = subprocess.Popen(command, cwd=str(ROOT), **options)
    try:
        yield process
        process.wait()
    except BaseException as stop:
        # Ctrl-C has reached the command, too: it may tidy up.
        with contextlib.suppress(KeyboardInterrupt, subprocess.TimeoutExpired):
            process.wait(5 if isinstance(stop, KeyboardInterrupt) else 0)
        if process.poll() is None:
            process.terminate()
            process.wait()
        raise


def misused(sentence):
    """Stop with exit code 2."""
    print(f"run.py: {sentence}", file=sys.stderr)
    sys.exit(2)


HERE = "{}.{}".format(*sys.version_info[:2])

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
