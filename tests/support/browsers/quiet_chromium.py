"""Starts a Chromium that does not hear of the machine's networks: `quiet_chromium.py COMMAND [ARGUMENT ...]`.

Chromium fails the requests under way (ERR_NETWORK_CHANGED) whenever an address of the machine comes or goes, and an
engine that starts containers beside the tests adds and removes many. It learns of them from a netlink socket; where it
can have none, it takes the machine to be online for ever (AddressTrackerLinux::AbortAndForceOnline in its sources).
No switch turns that off, so the kernel refuses that one kind of socket, by a filter that all its processes inherit.

It needs nothing but the standard library, for it is run on its own.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import socket
import struct
import sys

# By machine: AUDIT_ARCH_* (linux/audit.h), and the numbers of the system calls socket and seccomp.
_NUMBERS = {"x86_64": (0xC000003E, 41, 317), "aarch64": (0xC00000B7, 198, 277)}
_PR_SET_NO_NEW_PRIVS = 38  # without it only root may set a filter
_SECCOMP_SET_MODE_FILTER = 1
_SECCOMP_FILTER_FLAG_SPEC_ALLOW = 4  # or older kernels slow down whatever has a filter
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K (linux/bpf_common.h)
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EAFNOSUPPORT
_NUMBER, _ARCHITECTURE, _FIRST, _THIRD = 0, 4, 16, 32  # places in struct seccomp_data (linux/seccomp.h), in bytes
_NETLINK_ROUTE = 0

# What a new window draws for itself, in a process of its own, though no one sees it; and the process for the page after
# next. Together they are a third of what a page costs.
NEEDLESS = ("WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "SpareRendererForSitePerProcess")


def main(words: list[str]) -> None:
    """Become the command, without sockets for NETLINK_ROUTE and without what is needless."""
    refuse_netlink()
    os.execvp(words[0], without_features(words))


def without_features(words: list[str]) -> list[str]:
    """The same command, its one list of features to leave out longer: Chromium follows the last list only."""
    flag = "--disable-features="
    lists = [word.removeprefix(flag) for word in words if word.startswith(flag)]
    rest = [word for word in words if not word.startswith(flag)]
    return [*rest, flag + ",".join([*lists, *NEEDLESS])]


def refuse_netlink() -> None:
    """Have the kernel answer EAFNOSUPPORT to this process, and all it becomes, when it asks for such a socket.

    Raises OSError where the kernel will not. On machines whose system calls are not known here nothing is done.
    """
    if (numbers := _NUMBERS.get(platform.machine())) is None:
        return
    architecture, socket_call, seccomp_call = numbers
    checks = (
        (_ARCHITECTURE, architecture),
        (_NUMBER, socket_call),
        (_FIRST, socket.AF_NETLINK),
        (_THIRD, _NETLINK_ROUTE),
    )
    steps = []
    for index, (place, value) in enumerate(checks):
        to_the_end = 2 * (len(checks) - index) - 1
        steps += [(_LOAD, 0, 0, place), (_JUMP_IF_EQUAL, 0, to_the_end, value)]
    steps += [(_RETURN, 0, 0, _REFUSE), (_RETURN, 0, 0, _ALLOW)]
    code = b"".join(struct.pack("HBBI", *step) for step in steps)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    zero, one = ctypes.c_ulong(0), ctypes.c_ulong(1)
    _done(libc.prctl(_PR_SET_NO_NEW_PRIVS, one, zero, zero, zero))
    flags = (ctypes.c_long(_SECCOMP_SET_MODE_FILTER), ctypes.c_ulong(_SECCOMP_FILTER_FLAG_SPEC_ALLOW))
    _done(libc.syscall(ctypes.c_long(seccomp_call), *flags, program))


def _done(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), "the kernel does not take the filter for Chromium")


if __name__ == "__main__":
    main(sys.argv[1:])
