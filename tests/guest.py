"""A machine with a kernel that has USB: Debian's own, in QEMU, on this machine's files, read only.

Nothing is installed in it: the root is this machine's, over 9p, with empty /tmp, /run and /var/tmp. It runs
one program of ours and switches itself off. Emulated, it boots in about 3 s and computes some ten times
slower. What it needs is fetched by `make guest`, without root, but for qemu-system-x86 itself.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
KEPT = ROOT / ".guest"  #: what `make guest` fetched
QEMU = "qemu-system-x86_64"
MODULES = ("virtio_pci", "9p", "9pnet_virtio", "vhci_hcd", "usblp", "hid_generic", "usbhid", "cdc_acm")
SHOWN = 4000  #: characters of the console of a guest that did not end
SAYS = "TILLWATCH "
"""What the guest's program has to say stands in JSON behind this, a line each."""

_INIT = """\
#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc; $b mount -t sysfs sys /sys; $b mount -t devtmpfs dev /dev
$b mkdir /dev/pts; $b mount -t devpts pts /dev/pts
for m in $($b cat /m/order); do $b insmod /m/$m; done
$b mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 host /newroot
for f in dev sys proc; do $b mount --move /$f /newroot/$f; done
for f in tmp run var/tmp; do $b mount -t tmpfs $f /newroot/$f; done
$b ifconfig lo 127.0.0.1 up
$b chroot /newroot /bin/sh -c '{command} </dev/null'
$b echo o > /newroot/proc/sysrq-trigger
$b sleep 60
"""


@dataclass(frozen=True, slots=True)
class Kernel:
    """One that can be booted. `modules` is its folder below lib/modules."""

    image: Path
    modules: Path
    busybox: Path


EMPTY_INSIDE = ("/tmp", "/run", "/var/tmp")  # noqa: S108 - as the guest's own have to be


def missing() -> str | None:
    """Why no guest can be booted here; None where one can."""
    if any(ROOT.is_relative_to(folder) for folder in EMPTY_INSIDE):
        return f"{ROOT} is not seen in the guest, which has a {' and a '.join(EMPTY_INSIDE)} of its own"
    if shutil.which(QEMU) is None:
        return f"{QEMU} is not installed: apt-get install qemu-system-x86"
    return None if find_kernel() else "no kernel for the guest: make guest"


def find_kernel() -> Kernel | None:
    """The newest that `make guest` left."""
    images = sorted((KEPT / "boot").glob("vmlinuz-*"))
    busybox = next((path for path in (KEPT / "bin/busybox", KEPT / "usr/bin/busybox") if path.exists()), None)
    if not images or busybox is None:
        return None
    version = images[-1].name.removeprefix("vmlinuz-")
    modules = next((found for found in KEPT.glob(f"**/lib/modules/{version}")), None)
    return Kernel(images[-1], modules, busybox) if modules else None


@dataclass(frozen=True, slots=True)
class Ran:
    """What a guest did: what its program said, and its console."""

    said: list[dict[str, Any]]
    console: str


def run(folder: Path, module: str, *arguments: str, within_s: float) -> Ran:
    """Boot, run `python -m module arguments...` in the repository's folder, switch off.

    `folder` keeps its console. Raises TimeoutError.
    """
    kernel = find_kernel()
    assert kernel is not None
    inside = shlex.join([sys.executable, "-u", "-m", module, *arguments])
    environment = (
        f"cd {shlex.quote(str(ROOT))}; export HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PATH={os.environ['PATH']}"
    )
    start = folder / "start.gz"
    start.write_bytes(gzip.compress(_archive(kernel, f"{environment}; {inside} 2>&1"), 1))
    heard = folder / "console"
    command = [
        QEMU, "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "1024", "-smp", "2",
        "-nographic", "-no-reboot", "-net", "none",
        "-kernel", str(kernel.image), "-initrd", str(start), "-append", "console=ttyS0 loglevel=1 panic=-1",
        "-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap",
    ]  # fmt: skip
    with heard.open("wb") as output:
        try:
            subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=within_s,
                check=True,
            )
        except subprocess.TimeoutExpired:
            end = heard.read_text(errors="replace")[-SHOWN:]
            raise TimeoutError(f"the guest did not end within {within_s} s; it said last:\n{end}") from None
    console = heard.read_text(errors="replace")
    lines = (line.partition(SAYS)[2] for line in console.splitlines() if SAYS in line)
    return Ran([json.loads(line) for line in lines], console)


def say(**what: Any) -> None:
    """In the guest: one thing for the test to hear."""
    print(SAYS + json.dumps(what), flush=True)  # noqa: T201 - the console is the way out of the guest


def _archive(kernel: Kernel, command: str) -> bytes:
    """The first file system: busybox, the modules in the order of their needs, and what to do."""
    files: dict[str, tuple[int, bytes]] = {"bin/busybox": (0o100755, kernel.busybox.read_bytes())}
    order = []
    for path in _with_needs(kernel.modules):
        order.append(path.name)
        files[f"m/{path.name}"] = (0o100644, path.read_bytes())
    files["m/order"] = (0o100644, "\n".join(order).encode())
    files["init"] = (0o100755, _INIT.replace("{command}", command.replace("'", "'\\''")).encode())
    folders = dict.fromkeys(("bin", "m", "proc", "sys", "dev", "newroot"), (0o040755, b""))
    entries = [_entry(name, mode, data) for name, (mode, data) in (folders | files).items()]
    return b"".join((*entries, _entry("TRAILER!!!", 0, b"")))


def _entry(name: str, mode: int, data: bytes) -> bytes:
    """One file in the `newc` format of cpio(5)."""
    path = name.encode() + b"\0"
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(head + path) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _with_needs(folder: Path) -> list[Path]:
    """The modules and what each needs, before it; a module names its needs itself."""
    paths = {path.name.removesuffix(".ko").replace("-", "_"): path for path in folder.rglob("*.ko")}
    found: dict[str, Path] = {}

    def add(name: str) -> None:
        path = paths.get(name)
        if path is None or name in found:
            return  # built in, or there already
        named = re.search(rb"\0depends=([^\0]*)\0", path.read_bytes())
        for need in named[1].decode().split(",") if named else ():
            add(need.replace("-", "_"))
        found[name] = path

    for name in MODULES:
        add(name)
    return list(found.values())
