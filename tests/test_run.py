"""run.py sets up what is missing, leaves what is there, and passes everything on.

The projects here are empty ones in temporary folders: their .venv is real, what would be installed is not.
"""

import ast
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import venv
from pathlib import Path

import pytest

import run

PYPROJECT = """
[build-system]
requires = ["builder>=1"]
[project]
dependencies = ["base>=2"]
[project.optional-dependencies]
lab = ["notebooks>=3"]
[dependency-groups]
test = ["tester>=4"]
browser = ["browser>=5"]
"""

# Stands for pytest, JupyterLab and mlteach: tells how it was called, and does what it is told.
PROGRAM = """
import json, os, sys, time
print(json.dumps([sys.argv[1:], os.environ.get("PYTHONHASHSEED"), os.environ["PATH"].split(os.pathsep)[0]]))
if os.environ.get("FAIL", "fail") in sys.argv:
    sys.exit(3)
if os.environ.get("WAIT", "wait") in sys.argv:
    open("started", "w").close()
    time.sleep(60)
    open("survived", "w").close()
"""

posix = pytest.mark.skipif(os.name == "nt", reason="Windows cannot send a signal to one process")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Return run.py as a module that works on an empty project, with the commands it would run in `.ran`."""
    root = tmp_path / "project"
    root.mkdir()
    shutil.copy(run.__file__, root)
    (root / "pyproject.toml").write_text(PYPROJECT)
    (root / "constraints.txt").write_text("base==2.1\n")
    spec = importlib.util.spec_from_file_location("project_run", root / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.ran = []

    def call(command, **options):
        module.ran.append(command)
        if "venv" in command:
            venv.create(command[-1], with_pip=False)
        return 0

    monkeypatch.setattr(module, "call", call)
    monkeypatch.setattr(module, "find_uv", lambda: "uv")
    for name in ("PATH", "VIRTUAL_ENV", "PYTHONHASHSEED", "SOURCE_DATE_EPOCH"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    return module


@pytest.fixture
def complete(project):
    """Return a project that is set up, with stand-ins for the programs that its jobs start."""
    project.set_up(None)
    folder = next(project.VENV.glob("**/site-packages"))
    for name in ("pytest", "jupyterlab", "mlteach"):
        (folder / f"{name}.py").write_text(PROGRAM)
    return project


def start(project, *arguments, **options):
    """Start the project's run.py as a reader does."""
    command = [sys.executable, project.ROOT / "run.py", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def told(project, *arguments):
    """Run the project's run.py; return its exit code, what its last program told, and what went wrong."""
    process = start(project, *arguments)
    out, err = process.communicate(timeout=60)
    return process.returncode, json.loads(out.splitlines()[-1]), err


def installs(project):
    """Return the commands that installed something, and forget them."""
    found = [command for command in project.ran if "install" in command]
    project.ran.clear()
    return found


def free_port():
    """Return a port of this machine that nobody uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def read_page(address):
    """Return the page at an address, whose server may still be starting."""
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:
                return answer.read().decode()
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def test_python_3_6_can_read_it():
    ast.parse(Path(run.__file__).read_text(encoding="utf-8"), feature_version=(3, 6))


@pytest.mark.parametrize(("version", "age"), [((3, 10, 9), "old"), ((3, 16, 0), "new")])
def test_a_python_that_does_not_fit_is_told_so_with_the_cure(project, monkeypatch, version, age):
    monkeypatch.setattr(sys, "version_info", version)
    with pytest.raises(
        SystemExit, match=rf"is too {age} for mlteach.*made for 3\.11 to 3\.15.*3\.13 run\.py lab"
    ):
        project.main(["test"])
    assert not project.VENV.exists()


def test_help_names_every_job():
    done = subprocess.run([sys.executable, run.__file__, "test", "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert all(f"run.py {job}" in done.stdout for job in run.JOBS)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["dance"], "there is no job 'dance': choose one of lab, test, notebooks, ladder, bundle"),
        (["test", "--offline", "nowhere"], "nowhere holds no wheels"),
        (["lab", "--offline"], "holds no wheels"),
        (["bundle"], "bundle needs the folder"),
    ],
)
def test_misuse_is_one_sentence_and_exit_code_2(arguments, sentence):
    done = subprocess.run([sys.executable, run.__file__, *arguments], capture_output=True, text=True)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


def test_no_job_shows_the_help():
    done = subprocess.run([sys.executable, run.__file__], capture_output=True, text=True)
    assert done.returncode == 2
    assert "run.py lab" in done.stdout


def test_what_is_complete_is_left_alone(project):
    project.set_up(None)
    assert len(installs(project)) == 1
    project.set_up(None)
    assert project.ran == []


def test_the_pinned_set_is_installed(project):
    project.set_up(None, "browser")
    (command,) = installs(project)
    assert command[:5] == ["uv", "pip", "install", "--python", project.python()]
    text = " ".join(command)
    assert "--constraint constraints.txt" in text
    assert "--editable .[lab]" in text
    assert {"tester>=4", "browser>=5"} <= set(command)
    assert "--no-index" not in command


def test_without_uv_it_is_venv_and_pip(project, monkeypatch):
    monkeypatch.setattr(project, "find_uv", lambda: None)
    project.set_up(None)
    make, install = project.ran
    assert make == [sys.executable, "-m", "venv", str(project.VENV)]
    assert install[:4] == [project.python(), "-m", "pip", "install"]


def test_pip_is_added_where_uv_made_the_environment_and_is_gone(project, monkeypatch):
    project.set_up(None)
    monkeypatch.setattr(project, "find_uv", lambda: None)
    (project.ROOT / "constraints.txt").write_text("base==2.2\n")
    project.ran.clear()
    project.set_up(None)
    assert [command[2] for command in project.ran] == ["venv", "pip"]


def test_offline_installs_from_the_folder_alone(project, tmp_path):
    (tmp_path / "a-1.whl").touch()
    for arguments in (["x", "--offline", str(tmp_path), "y"], [f"--offline={tmp_path}", "x", "y"]):
        assert project.take_offline(arguments) == tmp_path
        assert arguments == ["x", "y"]
    project.set_up(tmp_path)
    (command,) = installs(project)
    assert command[-3:] == ["--no-index", "--find-links", str(tmp_path)]


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_what_was_interrupted_is_not_complete(project, monkeypatch, end):
    project.set_up(None)
    (project.ROOT / "constraints.txt").write_text("base==2.2\n")

    def interrupted(*arguments):
        raise end

    with monkeypatch.context() as patch:
        patch.setattr(project, "install", interrupted)
        with pytest.raises(end):
            project.set_up(None)
    assert not project.STAMP.exists()
    project.ran.clear()
    project.set_up(None)
    assert len(installs(project)) == 1


def test_a_failed_installation_is_one_sentence_and_not_complete(project, monkeypatch):
    call = project.call
    monkeypatch.setattr(project, "call", lambda command: call(command) or "install" in command)
    with pytest.raises(SystemExit, match="could not be installed"):
        project.set_up(None)
    assert not project.STAMP.exists()


def test_half_an_environment_is_made_anew(project, capsys):
    (project.VENV / "bin").mkdir(parents=True)
    (project.VENV / "leftover").touch()
    project.set_up(None)
    assert not (project.VENV / "leftover").exists()
    assert "Making .venv anew: it is not complete." in capsys.readouterr().out
    assert project.inspect(project.VENV)[0] == project.HERE


def test_the_environment_of_another_python_is_made_anew(project, monkeypatch, capsys):
    project.set_up(None)
    (project.VENV / "leftover").touch()
    monkeypatch.setattr(project, "inspect", lambda folder: ("3.9", True))
    project.set_up(None)
    assert not (project.VENV / "leftover").exists()
    assert f"it was made by Python 3.9, and this is {project.HERE}" in capsys.readouterr().out
    assert len(installs(project)) == 2


@pytest.mark.parametrize("stamp", ["", "[]", "{}", '{"pins": 1, "groups": ["test"]}'])
def test_a_stamp_that_says_something_else_is_not_believed(project, stamp):
    project.set_up(None)
    installs(project)
    project.STAMP.write_text(stamp)
    project.set_up(None)
    assert len(installs(project)) == 1


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_other_pins_are_installed_into_the_same_environment(project, name):
    project.set_up(None, "browser")
    (project.VENV / "kept").touch()
    installs(project)
    with (project.ROOT / name).open("a") as file:
        file.write("# changed\n")
    project.set_up(None)
    (command,) = installs(project)
    assert "browser>=5" in command
    assert (project.VENV / "kept").exists()


def test_all_adds_the_browser_and_keeps_it(project):
    for arguments, installed in (([], 1), (["--all"], 1), ([], 0)):
        project.main(["test", *arguments])
        assert len(installs(project)) == installed


def test_what_is_in_the_way_is_one_sentence(project):
    project.VENV.write_text("a file")
    with pytest.raises(SystemExit, match="is in the way and cannot be removed"):
        project.set_up(None)


def test_a_python_without_ensurepip_is_told_the_cure(project, monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="apt install python3-venv"):
        project.make_environment(tmp_path / "new", None)


@posix
@pytest.mark.parametrize(("code", "works"), [(0, True), (127, False)])
def test_a_uv_that_does_not_work_is_not_used(tmp_path, monkeypatch, code, works):
    uv = tmp_path / "uv"
    uv.write_text(f"#!/bin/sh\nexit {code}\n")
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run.find_uv() == (str(uv) if works else None)


def test_a_bundle_holds_everything_with_what_builds_it(project, tmp_path, capsys):
    project.main(["bundle", str(tmp_path / "wheels")])
    collect = project.ran[-1]
    wanted = {"base>=2", "notebooks>=3", "tester>=4", "browser>=5", "builder>=1", "editables", "pip"}
    assert wanted <= set(collect)
    assert "--constraint constraints.txt" in " ".join(collect)
    assert collect[collect.index("--wheel-dir") + 1] == str(tmp_path / "wheels")
    assert not project.VENV.exists()
    assert "--offline DIR" in capsys.readouterr().out


def test_arguments_and_the_exit_code_are_passed_on(complete):
    code, (arguments, seed, path), _ = told(complete, "test", "-k", "fail", "fail")
    assert code == 3
    assert arguments == ["--nbval", "-k", "fail", "fail"]
    assert seed == "0"
    assert Path(path) == Path(complete.python()).parent


@pytest.mark.parametrize("fails", ["tests", "notebooks", "neither"])
@pytest.mark.parametrize("arguments", [[], ["--all"]])
def test_tests_and_notebooks_run_side_by_side(complete, monkeypatch, arguments, fails):
    complete.set_up(None, "browser")
    monkeypatch.setenv("FAIL", fails)
    process = start(complete, "test", *arguments)
    sentence, *reports = process.communicate(timeout=60)[0].splitlines()
    assert sentence == "The notebooks run beside the tests, and their report comes after."
    both = [["--nbval", *arguments, half] for half in ("tests", "notebooks")]
    assert [json.loads(report)[0] for report in reports] == both
    assert process.returncode == (0 if fails == "neither" else 3)


def test_the_ladder_is_passed_its_arguments(complete):
    assert told(complete, "ladder", "--size", "9")[1][0] == ["ladder", "--size", "9"]


def test_lab_opens_the_copy_on_this_machine_alone(complete):
    code, (arguments, *_), _ = told(complete, "lab", "--no-browser")
    assert code == 0
    assert "--ServerApp.ip=127.0.0.1" in arguments
    assert f"--ServerApp.root_dir={complete.ROOT}" in arguments
    assert arguments[-2:] == ["--LabApp.default_url=/lab/tree/work/00_start_here.ipynb", "--no-browser"]


def test_lab_opens_the_notebooks_themselves_for_authors(complete):
    arguments = told(complete, "lab", "--here", "--ip=0.0.0.0")[1][0]
    assert arguments[-2:] == ["--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb", "--ip=0.0.0.0"]
    assert "--ServerApp.ip=127.0.0.1" not in arguments
    assert "--here" not in arguments


def test_the_address_that_is_printed_leads_to_the_first_notebook(project, monkeypatch, tmp_path):
    pytest.importorskip("jupyterlab", reason="needs JupyterLab, to see what it prints")
    monkeypatch.setattr(project, "set_up", lambda wheels: None)
    for folder in ("CONFIG", "DATA", "RUNTIME"):
        monkeypatch.setenv(f"JUPYTER_{folder}_DIR", str(tmp_path / folder))
    (project.ROOT / "work").mkdir()
    (project.ROOT / "work" / "00_start_here.ipynb").write_text("{}")
    project.main(["lab", "--no-browser", "--allow-root", f"--ServerApp.port={free_port()}"])
    command = [sys.executable, *project.ran[-1][1:]]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, encoding="utf-8") as server:
        try:
            addresses = (re.search(r"http://127\S+token=\S+", line) for line in server.stderr)
            address = next(filter(None, addresses))[0]
            page = read_page(address)
        finally:
            server.terminate()
    assert '"treePath": "work/00_start_here.ipynb"' in page


@posix
@pytest.mark.parametrize("arguments", [["wait"], []], ids=["alone", "side by side"])
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_quietly_with_what_it_started(complete, monkeypatch, sent, code, arguments):
    if not arguments:
        monkeypatch.setenv("WAIT", "notebooks")
    process = start(complete, "test", *arguments, start_new_session=True)
    deadline = time.monotonic() + 60
    while not (complete.ROOT / "started").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    if sent == signal.SIGINT:
        os.killpg(process.pid, sent)  # as a terminal does
    else:
        process.send_signal(sent)
    _, err = process.communicate(timeout=30)  # the pipe closes when the last of them has ended
    assert process.returncode == code
    assert "run.py" not in err
    assert not (complete.ROOT / "survived").exists()
