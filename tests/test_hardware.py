"""labkit.hardware: on this machine against psutil and os, and on machines laid out as files below tmp_path."""

import dataclasses
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import labkit
from labkit import _cgroup, _probes, catalog, hardware
from labkit.errors import ConfigError, EngineMissing
from labkit.hardware import Fact, Fit, Gpu

GIB = 2**30
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc or moves a process, as only Linux can")
NO_V1_LIMIT = 9223372036854771712


@pytest.fixture(scope="module")
def here():
    return hardware.machine()


@pytest.fixture(scope="module")
def roomy(here):
    """A machine with 4 GiB free of 8, and 10 GiB of disk."""
    facts = {
        "ram_free_bytes": 4 * GIB,
        "ram_total_bytes": 8 * GIB,
        "ram_limit_bytes": None,
        "disk_free_bytes": 10 * GIB,
    }
    return dataclasses.replace(here, **{name: Fact(value, "a test") for name, value in facts.items()})


def lay_out(root: Path, files: dict[str, object]) -> Path:
    """Write `files` (path -> text) below `root`, and the cgroup.procs that every control group has."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", encoding="utf-8")
        if name.startswith("sys/fs/cgroup/"):
            (path.parent / "cgroup.procs").touch()
    return root


def v2(root: Path, group: str, files: dict[str, object]) -> Path:
    """A machine with cgroup v2, this process in `group`; `files` are named from /sys/fs/cgroup."""
    below = {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    return lay_out(root, {"proc/self/cgroup": f"0::{group}", "sys/fs/cgroup/cgroup.controllers": "cpu memory", **below})


# This machine -----------------------------------------------------------------------------------------------------


def test_every_field_is_a_fact_with_a_source(here):
    for field in dataclasses.fields(here):
        fact = getattr(here, field.name)
        assert isinstance(fact, Fact) and fact.source, field.name


def test_agrees_with_psutil_and_os(here):
    assert here.architecture.value == platform.machine()
    assert here.python.value == platform.python_version()
    assert here.cores_logical.value == psutil.cpu_count()
    assert here.cores_physical.value == psutil.cpu_count(logical=False)
    assert 1 <= here.cores_usable.value <= here.cores_logical.value
    assert here.ram_total_bytes.value == psutil.virtual_memory().total
    assert 0 < here.ram_free_bytes.value <= here.ram_total_bytes.value
    assert here.cpu_model.value and isinstance(here.simd.value, tuple)


def test_disk_is_the_one_of_labkits_folder(here, monkeypatch, tmp_path):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "home"))
    total, _, _ = shutil.disk_usage(tmp_path)
    assert 0 < hardware._disk_free().value <= total
    (tmp_path / "file").touch()
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "file" / "home"))
    assert hardware._disk_free().value is None and "Not a directory" in hardware._disk_free().source


def test_machine_is_reachable_from_labkit():
    assert labkit.machine is hardware.machine


def test_loads_no_engine_and_psutil_only_when_asked():
    code = (
        "import sys, labkit.hardware as h; before = 'psutil' in sys.modules; h.machine();"
        "print(before, [m for m in ('xllamacpp', 'openai', 'numpy', 'plotly') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "False []"


def test_to_dict_survives_json(here):
    with_gpu = dataclasses.replace(here, gpus=Fact((Gpu("H100", 80 * GIB, 70 * GIB, "570", "NVML, device 0"),), "NVML"))
    told = with_gpu.to_dict()
    assert json.loads(json.dumps(told)) == told
    assert told["ram_total_bytes"] == {"value": here.ram_total_bytes.value, "source": here.ram_total_bytes.source}
    assert told["gpus"]["value"][0]["memory_bytes"] == 80 * GIB


def test_table_is_for_people(here, roomy):
    rows = {label: (text, source) for label, text, source in roomy.table()}
    assert rows["Memory free now"] == ("4.0 GiB", "a test")
    assert rows["Memory limit here"] == ("none", "a test")
    assert len(rows) == len(dataclasses.fields(here))
    unknown = dataclasses.replace(
        roomy, cores_physical=Fact(None, "psutil"), disk_free_bytes=Fact(300 * 2**20, "a test")
    )
    texts = {label: text for label, text, _ in unknown.table()}
    assert texts["Cores, physical"] == "unknown" and texts["Disk free"] == "300 MiB"


def test_table_has_a_row_for_each_gpu(roomy):
    gpus = (Gpu("A", 2 * GIB, GIB, "1", "NVML, device 0"), Gpu("B", None, None, None, "NVML, device 1"))
    rows = [row for row in dataclasses.replace(roomy, gpus=Fact(gpus, "NVML")).table() if row[0] == "GPU"]
    assert rows == [("GPU", "A, 2.0 GiB, 1.0 GiB free", "NVML, device 0"), ("GPU", "B", "NVML, device 1")]


# Memory limits ----------------------------------------------------------------------------------------------------


def test_no_cgroup_at_all(tmp_path):
    limit, allowed = _cgroup.memory(tmp_path)
    assert limit == allowed == (None, "no cgroup limits the memory")
    facts = hardware._memory(tmp_path)
    assert facts["ram_limit_bytes"].value is None and facts["ram_free_bytes"].source == "psutil.virtual_memory"


def test_v2_container_sees_its_limit_at_the_top(tmp_path):
    stat = "anon 1\ninactive_file 300\nactive_file 7"
    files = {"memory.max": 1000, "memory.current": 900, "memory.stat": stat}
    limit, allowed = _cgroup.memory(v2(tmp_path, "/", files))
    assert limit == (1000, f"cgroup v2 {tmp_path}/sys/fs/cgroup/memory.max")
    assert allowed[0] == 1000 - (900 - 300)


def test_v2_parents_bind_too(tmp_path):
    files = {
        "memory.stat": "",
        "a/memory.max": 5000, "a/memory.current": 4900,
        "a/b/memory.max": 2000, "a/b/memory.current": 100,
        "a/b/c/memory.max": "max", "a/b/c/memory.current": 100,
    }  # fmt: skip
    limit, allowed = _cgroup.memory(v2(tmp_path, "/a/b/c", files))
    assert limit == (2000, f"cgroup v2 {tmp_path}/sys/fs/cgroup/a/b/memory.max")
    assert allowed == (100, f"cgroup v2 {tmp_path}/sys/fs/cgroup/a, limit - used")  # a neighbour in /a ate the rest


def test_v2_group_names_may_hold_colons_and_be_hidden(tmp_path):
    files = {"memory.max": 7000, "x:y.scope/memory.max": 3000, "z/memory.max": 1}
    assert _cgroup.memory(v2(tmp_path, "/x:y.scope", files))[0][0] == 3000
    assert _cgroup.memory(v2(tmp_path, "/docker/0123", files))[0][0] == 7000  # a path that the container cannot see
    assert _cgroup.memory(v2(tmp_path, "/../z", files))[0][0] == 7000  # not the z that is here


@pytest.mark.parametrize("text", ["max", "", "lots", "-5", "1e9", pytest.param("1" * 5000, id="digits"), "\0ÿ"])
def test_v2_no_number_is_no_limit(tmp_path, text):
    root = v2(tmp_path, "/", {"memory.max": text, "memory.current": 5, "cpu.max": text})
    assert _cgroup.memory(root)[0][0] is None
    assert _cgroup.cpu_quota(root)[0] is None


def test_garbage_beside_a_limit_counts_as_nothing_used(tmp_path):
    files = {"memory.max": 1000, "memory.current": "??", "memory.stat": "inactive_file\nnonsense\ninactive_file x"}
    assert _cgroup.memory(v2(tmp_path, "/", files))[1][0] == 1000


@given(text=st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_no_text_in_these_files_raises(tmp_path_factory, text):
    names = (
        "proc/cpuinfo",
        "etc/os-release",
        *(f"sys/fs/cgroup/{name}" for name in ("memory.max", "memory.stat", "cpu.max")),
    )
    root = lay_out(
        tmp_path_factory.mktemp("any"), {"proc/self/cgroup": f"0::/{text}\n{text}", **dict.fromkeys(names, text)}
    )
    _cgroup.memory(root), _probes.cores_usable(root), _probes.cpu_model(root), _probes.simd(root), _probes.system(root)


def test_allowed_is_never_negative_nor_above_the_limit(tmp_path):
    assert _cgroup.memory(v2(tmp_path / "1", "/", {"memory.max": 1000, "memory.current": 1500}))[1][0] == 0
    files = {"memory.max": 1000, "memory.current": 100, "memory.stat": "inactive_file 900"}
    assert _cgroup.memory(v2(tmp_path / "2", "/", files))[1][0] == 1000


def v1(root: Path, group: str, files: dict[str, object]) -> Path:
    text = f"9:name=systemd:/\n5:cpu,cpuacct:{group}\n4:memory:{group}\n"
    return lay_out(root, {"proc/self/cgroup": text, **{f"sys/fs/cgroup/{name}": text for name, text in files.items()}})


def test_v1_limits_and_usage(tmp_path):
    files = {
        "memory/memory.limit_in_bytes": NO_V1_LIMIT,
        "memory/docker/memory.limit_in_bytes": 4000, "memory/docker/memory.usage_in_bytes": 3000,
        "memory/docker/memory.stat": "inactive_file 1\nhierarchical_memory_limit 4000\ntotal_inactive_file 500",
    }  # fmt: skip
    limit, allowed = _cgroup.memory(v1(tmp_path, "/docker", files))
    assert limit == (4000, f"cgroup v1 {tmp_path}/sys/fs/cgroup/memory/docker/memory.limit_in_bytes")
    assert allowed[0] == 4000 - (3000 - 500)


def test_v1_parent_that_is_hidden_speaks_through_memory_stat(tmp_path):
    files = {"memory/memory.limit_in_bytes": NO_V1_LIMIT, "memory/memory.stat": "hierarchical_memory_limit 2500"}
    limit, _ = _cgroup.memory(v1(tmp_path, "/kubepods/hidden", files))
    assert limit == (2500, f"cgroup v1 {tmp_path}/sys/fs/cgroup/memory/memory.stat")


def test_v1_without_limit(tmp_path):
    stat = f"hierarchical_memory_limit {NO_V1_LIMIT}"
    files = {"memory/memory.limit_in_bytes": NO_V1_LIMIT, "memory/memory.stat": stat}
    assert _cgroup.memory(v1(tmp_path, "/", files))[0][0] is None


def test_both_versions_side_by_side(tmp_path):
    files = {
        "sys/fs/cgroup/memory/g/memory.limit_in_bytes": 4000,
        "sys/fs/cgroup/unified/g/memory.max": 3000,
        "sys/fs/cgroup/memory/memory.stat": "",
        "sys/fs/cgroup/unified/memory.stat": "",
    }
    root = lay_out(tmp_path, {"proc/self/cgroup": "4:memory:/g\n0::/g", **files})
    assert _cgroup.memory(root)[0] == (3000, f"cgroup v2 {tmp_path}/sys/fs/cgroup/unified/g/memory.max")


def test_free_memory_is_the_smaller_of_host_and_container(tmp_path):
    tight = v2(tmp_path / "tight", "/", {"memory.max": 64 * 2**20, "memory.current": 16 * 2**20})
    facts = hardware._memory(tight)
    assert facts["ram_free_bytes"].value == 48 * 2**20 and "cgroup v2" in facts["ram_free_bytes"].source
    assert facts["ram_limit_bytes"].value == 64 * 2**20
    wide = v2(tmp_path / "wide", "/", {"memory.max": 2**60, "memory.current": 0})
    facts = hardware._memory(wide)
    assert facts["ram_free_bytes"].source == "psutil.virtual_memory" and facts["ram_limit_bytes"].value == 2**60


# Cores ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def eight_cores(monkeypatch):
    monkeypatch.setattr(_probes, "_affinity", lambda: (8, "os.sched_getaffinity"))


@pytest.mark.parametrize(
    ("text", "usable"),
    [("max 100000", 8), ("400000 100000", 4), ("150000 100000", 1), ("20000 100000", 1), ("900000 100000", 8)],
)
def test_v2_quota(tmp_path, eight_cores, text, usable):
    cores, source = _probes.cores_usable(v2(tmp_path, "/", {"cpu.max": text}))
    assert cores == usable
    assert source == "os.sched_getaffinity" if usable == 8 else source.startswith("cgroup v2")


@pytest.mark.parametrize("text", ["0 100000", "100000 0", "100000", "a b", "-1 100000"])
def test_v2_quota_nonsense_hides_no_other(tmp_path, eight_cores, text):
    files = {"cpu.max": text, "g/cpu.max": "300000 100000", "g/h/cpu.max": text}
    assert _probes.cores_usable(v2(tmp_path, "/g/h", files))[0] == 3


def test_v2_quota_of_a_parent(tmp_path, eight_cores):
    files = {"cpu.stat": "", "a/cpu.max": "250000 100000", "a/b/cpu.max": "500000 100000"}
    cores, source = _probes.cores_usable(v2(tmp_path, "/a/b", files))
    assert cores == 2
    assert source == f"cgroup v2 {tmp_path}/sys/fs/cgroup/a (2.5 of the 8 by os.sched_getaffinity)"


@pytest.mark.parametrize(("quota", "usable"), [(-1, 8), (300000, 3), (50000, 1), ("x", 8)])
def test_v1_quota(tmp_path, eight_cores, quota, usable):
    folder = "cpu,cpuacct"
    files = {f"{folder}/g/cpu.cfs_quota_us": quota, f"{folder}/g/cpu.cfs_period_us": 100000, f"{folder}/cpu.stat": ""}
    assert _probes.cores_usable(v1(tmp_path, "/g", files))[0] == usable


def test_threads_leave_a_core_free(monkeypatch):
    for cores, threads in ((1, 1), (2, 1), (8, 7)):
        monkeypatch.setattr(_probes, "_affinity", lambda cores=cores: (cores, "a test"))
        monkeypatch.setattr(_cgroup, "cpu_quota", lambda root: (None, ""))
        assert (hardware.bounded_threads(), hardware.bounded_threads(exclusive=True)) == (threads, cores)


ASK = (
    "import os, sys; sys.stdin.readline(); from labkit import hardware as h;"
    "print(h._probes.cores_usable(), h.bounded_threads(), h.bounded_threads(True))"
)


@LINUX
def test_affinity_of_a_real_process():
    code = f"import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]); {ASK}"
    out = subprocess.run([sys.executable, "-c", code], input="\n", capture_output=True, text=True, check=True).stdout
    assert out.strip() == "(1, 'os.sched_getaffinity') 1 1"


@pytest.fixture
def real_cgroup():
    """A control group of our own, with the CPU controller, below the one this process is in; removed afterwards."""
    version, parent = next(_cgroup.levels("cpu", Path("/")), (0, None))
    if parent is None or not os.access(parent, os.W_OK):
        pytest.skip("no control group that this user may write")
    ours = parent / f"labkit-test-{os.getpid()}"
    try:
        ours.mkdir()
    except OSError as error:
        pytest.skip(f"control groups cannot be made here: {error.strerror}")
    yield version, ours
    ours.rmdir()


@LINUX
def test_quota_of_a_real_cgroup(real_cgroup):
    """A process in a group that is allowed half a core counts one, whatever the machine has."""
    version, ours = real_cgroup
    file = ours / ("cpu.max" if version == 2 else "cpu.cfs_quota_us")
    if not file.exists():
        pytest.skip("the CPU controller is not handed down to this group")
    file.write_text("50000 100000" if version == 2 else "50000")
    with subprocess.Popen([sys.executable, "-c", ASK], stdin=-1, stdout=-1, text=True) as child:
        (ours / "cgroup.procs").write_text(str(child.pid))
        out, _ = child.communicate("\n")
    if len(os.sched_getaffinity(0)) > 1:
        assert out.startswith(f"(1, 'cgroup v{version} {ours} (0.5 of the ")
    assert out.endswith(") 1 1\n")


# Processor, NPU, GPU ----------------------------------------------------------------------------------------------

X86 = """processor\t: 0
model\t\t: 2
model name\t: AMD EPYC
flags\t\t: fpu sse4_2 avx f16c fma avx2 avx512f avx512_vnni smep

