"""A SLURM cluster of one node on this machine, its daemons started by hand."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

CONFIG = """
ClusterName=xmodal-test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={munge}
CryptoType=crypto/munge
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/ctld
SlurmdSpoolDir={folder}/d
SlurmctldPidFile={folder}/ctld.pid
SlurmdPidFile={folder}/d.pid
SlurmctldLogFile={folder}/ctld.log
SlurmdLogFile={folder}/d.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobRequeue=1
KillWait=5
MinJobAge=600
ReturnToService=2
SchedulerParameters=batch_sched_delay=1,sched_interval=2
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=2000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
"""


def is_installed() -> bool:
    """Whether SLURM and munge are here, and this user may start them."""
    needed = ("sbatch", "squeue", "scancel", "slurmctld", "slurmd", "munged")
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return os.geteuid() == 0 and all(shutil.which(one, path=path) for one in needed)


@dataclass
class Cluster:
    """The daemons of a cluster, in a folder."""

    folder: Path
    daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """What commands of SLURM need to find it."""
        path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
        return {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": path}

    def start(self, cpus: int) -> None:
        """Start munge, the controller and a node, and wait until it is idle."""
        for name in ("ctld", "d"):
            (self.folder / name).mkdir()
        munge = self.folder / "munge"
        munge.mkdir(mode=0o755)
        key = munge / "key"
        key.write_bytes(os.urandom(256))
        key.chmod(0o600)
        text = CONFIG.format(
            host=socket.gethostname().split(".")[0],
            port=_free_port(),
            node_port=_free_port(),
            munge=munge / "socket",
            folder=self.folder,
            cpus=cpus,
        )
        (self.folder / "slurm.conf").write_text(text)
        self._spawn(
            "munged", "--foreground", "--force", f"--key-file={key}",
            f"--socket={munge / 'socket'}", f"--pid-file={munge / 'pid'}",
            f"--log-file={munge / 'log'}", f"--seed-file={munge / 'seed'}",
        )  # fmt: skip
        self._until(lambda: (munge / "socket").exists(), "munge")
        self._spawn("slurmctld", "-D")
        self._spawn("slurmd", "-D")
        self._until(lambda: "idle" in self.run("sinfo", "-h", "-o", "%T"), "an idle node")

    def run(self, *command: str) -> str:
        """Output of a command; empty if it fails."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False
        )
        return done.stdout

    def stop(self) -> None:
        """End everything, jobs first."""
        self.run("scancel", "--user=root")
        for daemon in reversed(self.daemons):
            daemon.terminate()
            try:
                daemon.wait(timeout=20)
            except subprocess.TimeoutExpired:
                daemon.kill()

    def _spawn(self, *command: str) -> None:
        with (self.folder / "daemons.log").open("ab") as log:
            daemon = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        self.daemons.append(daemon)

    def _until(self, holds: object, what: str, seconds: float = 60) -> None:
        assert callable(holds)
        until = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > until:
                log = (self.folder / "daemons.log").read_text()[-2000:]
                raise TimeoutError(f"no {what} after {seconds} s: {log}")
            time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
