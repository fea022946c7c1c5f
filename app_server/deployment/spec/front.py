"""The public address, the proxy, TLS, and who may connect."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from app_server.deployment.spec.base import Model, block
from app_server.deployment.spec.readers import LIST, Flag, choice, number, seconds, whole
from app_server.deployment.spec.words import (
    AbsolutePath,
    Email,
    HeaderName,
    HeaderValue,
    Host,
    Image,
    Line,
    Name,
    Network,
    Origin,
    Port,
    Principal,
    ProxyVersion,
    Url,
    UrlOrPath,
    UrlPath,
    Version,
    Word,
)


class Public(Model):
    """The address that people type."""

    short: ClassVar[str | None] = "hosts"

    hosts: Annotated[tuple[Host, ...], Field(min_length=1), LIST] = ("localhost",)
    """its names; redirects lead to the first one"""
    port: Port | None = None
    """the port in the address; default: 443 or 80 according to the scheme, or the instance's without a proxy"""
    scheme: Annotated[Literal["http", "https"], choice()] | None = None
    """default: https with TLS and http without; https if another proxy in front terminates TLS"""
    prefix: UrlPath = ""
    """the path below which everything is served"""


class ProxyHost(Model):
    """A machine that runs the proxy."""

    name: Name
    """its name in inventories; one of `instances.hosts` may run the proxy too"""
    address: Host
    """where other machines reach it"""
    ssh: Word | None = None
    """how Ansible reaches it, USER@HOST or HOST; default: its address"""


class Timeouts(Model):
    """The proxy's timeouts."""

    connect_s: Annotated[float, seconds(0.1, 75)] = 3
    """for connecting to an instance"""
    page_s: Annotated[float, seconds(1)] = 300
    """for an instance to build a page"""
    websocket_s: Annotated[float, seconds(1)] = 3600
    """for a silent WebSocket; the server's pings keep it open"""


class Proxy(Model):
    """The web server in front of the instances."""

    short: ClassVar[str | None] = "kind"

    kind: Annotated[Literal["nginx", "apache", "none"], choice()] = "nginx"
    """which server; none: browsers connect to the only instance directly"""
    version: ProxyVersion | None = None
    """the version that will read the files; `detect` asks this machine's; default: what all versions support"""
    http_port: Port | None = None
    """its port for http; default: 80, or the public port without TLS"""
    https_port: Port | None = None
    """its port for https; default: the public port, or 443"""
    address: Host | None = None
    """its address; default: all addresses, IPv6 included"""
    http2: Flag = True
    """enable HTTP/2 with TLS"""
    static: Flag = False
    """serve BokehJS from `paths.static`, a copy of the folder that `app-server info --static` prints"""
    timeouts: Timeouts = block(Timeouts)
    """its timeouts"""
    include: AbsolutePath | None = None
    """a file with your own directives for the site"""
    trusted_proxies: Annotated[tuple[Network, ...], LIST] = ()
    """proxies in front of this one, whose X-Forwarded-For is trusted"""
    catch_all: Flag = True
    """refuse requests for other host names, if no other site on the host does"""
    hosts: tuple[ProxyHost, ...] = ()
    """the machines that run it; default: the first of `instances.hosts`, or the only one"""


class Acme(Model):
    """A certificate from an ACME authority such as Let's Encrypt, with certbot's webroot method."""

    short: ClassVar[str | None] = "email"

    email: Email | None = None
    """the e-mail address for the authority"""
    directory: Url = "https://acme-v02.api.letsencrypt.org/directory"
    """the URL of the authority's directory"""
    webroot: AbsolutePath = "/var/www/acme"
    """the folder for challenges"""
    name: Name | None = None
    """certbot's name of the certificate; default: the deployment's"""
    image: Image = "certbot/certbot"
    """for compose: an image with certbot and openssl"""
    authority: AbsolutePath | None = None
    """for compose: the root certificate that the directory's own address is trusted by, if the authority is your own"""


