"""The texts of --help, derived from the table of settings: what fits a screen, or everything."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from app_server.cli.deploying.bundle import USAGE as BUNDLE_USAGE
from app_server.cli.deploying.config import usage as config_usage
from app_server.cli.deploying.deploy import USAGE as DEPLOY_USAGE
from app_server.cli.deploying.doctor_flags import DOCTOR_USAGE
from app_server.cli.deploying.image import USAGE as IMAGE_USAGE
from app_server.cli.deploying.init import USAGE as INIT_USAGE
from app_server.cli.deploying.release import USAGE as RELEASE_USAGE
from app_server.cli.running.static import own_settings
from app_server.cli.terminal import Paint
from app_server.settings import GROUPS, Arity, Setting, all_settings

COMMANDS = {
    "serve": "serve applications, and keep them in sync with browsers",
    "status": "show a running server in the terminal",
    "drain": "have a running server end with the sessions that it has",
    "html": "write applications as pages that need no server",
    "json": "write applications' documents as JSON",
    "static": "serve BokehJS alone, as a CDN of your own",
    "tunnel": "reach a server through SSH: print the commands, or keep the tunnel open",
    "secret": "print a new key for BOKEH_SECRET_KEY",
    "passwd": "give a user of --basic-auth a password",
    "certificate": "make a certificate for development, or check one",
    "init": "write a first deploy.yaml for applications",
    "config": "write what nginx and others need to run a deployment",
    "deploy": "roll out a deployment, one instance after another",
    "image": "build an image of applications, for a container engine",
    "bundle": "write a deployment as one archive, for a machine without a network",
    "doctor": "look at a running deployment from outside, and say what is wrong",
    "release": "pack a deployment for hosts, or try one there",
    "info": "print versions and paths",
    "completion": "print a script that completes commands and flags in a shell",
}
_OUTPUT = (
    "  -o, --output FILE   the file to write, once for each application; - for stdout\n"
    "                      (the application's name, in the current folder)\n"
    "  --force             overwrite a file that this command has not written\n"
    "  --args ARG ...      hand what follows to the applications' sys.argv"
)
USAGES = {
    "html": "app-server html FILE_OR_DIR ... [flags]\n\n"
    "  --resources FROM    where BokehJS comes from: inline, cdn, server (inline)\n"
    "  --server-url URL    with --resources server: where static/ is (http://localhost:5006/)\n" + _OUTPUT,
    "json": "app-server json FILE_OR_DIR ... [flags]\n\n"
    "  --indent N          put each value on a line of its own, N spaces for a level\n" + _OUTPUT,
    "static": "app-server static [flags]",
    "drain": "app-server drain [PID] [--port N] [--wait]\n\n"
    "  --port N   the server that listens on this port\n"
    "  --wait     tell what is left until the server has ended\n\n"
    "  Sessions go on for as long as the server's --drain says.",
    "status": "app-server status [PID|URL] [--once] [--json]\n\n"
    "  --once   print it once; at a terminal it is shown until Ctrl-C\n"
    "  --json   print all figures as JSON, once\n\n"
    "  Without a PID: the only server of this user. A URL is that of a server with --metrics.",
    "tunnel": "app-server tunnel USER@HOST [flags]\n"
    "       app-server tunnel -f deploy.yaml [NAME] [--run | --show WHAT]\n\n"
    "  --run               open the tunnel, and again whenever it breaks, until Ctrl-C\n"
    "  --show WHAT         what to print: commands, config, unit, gateway (commands)\n"
    "  --reverse           HOST is a gateway, which is to offer the server of this host\n"
    "  --port N            the server's port (5006)\n"
    "  --listen N          the port of localhost that leads to it, here or on the gateway (that of --port)\n"
    "  --via USER@HOST     a jump host on the way; give it again for further ones\n"
    "  --identity FILE     the private key (what ssh finds)\n"
    "  --known-hosts FILE  the keys of hosts that are believed (what ssh finds)\n"
    "  --alive-interval SECONDS, --alive-count N\n"
    "                      a connection that leaves N probes in a row unanswered, one in SECONDS, is dead (15, 3)\n"
    "  -f, --file FILE     the deployment that has the tunnel NAME\n"
    "  -e, --environment NAME\n"
    "                      one of its environments",
    "secret": "app-server secret",
    "passwd": "app-server passwd FILE USER [--delete]\n\n"
    "  --delete   take the user out of the file\n\n"
    "  The password is asked for twice at a terminal, and read from stdin elsewhere.",
    "certificate": "app-server certificate [NAME ...] [--folder DIR]\n"
    "       app-server certificate NAME ... --check FILE [--key FILE] [flags]\n\n"
    "  --folder DIR     where the development authority and its certificates are kept\n"
    "                   (~/.local/state/app-server/certificates)\n"
    "  --check FILE     say what is wrong with this certificate for these names\n"
    "  --key FILE       and with its key\n"
    "  --roots FILE     the authorities that browsers trust (those of this machine)\n"
    "  --profile NAME   of Mozilla's guideline: intermediate or modern (intermediate)",
    "init": INIT_USAGE,
    "config": config_usage(),
    "deploy": DEPLOY_USAGE,
    "release": RELEASE_USAGE,
    "image": IMAGE_USAGE,
    "bundle": BUNDLE_USAGE,
    "doctor": DOCTOR_USAGE,
    "info": "app-server info [--static]\n\n  --static   print the path of BokehJS alone",
    "completion": "app-server completion bash|zsh|fish|tcsh\n\n"
    '  eval "$(app-server completion bash)"              for this shell\n'
    "  app-server completion fish >~/.config/fish/completions/app-server.fish",
}
INDENT = 2
# Where the help of a flag begins; a longer flag has its help on the next line.
FLAG_COLUMNS = 29


def overview(paint: Paint) -> str:
    """What `app-server --help` prints."""
    lines = [
        f"{paint('heading', 'usage:')} app-server COMMAND ...",
        "",
        "Serves Bokeh applications: what Python changes is seen in the browser, and the other way round.",
        "",
        paint("heading", "commands"),
        *(f"  {paint('word', f'{name:<12}')}{about}" for name, about in COMMANDS.items()),
        "",
        paint("heading", "options"),
        f"  {paint('word', '-h, --help')}     show this; after a command, show help on it",
        f"  {paint('word', '-V, --version')}  print the version",
    ]
    return "\n".join(lines)


def short_help(command: str, paint: Paint, width: int = 80) -> str:
    """What `--help` prints for a command other than `serve`."""
    about = COMMANDS[command]
    settings = own_settings() if command == "static" else ()
    flags = [line for setting in settings for line in _entry(setting, width, paint, every=True)]
    listed = "\n\n" + "\n".join(flags) if flags else ""
    return f"{paint('heading', 'usage:')} {USAGES[command]}{listed}\n\n{about[0].upper()}{about[1:]}."


def serve_help(width: int, paint: Paint, *, every: bool) -> str:
    """What `serve --help` prints: the common settings, or every one."""
    lines = [f"{paint('heading', 'usage:')} app-server serve FILE_OR_DIR ... [flags]"]
    for group in GROUPS:
        shown = [setting for setting in all_settings() if setting.group == group and (every or setting.common)]
        if shown:
            lines += ["", paint("heading", group)]
            for setting in shown:
                lines += _entry(setting, width, paint, every=every)
    more = "docs/settings.md says more." if every else "--help-all lists every flag, with its environment variables."
    return "\n".join([*lines, "", more])


def _entry(setting: Setting, width: int, paint: Paint, *, every: bool) -> Iterator[str]:
    """The lines about one setting; settings that share a flag are told once."""
    if setting.flag is None:
        spelled = " ".join(setting.environment)
    elif setting.flag == "--dev" and setting.arity is not Arity.SWITCH:
        return
    else:
        several = " ..." if setting.arity in (Arity.SOME, Arity.REST) else ""
        spelled = f"{setting.flag} {setting.metavar}{several}".rstrip()
    text = setting.help + _value(setting)
    if every and setting.flag is not None and setting.environment:
        text += f" [{', '.join(setting.environment)}]"
    wrapped = textwrap.wrap(text, max(width - FLAG_COLUMNS - 1, 20), break_on_hyphens=False)
    head = " " * INDENT + spelled
    if len(head) + 2 > FLAG_COLUMNS:
        yield paint("word", head)
    else:
        yield paint("word", head) + " " * (FLAG_COLUMNS - len(head)) + wrapped.pop(0)
    for line in wrapped:
        yield " " * FLAG_COLUMNS + line


def _value(setting: Setting) -> str:
    """The choices and the default as they stand behind the help, where they say something."""
    if setting.choices:
        return f": {', '.join(setting.choices)} ({setting.default})"
    if setting.arity is not Arity.ONE or setting.default in (None, ""):
        return ""
    shown = f"{setting.default:g}" if isinstance(setting.default, float) else setting.default
    return f" ({shown})"
