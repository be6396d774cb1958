"""A SLURM cluster for tests, with the daemons of Debian's packages slurm-wlm and munge; all its nodes are this machine.

    python -m tests.support.slurm_cluster      # runs until Ctrl-C, to try the slurm profile manually

Needs root. It writes /etc/slurm/slurm.conf, where the jobs look for it, and does not start if that file exists.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

CONFIGURATION = Path("/etc/slurm/slurm.conf")
PROGRAMS = ["munged", "slurmctld", "slurmd", "sbatch", "srun"]
# The node as SLURM sees it: more cores than the machine may have, so that jobs overlap.
CORES, MEMORY_MIB = 8, 20000
FIRST_PORT = 16818  # of the daemons of the nodes

TEMPLATE = """\
ClusterName=tests
SlurmctldHost={host}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmctldPort=16817
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
SlurmdParameters=config_overrides
MinJobAge=86400
KillWait=5
ReturnToService=2
NodeName={nodes} NodeHostname={host} NodeAddr=127.0.0.1 Port={ports} CPUs={cores} CoresPerSocket={cores} RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str | None:
    """The reason why no cluster can be started here, or None."""
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    if absent:
        return f"not installed: {', '.join(absent)}"
    if os.getuid() != 0:
        return "only root can start the daemons"
    return f"{CONFIGURATION} belongs to another cluster" if CONFIGURATION.exists() else None


class Cluster:
    """The running cluster."""

    def do(self, *words: str) -> str:
        """Run a SLURM command; returns its stdout. CalledProcessError if it fails."""
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout

    def jobs(self) -> list[dict[str, str]]:
        """All jobs so far, oldest first, with the fields of `scontrol show job`: JobId, JobState, Comment, NumCPUs, …"""
        blocks = self.do("scontrol", "show", "job", "--oneliner").splitlines()
        jobs = [dict(word.split("=", 1) for word in block.split() if "=" in word) for block in blocks]
        return sorted((job for job in jobs if "JobId" in job), key=lambda job: int(job["JobId"]))

    def node(self, state: str) -> None:
        """Set the node's state: drain, resume, …"""
        self.do("scontrol", "update", "NodeName=ALL", f"State={state}", "Reason=test")

    def idle(self) -> bool:
        """Whether all nodes accept jobs."""
        return set(self.do("sinfo", "--noheader", "--format=%t").split()) <= {"idle", "mix", "alloc"}


@contextlib.contextmanager
def cluster(nodes: int = 1) -> Iterator[Cluster]:
    """Start a cluster of this number of nodes; it is stopped at the end of the context. RuntimeError if it does not start within 60 s."""
    host = socket.gethostname().split(".")[0]
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    daemons: list[subprocess.Popen[bytes]] = []

    def start(*words: object) -> None:
        daemons.append(subprocess.Popen([*map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    try:
        names = [f"node{number}" for number in range(1, nodes + 1)]
        for name in ("state", *(f"spool-{name}" for name in names)):
            (folder / name).mkdir()
        key = folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)
        folder.chmod(0o755)  # munge refuses a socket that others cannot reach
        CONFIGURATION.parent.mkdir(exist_ok=True)
        ports = f"[{FIRST_PORT}-{FIRST_PORT + nodes - 1}]" if nodes > 1 else FIRST_PORT
        CONFIGURATION.write_text(
            TEMPLATE.format(
                host=host, folder=folder, cores=CORES, memory=MEMORY_MIB, nodes=",".join(names), ports=ports
            )
        )
        files = {
            "socket": "munge.socket",
            "pid-file": "munged.pid",
            "log-file": "munged.log",
            "seed-file": "munged.seed",
        }
        options = [f"--{name}={folder / file}" for name, file in files.items()]
        start("munged", "--foreground", "--force", f"--key-file={key}", *options)
        start("slurmctld", "-D")
        for name in names:
            start("slurmd", "-D", "-N", name)
        running = Cluster()
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(subprocess.CalledProcessError):
                if running.idle():
                    break
            if time.monotonic() > deadline:
                logs = "\n".join(path.read_text("utf-8", "replace")[-2000:] for path in folder.glob("*.log"))
                raise RuntimeError(f"the cluster did not start within 60 s:\n{logs}")
            time.sleep(0.5)
        yield running
    finally:
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            subprocess.run(["scancel", "--me"], check=False, capture_output=True)
        for daemon in reversed(daemons):
            daemon.terminate()
        for daemon in daemons:
            try:
                daemon.wait(timeout=20)
            except subprocess.TimeoutExpired:
                daemon.kill()
        CONFIGURATION.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    with cluster() as started:
        print(started.do("sinfo"), "Ctrl-C stops it.", sep="")
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            pass
