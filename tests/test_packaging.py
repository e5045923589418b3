"""What reaches a learner: extras and their markers, pins with hashes, both conda environments, and the wheel."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from labkit.exercises.start_page import START

ROOT = Path(__file__).parents[1]
META = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = META["project"]["optional-dependencies"]
CONDA = META["tool"]["labkit"]["conda"]
PLATFORMS = {
    "linux": {"sys_platform": "linux", "platform_machine": "x86_64"},
    "linux-arm": {"sys_platform": "linux", "platform_machine": "aarch64"},
    "apple-silicon": {"sys_platform": "darwin", "platform_machine": "arm64"},
    "intel-mac": {"sys_platform": "darwin", "platform_machine": "x86_64"},
    "windows": {"sys_platform": "win32", "platform_machine": "AMD64"},
    "windows-arm": {"sys_platform": "win32", "platform_machine": "ARM64"},
}
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def environment(platform: str, python: str = "3.12") -> dict[str, str]:
    system = {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}[PLATFORMS[platform]["sys_platform"]]
    versions = {"python_version": python, "python_full_version": f"{python}.9", "implementation_version": f"{python}.9"}
    os_name = {"Windows": "nt"}.get(system, "posix")
    return PLATFORMS[platform] | versions | {"platform_system": system, "os_name": os_name, "extra": ""}


def applies(need: Requirement, platform: str, python: str = "3.12") -> bool:
    return need.marker is None or need.marker.evaluate(environment(platform, python))


def clone_files() -> list[str]:
    """Return what git tracks (and would, new files included); skip outside a clone."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git clone")
    return [name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


# -- extras -------------------------------------------------------------------------------------------------------------


def installs(extra: str, platform: str) -> set[str]:
    """Return the packages that an extra asks for on a platform, labkit's own extras followed."""
    found = set()
    for need in (Requirement(line) for line in EXTRAS[extra]):
        if not applies(need, platform):
            continue
        if need.name == "labkit":
            found |= set().union(*(installs(inner, platform) for inner in need.extras))
        else:
            found.add(need.name)
    return found


@pytest.mark.parametrize(
    ("extra", "package", "without"),
    [
        ("foundry", "foundry-local-sdk", {"intel-mac"}),
        ("onnx", "onnxruntime-genai", {"intel-mac"}),
        ("openvino", "openvino-genai", {"intel-mac", "windows-arm"}),
        ("mlx", "mlx-lm", {"intel-mac", "windows", "windows-arm"}),
        ("quantization", "llama-cpp-python", set()),
        ("vllm", "vllm", {"apple-silicon", "intel-mac", "windows", "windows-arm"}),
    ],
)
def test_an_extra_installs_its_engine_exactly_where_there_are_wheels(extra, package, without):
    assert {platform for platform in PLATFORMS if package not in installs(extra, platform)} == without
    beside = {"onnx"} if extra in ("foundry", "onnx") else set()  # writes the folder that those engines read
    assert set().union(*(installs(extra, platform) for platform in PLATFORMS)) == {package} | beside


def test_all_is_what_shares_one_venv_and_needs_no_compiler():
    found = {platform: installs("all", platform) for platform in PLATFORMS}
    wheels = {"foundry-local-sdk", "onnxruntime-genai", "onnx", "openvino-genai"}
    assert found["linux"] == found["linux-arm"] == found["windows"] == wheels
    assert found["apple-silicon"] == wheels | {"mlx-lm"}
    assert found["windows-arm"] == wheels - {"openvino-genai"}
    assert found["intel-mac"] == set()


# -- pins ---------------------------------------------------------------------------------------------------------------

PINNED = {"requirements/lab.txt": [], "requirements/test.txt": EXTRAS["test"]}


def pins(file: str) -> list[Requirement]:
    text = (ROOT / file).read_text(encoding="utf-8")
    lines = [line for line in text.replace("\\\n", "").splitlines() if line and not line.startswith(("#", "-"))]
    return [Requirement(line.split("--hash=")[0]) for line in lines]


@pytest.mark.parametrize("file", PINNED)
def test_every_pin_is_exact_and_hashed_and_nothing_can_compile(file):
    text = (ROOT / file).read_text(encoding="utf-8")
    options = [line for line in text.splitlines() if line.startswith("-")]
    assert options == ["--only-binary :all:"]
    entries = re.findall(r"^[A-Za-z0-9].*(?:\n +--hash.*)*", text, re.M)
    assert len(entries) == len(pins(file)) > 100
    for entry in entries:
        assert re.fullmatch(r"[a-z0-9-]+==\S+( ; [^\n]+?)?( \\\n +--hash=sha256:[0-9a-f]{64})+", entry), entry[:100]


@pytest.mark.parametrize("file", PINNED)
@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("python", PYTHONS)
def test_the_pins_hold_what_pyproject_asks_for(file, platform, python):
    found = [pin for pin in pins(file) if applies(pin, platform, python)]
    here = {canonicalize_name(pin.name): pin for pin in found}
    assert len(here) == len(found), "two versions of one package"
    for need in map(Requirement, META["project"]["dependencies"] + PINNED[file]):
        name = canonicalize_name(need.name)
        assert (name in here) == applies(need, platform, python), f"{need}: python .ci/environments.py --pins"
        if name in here:
            (pinned,) = (spec.version for spec in here[name].specifier)
            assert need.specifier.contains(pinned), f"{need}, but {pinned} is pinned: python .ci/environments.py --pins"


def test_the_tests_run_on_the_same_versions_as_the_course():
    tested = {(pin.name, str(pin.specifier)) for pin in pins("requirements/test.txt")}
    assert {(pin.name, str(pin.specifier)) for pin in pins("requirements/lab.txt")} < tested


# -- conda and Binder ---------------------------------------------------------------------------------------------------


def conda(file: str) -> tuple[list[str], list[str]]:
    """Return what a conda environment takes from its channel and from pip."""
    found = yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))
    assert found["channels"] == ["conda-forge"]
    *forge, last = found["dependencies"]
    return forge, last["pip"]


