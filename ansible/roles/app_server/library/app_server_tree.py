#!/usr/bin/python
"""Brings folders, files and links of a host to a wanted state in one call."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: app_server_tree
short_description: Brings many paths of a host to a wanted state
description:
  - Handles the paths in order and stops at the first one that fails.
  - A check run reports what would change and changes nothing.
options:
  paths:
    description:
      - A O(paths[].state=directory) is created with its parents. A O(paths[].state=link) replaces another link or file
        in one step. A O(paths[].state=file) must exist already, unless O(paths[].content) gives its content.
      - O(paths[].state=files) are the generated files of a release below the path, described by O(paths[].files) as in
        the inventory. O(paths[].state=links) are the links to them, at their destinations, and the links by which
        Debian enables sites.
    type: list
    elements: dict
    default: []
  private:
    description: Files that only some may read and that root owns, if they exist.
    type: list
    elements: path
    default: []
  private_group:
    description: Their group.
    type: str
    default: root
  private_mode:
    description: Their mode.
    type: str
    default: "0600"
  absent:
    description: Paths to remove after everything else is done.
    type: list
    elements: path
    default: []
"""

EXAMPLES = r"""
- name: Create a folder and a link in it
  app_server_tree:
    paths:
      - {path: /opt/site, state: directory}
      - {path: /opt/site/current, state: link, src: /opt/site/releases/1}
"""

RETURN = r"""
changed_paths:
  description: The paths that were changed, in order.
  returned: always
  type: list
  elements: str
"""

PATH = {
    "path": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["directory", "file", "files", "link", "links"], "required": True},
    "src": {"type": "str"},
    "content": {"type": "str"},
    "files": {"type": "list", "elements": "dict"},
    "mode": {"type": "str"},
    "owner": {"type": "str"},
    "group": {"type": "str"},
}

# The folders that a2ensite and a2enconf link from.
_AVAILABLE = re.compile("/(sites|conf)-available/")
NOTHING = dict.fromkeys(PATH)


class Tree:
    """The changes that were made, or would be in a check run."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self.changed: list[str] = []
        self.before: list[str] = []
        self.after: list[str] = []

    def bring(self, wanted: dict[str, Any]) -> None:
        """Bring one path to the wanted state, or every path that it describes."""
        if wanted["state"] in ("files", "links"):
            for file in wanted["files"]:
                self.bring(_of_file(wanted, file))
                enabled = _AVAILABLE.sub(r"/\1-enabled/", file["dest"])
                if wanted["state"] == "links" and enabled != file["dest"]:
                    self.bring({**NOTHING, "path": enabled, "state": "link", "src": file["dest"]})
            return
        path = wanted["path"]
        was = _described(path)
        known = len(self.changed)
        if wanted["state"] == "link":
            self._make(os.path.dirname(path))
            self._link(path, wanted["src"])
        else:
            if wanted["state"] == "directory":
                self._make(path)
            elif wanted["content"] is not None:
                self._write(path, wanted["content"])
            self._have_attributes(wanted)
        if path in self.changed[known:]:
            self.before.append(f"{path}: {was}")
            self.after.append(f"{path}: {_wish(wanted) if self._module.check_mode else _described(path)}")

    def _note(self, path: str) -> bool:
        """Record that a path changes; return whether to change it."""
        if path not in self.changed:
            self.changed.append(path)
        return not self._module.check_mode

    def remove(self, path: str) -> None:
        """Remove a path and all below it."""
        if os.path.lexists(path):
            self.before.append(f"{path}: {_described(path)}")
            self.after.append(f"{path}: absent")
        if os.path.lexists(path) and self._note(path):
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)

    def _link(self, path: str, source: str) -> None:
        if os.path.islink(path) and os.readlink(path) == source:
            return
        if os.path.isdir(path) and not os.path.islink(path):
            raise OSError(None, "is a folder, but must be a link", path)
        if self._note(path):
            draft = f"{path}.{os.getpid()}.new"
            os.symlink(source, draft)
            os.replace(draft, path)

    def _make(self, path: str) -> None:
        if not os.path.isdir(path) and self._note(path):
            os.makedirs(path, 0o755, exist_ok=True)

    def _write(self, path: str, content: str) -> None:
        try:
            with open(path, encoding="utf-8") as there:
                same = there.read() == content
        except OSError:
            same = False
        if not same and self._note(path):
            with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=os.path.dirname(path), delete=False) as draft:
                draft.write(content)
            os.chmod(draft.name, 0o600)
            os.replace(draft.name, path)

    def _have_attributes(self, wanted: dict[str, Any]) -> None:
        path = wanted["path"]
        if self._module.check_mode and not os.path.exists(path):
            # A missing path has no mode, and its owner may be missing too.
            if path not in self.changed:
                raise OSError(None, "does not exist", path)
            return
        arguments = self._module.load_file_common_arguments({**wanted, "path": path}, path=path)
        if self._module.set_fs_attributes_if_different(arguments, False):
            self._note(path)


def _of_file(wanted: dict[str, Any], file: dict[str, Any]) -> dict[str, Any]:
    """The wanted state of one generated file, or of the link to it."""
    place = f"{wanted['path']}/{file['src']}"
    if wanted["state"] == "links":
        return {**NOTHING, "path": file["dest"], "state": "link", "src": place}
    # Files that only some may read belong to the service's group.
    group = "root" if file["mode"].endswith(("4", "5")) else wanted["group"]
    return {**NOTHING, "path": place, "state": "file", "owner": "root", "group": group, "mode": file["mode"]}


def _wish(wanted: dict[str, Any]) -> str:
    """What `_described` will say of a path, in about the same words."""
    if wanted["state"] == "link":
        return f"link to {wanted['src']}"
    return " ".join(word for word in (wanted["state"], wanted["mode"]) if word)


def _described(path: str) -> str:
    try:
        about = os.lstat(path)
    except OSError:
        return "absent"
    if stat.S_ISLNK(about.st_mode):
        return f"link to {os.readlink(path)}"
    kind = "directory" if stat.S_ISDIR(about.st_mode) else "file"
    return f"{kind} {stat.S_IMODE(about.st_mode):04o} {about.st_uid}:{about.st_gid}"


def main() -> None:
    """Read the arguments, make the changes, and answer."""
    module = AnsibleModule(
        argument_spec={
            "paths": {"type": "list", "elements": "dict", "options": PATH, "default": []},
            "private": {"type": "list", "elements": "path", "default": []},
            "private_group": {"type": "str", "default": "root"},
            "private_mode": {"type": "str", "default": "0600"},
            "absent": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    tree = Tree(module)
    try:
        for wanted in module.params["paths"]:
            tree.bring(wanted)
        for path in filter(os.path.exists, module.params["private"]):
            rights = {"group": module.params["private_group"], "mode": module.params["private_mode"]}
            tree.bring({**NOTHING, "path": path, "state": "file", "owner": "root", **rights})
        for path in module.params["absent"]:
            tree.remove(path)
    except OSError as error:
        where = error.filename2 or error.filename or ""
        module.fail_json(msg=f"{where}: {error.strerror or error}", changed_paths=tree.changed)
    difference = {"before": "\n".join([*tree.before, ""]), "after": "\n".join([*tree.after, ""])}
    module.exit_json(changed=bool(tree.changed), changed_paths=tree.changed, diff=difference)


if __name__ == "__main__":
    main()
