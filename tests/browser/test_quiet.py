"""Our Chromium hears nothing of the machine's networks, which come and go where containers are started beside it."""

from __future__ import annotations

import subprocess
import sys

from tests.support.browsers import quiet_chromium

ASK = """
import socket, sys
socket.socket(socket.AF_INET)
socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15)  # what udev tells of devices
try:
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    print("heard")
except OSError as refusal:
    print(refusal.errno == __import__("errno").EAFNOSUPPORT)
print(sys.argv[1:])
"""


def test_what_is_started_gets_no_socket_for_news_of_networks_and_every_other() -> None:
    command = [sys.executable, "-IS", quiet_chromium.__file__, sys.executable, "-c", ASK]
    words = ["--disable-features=one,two", "--headless"]
    said = subprocess.run([*command, *words], capture_output=True, text=True, timeout=60, check=True).stdout
    features = ",".join(("one", "two", *quiet_chromium.NEEDLESS))
    assert said.splitlines() == ["True", str(["--headless", f"--disable-features={features}"])]
