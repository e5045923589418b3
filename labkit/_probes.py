"""How labkit.hardware reads this machine: a reader returns `(value, source)`, the value None where nothing tells it.

Files are read below `root`, so that a test can lay out a machine that is not here. macOS and Windows have no such
files: there a reader asks one command or one system call, and the text that comes back has a parser of its own.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

from labkit import _cgroup
from labkit._cgroup import text_of

ROOT = Path("/")

# What llama.cpp's CPU kernels choose between, by the name each system gives it.
X86_SIMD = """sse4_2 avx f16c fma bmi2 avx2 avx_vnni avx512f avx512bw avx512vl avx512vbmi avx512_vnni avx512_bf16
    amx_int8 amx_bf16"""
LINUX_SIMD = {name: name for name in X86_SIMD.split()} | {
    "neon": "neon", "asimd": "neon", "asimdhp": "fp16", "asimddp": "dotprod", "i8mm": "i8mm", "bf16": "bf16",
    "sve": "sve", "sve2": "sve2", "sme": "sme",
}  # fmt: skip
MACOS_SIMD = {
    "avx1_0": "avx", "f16c": "f16c", "fma": "fma", "bmi2": "bmi2", "avx2_0": "avx2",
    "avx512f": "avx512f", "avx512bw": "avx512bw", "avx512vl": "avx512vl",
    "neon": "neon", "AdvSIMD": "neon", "arm.FEAT_FP16": "fp16", "arm.FEAT_DotProd": "dotprod",
    "arm.FEAT_I8MM": "i8mm", "arm.FEAT_BF16": "bf16", "arm.FEAT_SME": "sme",
}  # fmt: skip
WINDOWS_SIMD = {38: "sse4_2", 39: "avx", 40: "avx2", 41: "avx512f", 19: "neon", 43: "dotprod"}  # PF_… in winnt.h


def system(root: Path = ROOT) -> tuple[str, str]:
    """The operating system with its version, and the Linux distribution."""
    name, source = f"{platform.system()} {platform.release()}", "platform.uname"
    distribution = re.search(r'^PRETTY_NAME="?([^"\n]+)', text_of(root / "etc/os-release"), re.MULTILINE)
    return (f"{name} ({distribution[1]})", f"{source}, /etc/os-release") if distribution else (name, source)


def cpu_model(root: Path = ROOT) -> tuple[str | None, str]:
    """The processor's name; on most Arm boards, which keep quiet about it, the board's."""
    if sys.platform == "darwin":
        return sysctl("machdep.cpu.brand_string").get("machdep.cpu.brand_string"), "sysctl machdep.cpu.brand_string"
    if sys.platform == "win32":
        return _windows_cpu_name(), "registry CentralProcessor\\0"
    told = cpuinfo(root)
    if name := next((told[key] for key in ("model name", "cpu model", "cpu", "Model") if told.get(key)), None):
        return name, "/proc/cpuinfo"
    if board := text_of(root / "proc/device-tree/model").strip("\0 \n"):
        return board, "/proc/device-tree/model"
    if "CPU part" in told:
        return f"Arm, implementer {told.get('CPU implementer')}, part {told['CPU part']}", "/proc/cpuinfo"
    return None, "/proc/cpuinfo does not say"


def simd(root: Path = ROOT) -> tuple[tuple[str, ...], str]:
    """The vector instructions that matter to llama.cpp."""
    if sys.platform == "darwin":
        return macos_simd(sysctl("hw.optional")), "sysctl hw.optional"
    if sys.platform == "win32":
        import ctypes

        has = ctypes.windll.kernel32.IsProcessorFeaturePresent
        return tuple(name for number, name in WINDOWS_SIMD.items() if has(number)), "IsProcessorFeaturePresent"
    told = cpuinfo(root)
    flags = f"{told.get('flags', '')} {told.get('Features', '')}".split()
    return _named(LINUX_SIMD, flags), "/proc/cpuinfo"


def cpuinfo(root: Path = ROOT) -> dict[str, str]:
    """The first processor's lines of /proc/cpuinfo, and those about the whole machine."""
    told: dict[str, str] = {}
    for line in text_of(root / "proc/cpuinfo").splitlines():
        key, _, value = line.partition(":")
        told.setdefault(key.strip(), value.strip())
    return told


