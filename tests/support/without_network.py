"""Run a command in a network namespace that has only loopback.

unshare --net python tests/support/without_network.py COMMAND …
"""

import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1
OUTSIDE = ("192.0.2.1", 80)  # reserved for documentation (RFC 5737); routable in any namespace with a network


def prefix() -> list[str]:
    """Arguments to put before a command that remove its network; empty where namespaces are not allowed."""
    if shutil.which("unshare") is None:
        return []
    words = ["unshare", "--net", *([] if os.getuid() == 0 else ["--map-root-user"])]
    return [*words, sys.executable, __file__] if _works(words) else []


def _works(words: list[str]) -> bool:
    return subprocess.run([*words, "true"], capture_output=True).returncode == 0


def loopback_up() -> None:
    """Set the loopback interface up: in a new namespace it is down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        flags = struct.unpack("16xh", fcntl.ioctl(control, SIOCGIFFLAGS, struct.pack("16sh", b"lo", 0)))[0]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh", b"lo", flags | IFF_UP))


def reaches_outside() -> bool:
    """Whether an outside address has a route; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(OUTSIDE)
        except OSError:
            return False
    return True


if __name__ == "__main__":
    loopback_up()
    if reaches_outside():
        sys.exit("An outside address has a route. Start this script with `unshare --net`.")
    os.execvp(sys.argv[1], sys.argv[1:])
