# A bare Debian host: systemd, a login with sudo, and a Python for Ansible. What takes apt long is here
# already; everything else is brought by the roles. Timers that change files by themselves are off: tests compare them.
ARG SUITE=trixie
FROM debian:${SUITE}-slim
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends systemd systemd-sysv dbus openssh-server sudo python3 python3-venv python3-apt python3-packaging procps iproute2 \
 && systemctl mask systemd-modules-load.service getty.target console-getty.service systemd-logind.service \
 && systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer \
 && systemctl enable ssh.service \
 && useradd --create-home --shell /bin/bash admin && echo 'admin ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/admin \
 && install -d -m 0700 -o admin -g admin /home/admin/.ssh \
 && touch -d @0 /var/lib/apt/lists
STOPSIGNAL SIGRTMIN+3
# On a host, systemd shares the mounts of the root with its services by itself; in a container it leaves that to others,
# and without it no service finds its credentials.
CMD ["/bin/sh", "-c", "mount --make-rshared / && exec /sbin/init"]