def macos_simd(told: dict[str, str]) -> tuple[str, ...]:
    """The vector instructions in the answer of `sysctl hw.optional`."""
    return _named(MACOS_SIMD, [key.removeprefix("hw.optional.") for key, value in told.items() if value == "1"])


def sysctl(name: str) -> dict[str, str]:
    """What macOS's `sysctl NAME` answers, by full name; empty where it does not answer."""
    return parse_sysctl(_command("sysctl", name))


def parse_sysctl(text: str) -> dict[str, str]:
    """`name: value` lines as a dict."""
    return dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)


def cores_usable(root: Path = ROOT) -> tuple[int, str]:
    """Whole cores that this process may keep busy: its affinity, or what its cgroup's CPU quota pays for."""
    allowed, source = _affinity()
    quota, file = _cgroup.cpu_quota(root)
    if quota is None or quota >= allowed:
        return allowed, source
    return max(1, int(quota)), f"{file} ({quota:g} of the {allowed} by {source})"


def _affinity() -> tuple[int, str]:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)), "os.sched_getaffinity"
    if sys.platform == "win32":
        import psutil

        return len(psutil.Process().cpu_affinity()), "psutil cpu_affinity"
    return os.cpu_count() or 1, "os.cpu_count"


def npu(root: Path = ROOT) -> tuple[str | None, str]:
    """The neural processor that Linux has a driver for. No engine of this course names one."""
    for device in sorted((root / "sys/class/accel").glob("accel*")):
        if os.path.exists(device / "device/driver"):
            return f"{device.name} ({os.path.basename(os.path.realpath(device / 'device/driver'))})", "/sys/class/accel"
    return None, "no engine here names one"


def nvidia_gpus() -> tuple[list[tuple], str]:
    """Rows of (name, bytes, bytes free, driver, source), and the source, which says why there are none."""
    try:
        import pynvml as nvml
    except ImportError:
        return [], "NVML: the package nvidia-ml-py is not installed"
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        return [], f"NVML: {error}"
    try:
        return [_nvidia_gpu(nvml, index) for index in range(nvml.nvmlDeviceGetCount())], "NVML"
    except nvml.NVMLError as error:  # "GPU is lost", "No permission"
        return [], f"NVML: {error}"
    finally:
        nvml.nvmlShutdown()


def _nvidia_gpu(nvml, index: int) -> tuple:
    device = nvml.nvmlDeviceGetHandleByIndex(index)
    try:
        memory = nvml.nvmlDeviceGetMemoryInfo(device)
        total, free = memory.total, memory.free
    except nvml.NVMLError:  # chips that share the host's memory do not count their own
        total = free = None
    return nvml.nvmlDeviceGetName(device), total, free, nvml.nvmlSystemGetDriverVersion(), f"NVML, device {index}"


def apple_gpus(ram_bytes: int) -> tuple[list[tuple], str]:
    """Rows as nvidia_gpus gives them. Apple's chips share the RAM."""
    return parse_displays(_command("system_profiler", "-json", "SPDisplaysDataType"), ram_bytes), "system_profiler"


def parse_displays(text: str, ram_bytes: int) -> list[tuple]:
    """The GPUs in what `system_profiler -json SPDisplaysDataType` prints."""
    try:
        found = json.loads(text)["SPDisplaysDataType"]
    except (ValueError, KeyError, TypeError):
        return []
    return [_apple_gpu(row, ram_bytes) for row in found]


def _apple_gpu(row: dict[str, str], ram_bytes: int) -> tuple:
    name = row.get("sppci_model") or row.get("_name", "GPU")
    own = re.match(r"(\d+) ([GM])B", row.get("spdisplays_vram") or row.get("spdisplays_vram_shared") or "")
    size = int(own[1]) * (2**30 if own[2] == "G" else 2**20) if own else ram_bytes if name.startswith("Apple") else None
    metal = row.get("spdisplays_mtlgpufamilysupport", "").removeprefix("spdisplays_")
    return name, size, None, metal or None, "system_profiler"


def _windows_cpu_name() -> str | None:
    import winreg

    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"HARDWARE\DESCRIPTION\System\CentralProcessor\0") as key:
            return winreg.QueryValueEx(key, "ProcessorNameString")[0].strip()
    except OSError:
        return None


def _named(names: dict[str, str], found: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ours for theirs, ours in names.items() if theirs in found))


def _command(*words: str) -> str:
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