processor\t: 1
model name\t: another"""
PI = """processor\t: 0
Features\t: fp asimd evtstrm crc32 asimdhp asimddp
CPU implementer\t: 0x41
CPU part\t: 0xd0b

Model\t\t: Raspberry Pi 5 Model B Rev 1.0"""
SERVER_ARM = PI.partition("\n\n")[0]


@LINUX
def test_cpuinfo_of_other_machines(tmp_path):
    root = lay_out(tmp_path / "x86", {"proc/cpuinfo": X86})
    assert _probes.cpu_model(root) == ("AMD EPYC", "/proc/cpuinfo")
    assert _probes.simd(root)[0] == ("sse4_2", "avx", "f16c", "fma", "avx2", "avx512f", "avx512_vnni")
    root = lay_out(tmp_path / "pi", {"proc/cpuinfo": PI})
    assert _probes.cpu_model(root)[0] == "Raspberry Pi 5 Model B Rev 1.0"
    assert _probes.simd(root)[0] == ("neon", "fp16", "dotprod")
    root = lay_out(tmp_path / "arm", {"proc/cpuinfo": SERVER_ARM})
    assert _probes.cpu_model(root)[0] == "Arm, implementer 0x41, part 0xd0b"
    lay_out(root, {"proc/device-tree/model": "Radxa ROCK 5B\0"})
    assert _probes.cpu_model(root) == ("Radxa ROCK 5B", "/proc/device-tree/model")
    assert _probes.cpu_model(tmp_path / "nothing")[0] is None and _probes.simd(tmp_path / "nothing")[0] == ()


@LINUX
def test_simd_of_this_machine(here):
    flags = Path("/proc/cpuinfo").read_text()
    if platform.machine() == "x86_64":
        assert set(here.simd.value) <= set(flags.split()) and ("avx2" in here.simd.value) == (" avx2 " in flags)


def test_distribution(tmp_path):
    lay_out(tmp_path, {"etc/os-release": 'ID=debian\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"'})
    value, source = _probes.system(tmp_path)
    assert value.endswith(" (Debian GNU/Linux 12 (bookworm))") and "os-release" in source
    assert "(" not in _probes.system(tmp_path / "nothing")[0]


def test_macos_vector_instructions():
    told = "hw.optional.neon: 1\nhw.optional.AdvSIMD: 1\nhw.optional.arm.FEAT_DotProd: 1\nhw.optional.arm.FEAT_SME: 0\n"
    assert _probes.macos_simd(_probes.parse_sysctl(told)) == ("neon", "dotprod")
    told = "hw.optional.avx1_0: 1\nhw.optional.avx2_0: 1\nhw.optional.avx512f: 0\nsysctl: unknown oid 'x'"
    assert _probes.macos_simd(_probes.parse_sysctl(told)) == ("avx", "avx2")
    assert _probes.parse_sysctl("machdep.cpu.brand_string: Apple M2: Pro") == {
        "machdep.cpu.brand_string": "Apple M2: Pro"
    }


def test_macos_displays():
    apple = {
        "_name": "kHW_AppleM1Item",
        "sppci_model": "Apple M1",
        "spdisplays_mtlgpufamilysupport": "spdisplays_metal3",
    }
    amd = {"_name": "AMD", "spdisplays_vram": "8 GB"}
    intel = {"sppci_model": "Intel UHD Graphics 630", "spdisplays_vram_shared": "1536 MB"}
    rows = _probes.parse_displays(json.dumps({"SPDisplaysDataType": [apple, amd, intel, {}]}), 16 * GIB)
    assert [row[:4] for row in rows] == [
        ("Apple M1", 16 * GIB, None, "metal3"),
        ("AMD", 8 * GIB, None, None),
        ("Intel UHD Graphics 630", 1536 * 2**20, None, None),
        ("GPU", None, None, None),
    ]
    for text in ("", "{}", "[]", "no json"):
        assert _probes.parse_displays(text, 16 * GIB) == []


def test_a_command_that_is_not_here_says_nothing():
    assert _probes._command("no-such-command-anywhere") == ""


def test_npu(tmp_path):
    assert _probes.npu(tmp_path) == (None, "no engine here names one")
    (tmp_path / "drivers/intel_vpu").mkdir(parents=True)
    (tmp_path / "sys/class/accel/accel0/device").mkdir(parents=True)
    (tmp_path / "sys/class/accel/accel0/device/driver").symlink_to(tmp_path / "drivers/intel_vpu")
    assert _probes.npu(tmp_path) == ("accel0 (intel_vpu)", "/sys/class/accel")


class Driver:
    """NVIDIA's C library as pynvml calls it: two GPUs, the second of which does not count its memory."""

    shut = 0
    lost = False

    def nvmlInitWithFlags(self, flags):
        return 0

    def nvmlShutdown(self):
        self.shut += 1
        return 0

    def nvmlDeviceGetCount_v2(self, count):
        count._obj.value = 2
        return 15 if self.lost else 0  # NVML_ERROR_GPU_IS_LOST

    def nvmlDeviceGetHandleByIndex_v2(self, index, device):
        self.index = index.value
        return 0

    def nvmlDeviceGetName(self, device, text, length):
        text.value = [b"NVIDIA H100", b"NVIDIA GB10"][self.index]
        return 0

    def nvmlSystemGetDriverVersion(self, text, length):
        text.value = b"570.86"
        return 0

    def nvmlDeviceGetMemoryInfo(self, device, memory):
        memory._obj.total, memory._obj.free = 80 * GIB, 70 * GIB
        return 3 if self.index else 0  # NVML_ERROR_NOT_SUPPORTED


