"""TLS of deployments: Mozilla's guideline as data, its directives, certificates for development and from ACME, checks.

`guideline.py` holds the data, `policy.py` makes directives of it, `installed.py` asks this machine's programs for their
versions, `certificates.py` looks at certificates, `development.py` makes them.
"""

from app_server.tls.guideline import Guideline, Profile, guideline
from app_server.tls.installed import Installed, installed_apache, installed_nginx
from app_server.tls.policy import Library, Version, apache_directives, hsts, nginx_directives, parse_version, policy

__all__ = [
    "Guideline",
    "Installed",
    "Library",
    "Profile",
    "Version",
    "apache_directives",
    "guideline",
    "hsts",
    "installed_apache",
    "installed_nginx",
    "nginx_directives",
    "parse_version",
    "policy",
]
