"""What is here, what fits, which lessons run, what listens: the report behind `labkit doctor`.

Explained in README.md, section "The command".
"""

from __future__ import annotations

import sys

# Ports on which local engines listen unless told otherwise.
KNOWN_PORTS = {11434: "Ollama", 8000: "vLLM", 8080: "llama.cpp", 1234: "LM Studio", 5273: "Foundry Local"}
ENGINE_NAMES = ("ollama", "vllm", "llama-server", "foundry", "mlx_lm")
LOOPBACK = ("127.", "::1", "::ffff:127.")  # the last: IPv4 through a socket of IPv6


def report() -> dict:
    """Return the whole report as a JSON-ready dict: labkit, machine, engines, models, lessons, listening, advice."""
    import labkit
    from labkit import backends, hardware

    machine, engines = hardware.machine(), backends.available()
    found = {
        "labkit": labkit.__version__,
        "python": sys.version.split()[0],
        "machine": machine.to_dict(),
        "engines": {name: vars(here) for name, here in engines.items()},
        "models": _models(machine),
        "lessons": _lessons(machine, engines),
        "listening": listening(),
    }
    return {**found, "advice": _advice(found)}


def text(found: dict, machine_rows: list[tuple[str, str, str]]) -> str:
    """Return the report as text for a terminal; `machine_rows` is `Machine.table()`."""
    return "\n".join(
        [
            f"labkit {found['labkit']} on Python {found['python']}",
            "",
            "Machine",
            *(f"  {label:20} {value}  [{source}]" for label, value, source in machine_rows),
            "",
            "Engines",
            *(_engine_line(name, here) for name, here in found["engines"].items()),
            "",
            "Models (does it fit, memory it needs, on this disk)",
            *(_model_line(one) for one in found["models"]),
            "",
            "Lessons",
            *(
                f"  {_mark(one['runs'])} {one['id']} {one['title']:36} {one['minutes']:>3} min  {one['reason']}".rstrip()
                for one in found["lessons"]
            ),
            "",
            "Listening engines",
            *([_listener_line(one) for one in found["listening"]] or ["  none"]),
            "",
            *(["What to do", *(f"  {line}" for line in found["advice"])] if found["advice"] else ["All is well."]),
        ]
    )


def listening() -> list[dict]:
    """Return the inference servers that listen on this machine: name, address, port, whether other machines can reach them."""
    import psutil

    try:
        sockets = psutil.net_connections("tcp")
    except psutil.AccessDenied:  # macOS shows other processes' sockets to the administrator only
        return []
    rows = {}
    for sock in sockets:
        if sock.status != psutil.CONN_LISTEN:
            continue
        name = _engine_name(sock)
        if name:
            open_to_network = not sock.laddr.ip.startswith(LOOPBACK)
            rows[sock.laddr.port, sock.laddr.ip] = {
                "engine": name,
                "address": sock.laddr.ip,
                "port": sock.laddr.port,
                "open_to_network": open_to_network,
            }
    return [rows[key] for key in sorted(rows)]


def _engine_name(sock) -> str | None:
    import psutil

    try:
        command = psutil.Process(sock.pid).cmdline() if sock.pid else []
    except psutil.Error:
        command = []
    line = " ".join(command)
    if "llamacpp_server.py" in line:
        return "labkit llamacpp"
    named = next((name for name in ENGINE_NAMES if any(name in part for part in command[:3])), None)
    return named or (f"{KNOWN_PORTS[sock.laddr.port]} (by its port)" if sock.laddr.port in KNOWN_PORTS else None)


def _models(machine) -> list[dict]:
    from labkit import catalog, weights

    rows = []
    for model in catalog.models():
        fit, here = weights.fits(model, machine), bool(weights.present(model))
        row = {"alias": model.alias, "fits": bool(fit), "here": here, "needed_bytes": fit.needed_bytes}
        rows.append({**row, "reason": fit.reason})
    return rows


def _lessons(machine, engines: dict) -> list[dict]:
    from labkit import course

    free, rows = machine.ram_free_bytes.value / 1e9, []
    for lesson in course.lessons():
        replayed, reasons = "", []
        if lesson.engines and not any(engines[name] for name in lesson.engines):
            replayed, reason = _instead(lesson, engines)
            reasons.append(reason)
        elif lesson.memory_gb > free:  # the engine takes most of it, and a recording next to none
            reasons.append(f"needs {lesson.memory_gb:g} GB of memory, {free:.1f} GB are free")
        row = {"id": lesson.id, "title": lesson.title, "minutes": lesson.minutes}
        runs = bool(replayed) or not reasons
        rows.append({**row, "runs": runs, "replayed": replayed, "reason": "; ".join(reasons)})
    return rows


def _instead(lesson, engines: dict) -> tuple[str, str]:
    """Return the label of the recording that a lesson runs on without its engines ("" if there is none), and what to know."""
    from labkit.backends import recording, replay
    from labkit.errors import CourseError

    why = f"needs {' or '.join(lesson.engines)}"
    for name in lesson.engines:
        file = replay.folder() / name / f"{lesson.id}.jsonl"
        if replay.required(name) or not file.is_file():
            continue
        try:
            label = str(recording.load(file).stamp)
        except CourseError as error:
            why += f"; {error.what}"
            continue
        return label, f"{label}; live: {engines[name].fix}"
    return "", why


def _advice(found: dict) -> list[str]:
    from labkit import catalog, weights

    lines = []
    if not any(here["ok"] for here in found["engines"].values()):
        lines.append(f"No engine is here. Try: {next(iter(found['engines'].values()))['fix']}")
    default = catalog.default_model()
    if not weights.present(default):
        lines.append(f"The model {default.alias} is not on this disk yet. Try: labkit pull {default.alias}")
    for one in found["listening"]:
        if one["open_to_network"]:
            lines.append(
                f"{one['engine']} on port {one['port']} can be reached from other machines: bind it to 127.0.0.1."
                + (" Try: OLLAMA_HOST=127.0.0.1 ollama serve" if "llama" in one["engine"].lower() else "")
            )
    return lines


def _model_line(one: dict) -> str:
    needs, here = f"{one['needed_bytes'] / 2**30:5.1f} GiB", "here" if one["here"] else "    "
    return f"  {_mark(one['fits'])} {one['alias']:20} {needs}  {here}  {'' if one['fits'] else one['reason']}".rstrip()


def _engine_line(name: str, here: dict) -> str:
    return f"  {_mark(here['ok'])} {name:14} {here['version'] or here['why'] + '  Try: ' + here['fix']}"


def _listener_line(one: dict) -> str:
    reach = "OPEN TO OTHER MACHINES" if one["open_to_network"] else "this machine only"
    return f"  {one['engine']:24} {one['address']}:{one['port']}  {reach}"


def _mark(ok: bool) -> str:
    return "yes" if ok else "no "