def test_both_environments_agree_with_pyproject():
    forge, pip = conda("environment.yml")
    python, *packages = forge
    assert Requirement("python" + python.removeprefix("python").replace("=", "==")).specifier
    assert python.removeprefix("python=") in PYTHONS
    prebuilt = EXTRAS["quantization"]
    assert sorted([*packages, *pip]) == sorted([*META["project"]["dependencies"], *prebuilt, "ollama", "-e ."])
    assert {*prebuilt, "ollama", "jupyterlab>=4.4,<5"} <= set(packages), "conda-forge has them prebuilt"
    assert not any(";" in need for need in packages), "conda reads no markers"


def test_binder_is_the_same_environment_less_what_its_memory_cannot_hold():
    forge, pip = conda("environment.yml")
    binder_forge, binder_pip = conda("binder/environment.yml")
    assert [need for need in forge if need not in binder_forge] == CONDA["not-on-binder"] == ["ollama"]
    assert [need for need in pip if need not in binder_pip] == ["-e ."], "binder/postBuild installs the package"
    assert set(binder_forge) <= set(forge)
    assert set(binder_pip) <= set(pip)


def test_binder_installs_the_package_fetches_the_model_and_opens_the_start_page():
    script = ROOT / "binder" / "postBuild"
    assert os.access(script, os.X_OK)
    assert script.read_text(encoding="utf-8").startswith("#!/bin/bash\n")
    commands = [line for line in script.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert commands[:3] == [
        "set -euo pipefail",
        "python -m pip install --no-deps --editable .",
        "labkit lab --prepare my-course",
    ]
    copied = next(line for line in commands if line.startswith("cp ")).split()[2:-1]
    assert all((ROOT / name).exists() for name in copied)
    settings = json.loads((ROOT / "binder" / "jupyter_server_config.json").read_text(encoding="utf-8"))
    assert {one["default_url"] for one in settings.values()} == {f"/lab/tree/my-course/{START}"}


@pytest.fixture
def generator(tmp_path) -> list:
    """Give the command that makes the environments, in a copy of what it reads and writes."""
    for name in ("pyproject.toml", ".ci/environments.py", "environment.yml", "binder/environment.yml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return [sys.executable, tmp_path / ".ci" / "environments.py"]


def test_the_generated_files_are_current(generator):
    done = subprocess.run([*generator, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_stale_environment_is_found_and_renewed(generator, tmp_path):
    meta = tmp_path / "pyproject.toml"
    meta.write_text(meta.read_text(encoding="utf-8").replace('"numpy>=1.26"', '"numpy>=2.1"'), encoding="utf-8")
    stale = subprocess.run([*generator, "--check"], capture_output=True, text=True, check=False)
    assert stale.returncode == 1
    assert "environment.yml is out of date. Try: python .ci/environments.py" in stale.stderr
    subprocess.run(generator, check=True, capture_output=True)
    assert subprocess.run([*generator, "--check"], check=False).returncode == 0
    for name in ("environment.yml", "binder/environment.yml"):
        assert '"numpy>=2.1"' in (tmp_path / name).read_text(encoding="utf-8")


# -- the wheel ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """Give a copy of the clone with a notebook checkpoint in it, as a learner's has."""
    folder = tmp_path_factory.mktemp("source") / "clone"
    for name in clone_files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    checkpoints = folder / "notebooks" / ".ipynb_checkpoints"
    checkpoints.mkdir()
    (checkpoints / "00_start_here-checkpoint.ipynb").write_text("{}")
    return folder


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory) -> Path:
    dist = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", dist, source]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = dist.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Give a function that runs a program of a fresh venv, outside the clone, with labkit from the wheel alone."""
    home = tmp_path_factory.mktemp("elsewhere")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home / "venv"], check=True)
    programs = home / "venv" / ("Scripts" if os.name == "nt" else "bin")
    python = programs / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(pip, check=True)
    where = [python, "-Ic", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.run(where, capture_output=True, text=True, check=True).stdout.strip())
    # The dependencies are borrowed from this environment. A .pth file inside a borrowed folder is not followed, so an
    # editable labkit of this environment stays out of sight.
    borrowed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "borrowed.pth").write_text("\n".join(sorted(borrowed)) + "\n")

    def run(program: str, *args: str) -> str:
        env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        env["LABKIT_HOME"] = str(home / "cache")
        command = [programs / program, *args]
        done = subprocess.run(command, cwd=home, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def course_files(root: Path) -> set[str]:
    """Return what the wheel holds of the course: README's pictures are for those who look at the repository."""
    names = [name for name in clone_files() if name.startswith(("data/", "notebooks/"))]
    return {name for name in names if not name.startswith("data/pictures/") and (root / name).is_file()}


def test_the_wheel_holds_the_course_and_nothing_of_the_learner(wheel, source):
    names = set(zipfile.ZipFile(wheel).namelist())
    inside = {name.removeprefix("labkit/_course/") for name in names if name.startswith("labkit/_course/")}
    assert inside == course_files(source)
    assert {"data/models.toml", "data/lessons.toml", "notebooks/00_start_here.ipynb"} <= inside
    assert {name.split("/")[0] for name in names} == {"labkit", f"labkit-{version()}.dist-info"}


def test_the_notebooks_in_the_wheel_have_no_outputs(wheel):
    with zipfile.ZipFile(wheel) as archive:
        notebooks = [json.loads(archive.read(name)) for name in archive.namelist() if name.endswith(".ipynb")]
    assert notebooks
    for notebook in notebooks:
        assert "widgets" not in notebook["metadata"]
        for cell in notebook["cells"]:
            assert not cell.get("outputs") and cell.get("execution_count") is None


def test_an_installed_wheel_finds_data_and_notebooks(installed, source):
    code = """if True:
        import json, labkit
        from importlib.metadata import version
        from labkit import paths
        root = paths.course_root()
        found = [p.relative_to(root).as_posix() for d in (paths.data_dir(), paths.notebooks_dir()) for p in d.rglob("*")]
        print(json.dumps([labkit.__file__, version("labkit"), str(root), found]))
    """
    file, found_version, root, found = json.loads(installed("python", "-Ic", code))
    assert "elsewhere" in file and str(ROOT) not in file and root == str(Path(file).parent / "_course")
    assert found_version == version()
    assert {name for name in found if (source / name).is_file()} == course_files(source)


def test_an_installed_wheel_lays_the_notebooks_out_and_answers_its_command(installed, source):
    code = "import sys; from labkit import course; print([p.name for p in course.lay_out(sys.argv[1]).written])"
    laid_out = installed("python", "-Ic", code, "my-course")
    assert sorted(re.findall(r"\w+\.ipynb", laid_out)) == sorted(p.name for p in (source / "notebooks").glob("*.ipynb"))
    assert "doctor" in installed("labkit", "--help")


def test_import_labkit_is_light(installed):
    heavy = {"openai", "plotly", "agent_framework", "xllamacpp", "numpy", "gguf", "IPython", "ipywidgets", "papermill"}
    code = "import sys, time; t = time.perf_counter(); import labkit; print(time.perf_counter() - t, *sys.modules)"
    seconds, *modules = installed("python", "-Ic", code).split()
    assert "labkit" in modules
    assert not heavy & set(modules)
    print(f"import labkit: {float(seconds) * 1000:.1f} ms, {len(modules)} modules in all")


def version() -> str:
    return re.search(r'__version__ = "(.+)"', (ROOT / "labkit" / "__init__.py").read_text(encoding="utf-8"))[1]


# -- what no committed file may say -------------------------------------------------------------------------------------


def test_no_committed_file_names_a_registry_host_or_a_machine_path():
    # Put together here, so that this file holds none of them.
    hosts = {"org": "pypi pythonhosted npmjs golang maven debian anaconda", "io": "crates", "com": "anaconda"}
    needles = [f"{name}.{end}" for end, names in hosts.items() for name in names.split()]
    needles += ["/" + "/".join(path) for path in (("work", "main"), ("work", "shared"), ("root", ""), ("tmp", "v", ""))]
    needles += [f"{ROOT}/"]
    needle = re.compile("|".join(map(re.escape, needles)).encode())
    volume = b"ollama:/" + b"root/.ollama"  # where the official container of Ollama keeps its models
    found = {name: needle.search((ROOT / name).read_bytes().replace(volume, b"")) for name in clone_files()}
    assert not {name: hit[0] for name, hit in found.items() if hit}