@pytest.fixture
def driver(monkeypatch):
    pynvml = pytest.importorskip("pynvml")
    monkeypatch.setattr(pynvml, "nvmlLib", Driver())
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
    return pynvml.nvmlLib


def test_nvidia_gpus_through_the_real_binding(driver):
    rows, source = _probes.nvidia_gpus()
    assert source == "NVML" and driver.shut == 1
    assert [Gpu(*row) for row in rows] == [
        Gpu("NVIDIA H100", 80 * GIB, 70 * GIB, "570.86", "NVML, device 0"),
        Gpu("NVIDIA GB10", None, None, "570.86", "NVML, device 1"),
    ]


def test_a_lost_gpu_is_a_reason_not_a_crash(driver):
    driver.lost = True
    assert _probes.nvidia_gpus() == ([], "NVML: GPU is lost") and driver.shut == 1


@pytest.mark.skipif(shutil.which("nvidia-smi") is None, reason="no NVIDIA driver here")
def test_agrees_with_nvidia_smi(here):
    command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert [f"{gpu.name}, {gpu.driver}" for gpu in here.gpus.value] == out.strip().splitlines()


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None or sys.platform == "darwin", reason="a GPU may be here")
def test_no_gpu_says_why(here):
    assert here.gpus.value == () and here.gpus.source.startswith("NVML: ")


