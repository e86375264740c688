"""What is said in several files about packages and Pythons is the same everywhere."""

import ast
import email
import re
import subprocess
import sys
import tomllib
import zipfile

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import run
from tools.refresh import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
WORKFLOW = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
PYTHONS = [
    classifier.removeprefix("Programming Language :: Python :: ")
    for classifier in PROJECT["project"]["classifiers"]
    if re.search(r":: 3\.\d+$", classifier)
]


def requirements(*groups):
    """Return the ranges of the package, its lab extra and some groups, by name."""
    lines = PROJECT["project"]["dependencies"] + PROJECT["project"]["optional-dependencies"]["lab"]
    for group in groups:
        lines = lines + PROJECT["dependency-groups"][group]
    return {requirement.name: requirement.specifier for requirement in map(Requirement, lines)}


def pins():
    """Return the versions that are pinned, by name: one for each range of Pythons."""
    found = {}
    for requirement in map(Requirement, CONSTRAINTS):
        (pin,) = requirement.specifier
        assert pin.operator == "=="
        found.setdefault(requirement.name, []).append(pin.version)
    return found


def test_conda_has_the_names_and_ranges_of_pyproject():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert conda["channels"] == ["conda-forge"]
    *lines, pip = conda["dependencies"]
    assert pip == {"pip": ["-e ."]}
    found = {}
    for line in lines:
        name, _, ranges = line.partition(" ")
        found[name.removesuffix("-base")] = SpecifierSet(ranges)
    assert found.pop("pip") == SpecifierSet()
    assert found.pop("python") == SpecifierSet(PROJECT["project"]["requires-python"])
    assert found == requirements("test")


def test_every_requirement_is_pinned_within_its_range():
    pinned = pins()
    for name, ranges in requirements("test", "browser", "lint").items():
        assert all(version in ranges for version in pinned[name]), name


def test_constraints_name_packages_and_nothing_else():
    text = "\n".join(CONSTRAINTS)
    assert not re.search(r"://|@|--|#", text)


def test_every_python_is_pinned_classified_and_tested():
    assert PYTHONS == ["3.11", "3.12", "3.13", "3.14"]
    assert yaml.safe_load(WORKFLOW)["jobs"]["test"]["strategy"]["matrix"]["python"] == PYTHONS
    oldest, newest = ("{}.{}".format(*version) for version in (run.OLDEST, run.NEWEST))
    assert PROJECT["project"]["requires-python"] == f">={oldest}"
    assert oldest == PYTHONS[0]
    assert SpecifierSet(f"<={newest}").contains(PYTHONS[-1])
    assert PROJECT["tool"]["ruff"]["target-version"] == "py" + oldest.replace(".", "")
    assert PROJECT["tool"]["mypy"]["python_version"] == oldest


def test_linters_are_the_same_before_a_commit_and_on_the_server():
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    named = {(name, version) for name, version in re.findall(r"\[(\w+)==([\d.]+)\]", hooks)}
    assert named == {(name, pins()[name][0]) for name in ("ruff", "codespell")}


def test_actions_are_pinned_to_a_major_version():
    actions = re.findall(r"uses: (\S+)", WORKFLOW)
    assert actions
    assert all(re.fullmatch(r"[\w/-]+@v\d+", action) for action in actions)


def test_versions_agree():
    version = PROJECT["project"]["version"]
    package = (ROOT / "mlteach" / "__init__.py").read_text(encoding="utf-8")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert f'__version__ = "{version}"' in package
    assert citation["version"] == version
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert " AND ".join(citation["license"]) == PROJECT["project"]["license"]


def test_the_package_imports_what_it_requires():
    """A package that only a test group brings would be missing from what readers install."""
    imported = set()
    for path in (ROOT / "mlteach").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(node.module.partition(".")[0])
    comes_with = {
        "cupy": "cupy-cuda13x",
        "IPython": "ipykernel",
        "PIL": "matplotlib",
        "llvmlite": "numba",
        "packaging": "matplotlib",
        "pygments": "rich",
        "traitlets": "anywidget",
    }
    needed = {comes_with.get(name, name) for name in imported - sys.stdlib_module_names - {"mlteach"}}
    assert needed - set(requirements()) <= {"cupy-cuda13x"} <= {one.name for one in extra("gpu-cu13")}


def extra(name):
    """Return the requirements of an extra."""
    return [Requirement(line) for line in PROJECT["project"]["optional-dependencies"][name]]


def test_the_extras_for_gpus_differ_in_cuda_only():
    ranges = [
        {re.sub(r"cuda1[23]x", "cuda", one.name): one.specifier for one in extra(name)}
        for name in ("gpu-cu13", "gpu-cu12")
    ]
    shared = ranges[0].keys() & ranges[1].keys()
    assert shared == {"cupy-cuda", "numba-cuda", "numpy"}
    assert all(ranges[0][name] == ranges[1][name] for name in shared)


def test_the_compilers_are_those_of_the_newer_extra():
    compilers = dict(line.split("==") for line in PROJECT["dependency-groups"]["compilers"])
    for one in extra("gpu-cu13"):
        if not one.name.startswith("cupy"):
            assert compilers[one.name] in one.specifier, one.name


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel of this tree and open it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        yield archive


def test_the_wheel_holds_the_digits_the_notebooks_and_the_results(wheel):
    names = set(wheel.namelist())
    for path in [*ROOT.glob("mlteach/data/*"), *ROOT.glob("mlteach/teach/assets/*")]:
        assert path.relative_to(ROOT).as_posix() in names
    assert "mlteach/teach/assets/drawpad.js" in names
    for folder in ("notebooks", "results"):
        for path in (ROOT / folder).rglob("[!.]*"):
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(ROOT).parts):
                assert f"mlteach/{path.relative_to(ROOT).as_posix()}" in names
    assert "mlteach/results/README.md" in names
    assert not any(part.startswith(".") for name in names for part in name.split("/"))
    assert not any(name.startswith(("tests/", "tools/")) for name in names)


def test_the_wheel_names_its_licences(wheel):
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    metadata = email.message_from_bytes(wheel.read(name))
    assert metadata["License-Expression"] == "Apache-2.0 AND CC-BY-4.0 AND CC-BY-SA-3.0"
    assert metadata.get_all("License-File") == ["LICENSE", "LICENSE-CC-BY-4.0.md", "mlteach/data/NOTICE.md"]
    folder = name.removesuffix("METADATA") + "licenses/"
    assert b"Apache License" in wheel.read(folder + "LICENSE")
    assert b"creativecommons.org/licenses/by/4.0" in wheel.read(folder + "LICENSE-CC-BY-4.0.md")
