#!/usr/bin/python
"""Folders, files and links of a host brought to a wanted state in one call."""

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
  - Takes the paths in their order and stops at the first that cannot be had.
  - A check run says what would change and touches nothing.
options:
  paths:
    description:
      - What shall be there or not. A O(paths[].state=directory) is made with those above it; a O(paths[].state=link)
        takes the place of another link or file in one step; O(paths[].state=file) has to be there already, unless
        O(paths[].content) says what is in it.
      - O(paths[].state=files) are the generated files of a release, O(paths[].files) as in the inventory, below the
        path; O(paths[].state=links) are links to them where they belong, and from where Debian has what is enabled.
    type: list
    elements: dict
    default: []
  private:
    description: Files that not everybody may read, where they are there; they are root's.
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
    description: What shall not be there; it is taken away after the rest was done.
    type: list
    elements: path
    default: []
"""

EXAMPLES = r"""
- name: Have a folder and a link in it
  app_server_tree:
    paths:
      - {path: /opt/site, state: directory}
      - {path: /opt/site/current, state: link, src: /opt/site/releases/1}
"""

RETURN = r"""
changed_paths:
  description: The paths that were not as they should be, in their order.
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

# What a2ensite and a2enconf link.
_AVAILABLE = re.compile("/(sites|conf)-available/")
NOTHING = dict.fromkeys(PATH)


class Tree:
    """The changes that were made, or in a check run would be."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self.changed: list[str] = []
        self.before: list[str] = []
        self.after: list[str] = []

    def bring(self, wanted: dict[str, Any]) -> None:
        """Have one path as it is wanted, or those that it stands for."""
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
        """Write down that a path changes; whether it shall be done."""
        if path not in self.changed:
            self.changed.append(path)
        return not self._module.check_mode

    def remove(self, path: str) -> None:
        """Take a path away, with all that is below it."""
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
            raise OSError(None, "is a folder, and a link belongs there", path)
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
            # What is not there yet has no mode, and its owner may not be there yet either.
            if path not in self.changed:
                raise OSError(None, "is not there", path)
            return
        arguments = self._module.load_file_common_arguments({**wanted, "path": path}, path=path)
        if self._module.set_fs_attributes_if_different(arguments, False):
            self._note(path)


def _of_file(wanted: dict[str, Any], file: dict[str, Any]) -> dict[str, Any]:
    """What is wanted of one generated file, or of the link to it."""
    place = f"{wanted['path']}/{file['src']}"
    if wanted["state"] == "links":
        return {**NOTHING, "path": file["dest"], "state": "link", "src": place}
    # What not everybody may read is for the service's group.
    group = "root" if file["mode"].endswith(("4", "5")) else wanted["group"]
    return {**NOTHING, "path": place, "state": "file", "owner": "root", "group": group, "mode": file["mode"]}


def _wish(wanted: dict[str, Any]) -> str:
    """What `_described` will say of a path in about the same words."""
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
    """Read the arguments, do it, and answer."""
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
