"""A machine whose power can be cut: PostgreSQL alone in a QEMU guest, its data on a disk image.

What the guest's kernel holds in its memory and did not write through is gone with the process, as
with a machine's power. `scripts/guest.sh` brings what is needed.
"""

import asyncio
import shutil
import subprocess
import time
from pathlib import Path

import asyncpg

from polyclinic.foundation.postgres import EmbeddedPostgres, place

UNPACKED = Path(__file__).parents[2] / "build/guest"
TOOLS = ("qemu-system-x86_64", "busybox", "cpio", "mke2fs", "ldd")
# In an order in which each finds what it needs.
MODULES = (
    "virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci",
    "virtio_blk", "crc16", "mbcache", "jbd2", "crc32c_generic", "libcrc32c", "ext4",
    "failover", "net_failover", "virtio_net",
)  # fmt: skip
INIT = """\
#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mkdir -p /dev/shm; mount -t tmpfs shm /dev/shm; chmod 1777 /tmp /dev/shm
for each in /modules/*; do insmod $each; done
ip link set lo up; ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0; ip route add default via 10.0.2.2
mount -t ext4 /dev/vda /data && chown -R postgres /data/cluster || poweroff -f
exec su postgres -s /bin/sh -c "exec /pg/bin/postgres -D /data/cluster -c listen_addresses='*' \\
    -c unix_socket_directories=/tmp -c logging_collector=off"
"""


def missing() -> str | None:
    """What is not here, if anything."""
    for each in TOOLS:
        if shutil.which(each) is None:
            return f"no {each} here"
    return None if any(UNPACKED.glob("boot/vmlinuz-*")) else "no kernel for a guest here"


class Guest:
    """One machine; it comes back from what its disk holds."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.disk, self.memory = folder / "disk.img", folder / "initrd.gz"
        self.console = folder / "console.txt"
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None

    async def make(self) -> None:
        """A cluster as the platform makes it, on a disk of its own."""
        access = "host all all all scram-sha-256\n"
        server = EmbeddedPostgres(self.folder / "made", access=f"local all all trust\n{access}")
        await server.start()
        await server.stop()
        home = self.folder / "made" / "postgres"
        password = (home / "password").read_text()
        self.url = f"postgresql://polyclinic:{password}@127.0.0.1:{self.port}/postgres"
        on_disk = self.folder / "on-disk"
        on_disk.mkdir()
        (home / "cluster").rename(on_disk / "cluster")
        words = ["mke2fs", "-q", "-t", "ext4", "-d", str(on_disk), str(self.disk), "2G"]
        subprocess.run(words, check=True, capture_output=True)
        self._pack()

    def _pack(self) -> None:
        """What is in the guest's memory from the start: busybox, drivers, PostgreSQL's programs."""
        root, installed = self.folder / "root", place.prepare(self.folder / "made").binaries.parent
        for name in ("bin", "modules", "proc", "sys", "dev", "data", "tmp", "etc"):
            (root / name).mkdir(parents=True)
        shutil.copy(shutil.which("busybox") or "", root / "bin/busybox")
        for number, name in enumerate(MODULES):
            (driver,) = UNPACKED.rglob(f"{name}.ko")
            shutil.copy(driver, root / f"modules/{number:02}-{name}.ko")
        for name in ("bin", "lib", "share"):
            shutil.copytree(installed / name, root / "pg" / name)
        (root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\npostgres:x:100:100::/:/bin/sh\n")
        (root / "init").write_text(INIT)
        (root / "init").chmod(0o755)
        needed = subprocess.run(
            ["ldd", str(installed / "bin/postgres")], capture_output=True, text=True, check=True
        )
        for word in needed.stdout.split():
            if word.startswith("/"):
                (root / word[1:]).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(word, root / word[1:])
        pack = f"find . | cpio -o -H newc --quiet | gzip -1 > {self.memory}"
        subprocess.run(["sh", "-c", pack], cwd=root, check=True)

    def power_on(self) -> None:
        (kernel,) = UNPACKED.glob("boot/vmlinuz-*")
        words = f"""
            qemu-system-x86_64 -accel tcg -m 1024 -nodefaults -display none -no-reboot
            -serial file:{self.console} -kernel {kernel} -initrd {self.memory}
            -drive file={self.disk},format=raw,if=virtio,cache=writeback
            -netdev user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-:5432
            -device virtio-net-pci,netdev=net,romfile=
        """.split()
        self._process = subprocess.Popen([*words, "-append", "console=ttyS0 quiet panic=-1"])

    def cut(self) -> None:
        """No word of warning: what was not on the disk is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    async def answers(self, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while True:
            try:
                connection = await asyncpg.connect(self.url, timeout=5)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                assert time.monotonic() < end, self.console.read_text(errors="replace")[:3000]
                await asyncio.sleep(0.2)
            else:
                await connection.close()
                return