def test_gpus_from_engine():
    pytest.importorskip("xllamacpp")
    assert all(isinstance(gpu, Gpu) for gpu in hardware.gpus_from_engine())
    facts = {"description": "Radeon", "memory_total": 8, "memory_free": 7, "name": "Vulkan0"}
    kinds = {name: SimpleNamespace(name=f"GGML_BACKEND_DEVICE_TYPE_{name}") for name in ("CPU", "GPU", "IGPU", "ACCEL")}
    found = hardware._engine_gpus([{**facts, "type": kind, "description": name} for name, kind in kinds.items()])
    assert [gpu.name for gpu in found] == ["GPU", "IGPU"]
    assert found[0] == Gpu("GPU", 8, 7, "Vulkan0", "xllamacpp.get_device_info")


def test_gpus_from_an_engine_that_is_not_here(monkeypatch):
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(EngineMissing) as raised:
        hardware.gpus_from_engine()
    assert "pip install" in raised.value.fix


# Does it fit? -----------------------------------------------------------------------------------------------------

SMOLLM2 = {"alias": "smollm2", "file_bytes": 270_885_920, "n_layers": 30, "n_kv_heads": 3, "head_dim": 64}


def test_the_sum_is_shown(roomy):
    fit = hardware.fits(SMOLLM2, roomy)
    # 45.00 MiB is what llama.cpp reports for this model at 2048 tokens
    assert fit.inputs["kv_cache_bytes"] == 45 * 2**20 == 2 * 30 * 3 * 64 * 2048 * 1 * 2
    parts = [fit.inputs[f"{part}_bytes"] for part in ("weights", "kv_cache", "overhead")]
    assert fit.needed_bytes == sum(parts) and fit.free_bytes == fit.inputs["ram_free_bytes"] == 4 * GIB
    assert fit and fit.ok and fit.disk_ok and not fit.inputs["kv_cache_estimated"]
    assert fit.reason == (
        "smollm2 fits: it needs 559 MiB of memory (weights 258 MiB, KV cache 45 MiB, overhead 256 MiB) and 4.0 GiB are free."
    )


