"""What an engine takes of this machine: its processes (psutil), the memory of machine or container, and the GPU (NVML).

    look = MachineMetrics(endpoint)
    look.read()["process_memory_gb"]       # names of data/metrics.toml [machine]; None is unknown

Shares of a processor are those since the look before, so the first one has none. Where there is no GPU, its names are missing
altogether: nothing to watch is another thing than nothing heard.

Taught in notebook 11, section "Little memory".
"""

from __future__ import annotations

from urllib.parse import urlsplit

from labkit import hardware
from labkit.backends.base import Endpoint

__all__ = ["MachineMetrics"]

GB = 1e9


class MachineMetrics:
    """Keeps what is dear to find: which processes are the engine's, and the way to the GPU.

    Taught in notebook 11, section "Little memory".
    """

    def __init__(self, endpoint: Endpoint):
        import psutil

        self.endpoint, self.gpus = endpoint, _Gpus()
        self._processes: dict[int, psutil.Process] = {}
        psutil.cpu_percent()  # the first share is since now

    def read(self) -> dict[str, float | None]:
        """Return the figures of now."""
        import psutil

        return {
            **self._engine(),
            "memory_usage_percent": _memory_percent(),
            "cpu_usage_percent": psutil.cpu_percent(),
            **self.gpus.read(),
        }

    def close(self) -> None:
        """Let go of the GPU's driver. Twice is fine."""
        self.gpus.close()

    def _engine(self) -> dict[str, float | None]:
        import psutil

        self._find()
        memory, cpu, count = 0, 0.0, 0
        for pid, process in list(self._processes.items()):
            try:
                memory += process.memory_info().rss
                cpu += process.cpu_percent()
                count += 1
            except psutil.Error:
                del self._processes[pid]
        if not count:  # gone, or not to be seen: no figure, and not zero bytes
            return dict.fromkeys(("process_memory_gb", "process_cpu_percent", "process_count"))
        return {"process_memory_gb": memory / GB, "process_cpu_percent": cpu, "process_count": float(count)}

    def _find(self) -> None:
        owned = self.endpoint.process
        if owned is not None:
            found = owned.family() if owned.alive else []
        elif self._processes:
            return  # asking every process for its port takes long: once will do, until it is gone
        else:
            found = _listening_at(urlsplit(self.endpoint.base_url).port)
        known = self._processes
        self._processes = {one.pid: known.get(one.pid, one) for one in found}  # the old object knows its last share


class _Gpus:
    """NVML, opened once. Without it, or without a GPU, `read()` is empty."""

    def __init__(self):
        self._nvml, self._devices = None, []
        try:
            import pynvml
        except ImportError:
            return
        try:
            pynvml.nvmlInit()
            self._devices = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
            self._nvml = pynvml
        except pynvml.NVMLError:
            self._devices = []

    def read(self) -> dict[str, float | None]:
        if not self._devices:
            return {}
        nvml = self._nvml
        try:
            busy = [nvml.nvmlDeviceGetUtilizationRates(one).gpu for one in self._devices]
            used = [nvml.nvmlDeviceGetMemoryInfo(one).used / GB for one in self._devices]
        except nvml.NVMLError:  # "GPU is lost": it was there, so this is unknown and will be heard of
            return {"gpu_utilization_percent": None, "gpu_memory_gb": None}
        return {"gpu_utilization_percent": float(max(busy)), "gpu_memory_gb": max(used)}

    def close(self) -> None:
        if self._nvml:
            self._nvml.nvmlShutdown()
            self._nvml, self._devices = None, []


def _memory_percent() -> float | None:
    facts = {name: fact.value for name, fact in hardware.memory().items()}
    most, free = facts["ram_limit_bytes"] or facts["ram_total_bytes"], facts["ram_free_bytes"]
    return 100 * (most - min(free, most)) / most if most and free is not None else None


def _listening_at(port: int | None) -> list:
    import psutil

    for process in psutil.process_iter():
        try:
            if any(
                one.laddr.port == port and one.status == psutil.CONN_LISTEN for one in process.net_connections("tcp")
            ):
                return [process, *process.children(recursive=True)]
        except psutil.Error:
            continue
    return []