class Tls(Model):
    """Encryption."""

    short: ClassVar[str | None] = "mode"

    mode: Annotated[Literal["off", "files", "acme", "development"], choice()] | None = None
    """where the certificate comes from; default: files if one is named, else off"""
    certificate: AbsolutePath | None = None
    """the certificate with its chain"""
    key: AbsolutePath | None = None
    """its private key"""
    acme: Acme = block(Acme)
    """for `mode: acme`"""
    profile: Annotated[Literal["intermediate", "modern"], choice()] = "intermediate"
    """the profile of Mozilla's guideline; modern is TLS 1.3 only"""
    openssl: Version | None = None
    """the version of OpenSSL that the proxy uses; without it, features of newer versions are left out"""
    hsts: Flag = True
    """tell browsers to use only https from now on (not with a development certificate)"""
    hsts_subdomains: Flag = False
    """for all subdomains too"""
    redirect: Flag = True
    """redirect http to https"""


class Embedding(Model):
    """Pages of other sites that show the applications."""

    short: ClassVar[str | None] = "origins"

    origins: Annotated[tuple[Origin, ...], LIST] = ()
    """the sites, such as https://www.example.org"""


class Headers(Model):
    """Security headers that the proxy sends to browsers."""

    enabled: Flag = True
    """send these headers at all"""
    frames: Annotated[Literal["same", "none", "any", "embedding"], choice()] = "embedding"
    """who may show the pages in frames; embedding: the site itself and the embedding origins"""
    referrer: Annotated[
        Literal["no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"], choice()
    ] = "same-origin"
    """what other sites learn about the page that a link was on"""
    extra: dict[HeaderName, HeaderValue] = Field(default_factory=dict)
    """further headers"""


class RateLimits(Model):
    """How much one address may request from the proxy."""

    pages_per_s: Annotated[float, number(0.01, 10000)] | None = None
    """new pages and scripts per second"""
    burst: Annotated[int, whole(0, 10000)] = 20
    """how many may arrive at once"""
    connections: Annotated[int, whole(1, 100000)] | None = None
    """connections at the same time, WebSockets included"""


class BasicAccess(Model):
    """User names and passwords, which the proxy asks for."""

    short: ClassVar[str | None] = "file"

    file: AbsolutePath
    """the file that htpasswd writes"""
    realm: Line = "Applications"
    """the text of the browser's dialog"""


class ExternalAccess(Model):
    """Another service that decides who may connect, such as oauth2-proxy."""

    short: ClassVar[str | None] = "url"

    url: Url
    """where the proxy asks: 2xx allows the request, 401 redirects to `sign_in`"""
    sign_in: UrlOrPath | None = None
    """where people log in, an address or a path of this site; the requested page is appended as ?rd="""
    pass_path: UrlPath | None = None
    """a path of the service that browsers must reach before they are logged in, such as /oauth2"""
    user_header: HeaderName = "X-Auth-Request-User"
    """the header of the answer that names the user"""
    groups_header: HeaderName | None = None
    """the header of the answer that names the user's groups, such as X-Auth-Request-Groups; rules for groups need it"""


class Access(Model):
    """Who may connect. By default, everyone may."""

    basic: BasicAccess | None = None
    """names and passwords"""
    external: ExternalAccess | None = None
    """another service decides"""
    allow: Annotated[tuple[Network, ...], LIST] = ()
    """only addresses in these networks may connect"""
    users: Annotated[tuple[Principal, ...], LIST] = ()
    """only these users may open applications without an `access` of their own; names, or patterns"""
    groups: Annotated[tuple[Principal, ...], LIST] = ()
    """users in these groups may open them, too"""
    contact: Line | None = None
    """whom to ask for access, for the page of a refusal: a name, an e-mail address or a URL"""


class Maintenance(Model):
    """A page that says "back soon", shown while a file exists: no reload is needed, and open sessions continue."""

    file: AbsolutePath | None = None
    """while this file exists, new pages get status 503; default: `maintenance` in `paths.etc`"""
    message: Line = "We are at work on this site. It will be back soon."
    """what the page says"""
    retry_after_s: Annotated[int, whole(1, 86400)] = 120
    """when browsers should try again"""
    allow: Annotated[tuple[Network, ...], LIST] = ()
    """who still sees the site"""