def test_context_and_parallel_multiply_the_cache(roomy):
    fit = hardware.fits(SMOLLM2, roomy, context=8192, parallel=4)
    assert fit.inputs["kv_cache_bytes"] == 16 * 45 * 2**20
    assert not hardware.fits(SMOLLM2, roomy, context=8192, parallel=32)


@pytest.mark.parametrize("missing", ["n_layers", "n_kv_heads", "head_dim"])
def test_a_cache_of_unknown_shape_is_estimated_and_said_so(roomy, missing):
    fit = hardware.fits({**SMOLLM2, missing: None}, roomy)
    assert fit.inputs["kv_cache_estimated"] and "an estimated" in fit.reason
    assert 45 * 2**20 < fit.inputs["kv_cache_bytes"] < 4 * 45 * 2**20


def test_the_estimate_is_near_the_truth_for_every_model_of_the_course(roomy):
    for model in catalog.models():
        told = model.to_dict()
        truth, guess = hardware.fits(told, roomy), hardware.fits({**told, "n_layers": None}, roomy)
        assert guess.inputs["kv_cache_estimated"] and not truth.inputs["kv_cache_estimated"]
        assert 0.85 < guess.needed_bytes / truth.needed_bytes < 1.5, model.alias


def test_memory_to_the_byte(roomy):
    need = hardware.fits(SMOLLM2, roomy).needed_bytes
    for free, ok in ((need, True), (need - 1, False)):
        assert hardware.fits(SMOLLM2, dataclasses.replace(roomy, ram_free_bytes=Fact(free, "a test"))).ok is ok


def test_too_big_for_now_or_for_ever(roomy):
    now = hardware.fits({"file_bytes": 5 * GIB}, roomy)
    assert not now and now.reason.endswith("4.0 GiB are free; with other programs closed it might.")
    ever = hardware.fits({"file_bytes": 40 * GIB, "disk_bytes": 1}, roomy)
    assert not ever and ever.disk_ok and ever.reason.endswith("; there are 8.0 GiB in all.")
    limited = dataclasses.replace(roomy, ram_limit_bytes=Fact(5 * GIB, "a test"))
    assert hardware.fits({"file_bytes": 5 * GIB}, limited).reason.endswith("; there are 5.0 GiB in all.")


def test_disk_counts_only_for_a_file_that_is_not_here(roomy, tmp_path):
    full = dataclasses.replace(roomy, disk_free_bytes=Fact(100 * 2**20, "a test"))
    fit = hardware.fits({**SMOLLM2, "path": tmp_path / "smollm2.gguf"}, full)
    assert not fit and not fit.disk_ok and "does not fit on the disk" in fit.reason and "100 MiB are free" in fit.reason
    (tmp_path / "smollm2.gguf").touch()
    fit = hardware.fits({**SMOLLM2, "path": tmp_path / "smollm2.gguf"}, full)
    assert fit and fit.disk_ok and fit.inputs["disk_bytes"] == 0
    assert hardware.fits({**SMOLLM2, "disk_bytes": 2**20}, full)
    assert not hardware.fits({**SMOLLM2, "disk_bytes": 90 * 2**20}, full)  # labkit.disk keeps some of it spare
    assert not hardware.fits(SMOLLM2, dataclasses.replace(roomy, disk_free_bytes=Fact(None, "a test"))).disk_ok


def test_takes_objects_and_reads_this_machine(tmp_path):
    model = SimpleNamespace(path=tmp_path / "tiny.gguf", file_bytes=1000, n_layers=1, n_kv_heads=1, head_dim=1)
    fit = hardware.fits(model)
    assert isinstance(fit, Fit) and fit.inputs["kv_cache_bytes"] == 2 * 2048 * 2 and fit.reason.startswith("tiny.gguf ")
    assert fit.free_bytes > 0


@pytest.mark.parametrize("model", ["smollm2", {}, {"file_bytes": None}, {"file_bytes": 0}, object()])
def test_a_model_without_a_size_is_refused(roomy, model):
    with pytest.raises(ConfigError, match="how big") as raised:
        hardware.fits(model, roomy)
    assert raised.value.why and raised.value.fix


@pytest.mark.parametrize("counts", [{"context": 0}, {"parallel": 0}, {"context": -1}])
def test_counts_below_one_are_refused(roomy, counts):
    with pytest.raises(ConfigError, match="1 or more"):
        hardware.fits(SMOLLM2, roomy, **counts)


def test_the_summary_names_cores_memory_and_gpus():
    here = hardware.machine()
    assert here.summary.startswith(f"{here.cores_usable.value} cores of ")
    assert here.architecture.value in here.summary and "iB" in here.summary
    gpu = Gpu("Tesla X", 8 * 2**30, None, None, "a test")
    limited = dataclasses.replace(here, gpus=Fact((gpu,), "a test"), ram_limit_bytes=Fact(2**31, "a test"))
    assert "2.0 GiB, Tesla X" in limited.summary
