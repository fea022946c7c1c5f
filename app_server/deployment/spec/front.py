"""What browsers meet: the public address, the proxy, TLS, and who is let in."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from app_server.deployment.spec.base import Model
from app_server.deployment.spec.readers import LIST, Flag, choice, number, seconds, whole
from app_server.deployment.spec.words import (
    AbsolutePath,
    Email,
    HeaderName,
    HeaderValue,
    Host,
    Line,
    Name,
    Network,
    Origin,
    Port,
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
    """its names; the first is where redirects lead to"""
    port: Port | None = None
    """the port in the address; else 443 or 80 as the scheme has it, or the instance's without a proxy"""
    scheme: Annotated[Literal["http", "https"], choice()] | None = None
    """https with TLS and http without, unless another proxy in front takes care of TLS"""
    prefix: UrlPath = ""
    """the path below which everything is"""


class ProxyHost(Model):
    """A machine that runs the proxy."""

    name: Name
    """its name in inventories; one of `instances.hosts` may run the proxy too"""
    address: Host
    """where the others reach it"""
    ssh: Word | None = None
    """how Ansible reaches it, USER@HOST or HOST; else its address"""


class Timeouts(Model):
    """When the proxy gives up."""

    connect_s: Annotated[float, seconds(0.1, 75)] = 3
    """on an instance that takes no connection"""
    page_s: Annotated[float, seconds(1)] = 300
    """on an instance that builds a page"""
    websocket_s: Annotated[float, seconds(1)] = 3600
    """on a WebSocket that is silent; the server's pings keep it from being so"""


class Proxy(Model):
    """The web server in front of the instances."""

    short: ClassVar[str | None] = "kind"

    kind: Annotated[Literal["nginx", "apache", "none"], choice()] = "nginx"
    """which one; none: browsers reach the only instance directly"""
    version: ProxyVersion | None = None
    """the version that will read the files; `detect` asks the one on this machine, else what all versions read"""
    http_port: Port | None = None
    """where it listens for http; else 80, or the public port without TLS"""
    https_port: Port | None = None
    """where it listens for https; else the public port, or 443"""
    address: Host | None = None
    """where it listens; else on all addresses, IPv6 included"""
    http2: Flag = True
    """speak HTTP/2 with TLS"""
    static: Flag = False
    """serve BokehJS from `paths.static`, which holds a copy of what `app-server info --static` names"""
    timeouts: Timeouts = Field(default_factory=Timeouts)
    """when it gives up"""
    include: AbsolutePath | None = None
    """a file of your own directives for the site"""
    trusted_proxies: Annotated[tuple[Network, ...], LIST] = ()
    """proxies in front of this one, whose X-Forwarded-For is believed"""
    catch_all: Flag = True
    """refuse requests for names that are not ours, where no other site on the host does"""
    hosts: tuple[ProxyHost, ...] = ()
    """the machines that run it; else the first of `instances.hosts`, or the only one"""


class Acme(Model):
    """A certificate from an ACME authority such as Let's Encrypt, by certbot's webroot."""

    short: ClassVar[str | None] = "email"

    email: Email | None = None
    """where the authority writes to"""
    directory: Url = "https://acme-v02.api.letsencrypt.org/directory"
    """the authority's directory"""
    webroot: AbsolutePath = "/var/www/acme"
    """the folder for challenges"""
    name: Name | None = None
    """certbot's name of the certificate; else the deployment's"""


class Tls(Model):
    """Encryption."""

    short: ClassVar[str | None] = "mode"

    mode: Annotated[Literal["off", "files", "acme", "development"], choice()] | None = None
    """where the certificate comes from; files, where one is named, else off"""
    certificate: AbsolutePath | None = None
    """the certificate with the chain that leads to its authority"""
    key: AbsolutePath | None = None
    """its private key"""
    acme: Acme = Field(default_factory=Acme)
    """for `mode: acme`"""
    profile: Annotated[Literal["intermediate", "modern"], choice()] = "intermediate"
    """of Mozilla's guideline; modern is TLS 1.3 alone"""
    openssl: Version | None = None
    """the version of OpenSSL that the proxy uses; what newer ones alone can do is left out otherwise"""
    hsts: Flag = True
    """tell browsers to come by https alone from now on (not with a development certificate)"""
    hsts_subdomains: Flag = False
    """and to all subdomains too"""
    redirect: Flag = True
    """lead http to https"""


class Embedding(Model):
    """Pages of other sites that show the applications."""

    short: ClassVar[str | None] = "origins"

    origins: Annotated[tuple[Origin, ...], LIST] = ()
    """the sites, such as https://www.example.org"""


class Headers(Model):
    """What the proxy tells browsers about security."""

    enabled: Flag = True
    """send these headers at all"""
    frames: Annotated[Literal["same", "none", "any", "embedding"], choice()] = "embedding"
    """who may show the pages in frames; embedding: the site itself and the embedding origins"""
    referrer: Annotated[
        Literal["no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"], choice()
    ] = "same-origin"
    """what other sites learn of the page that a link was on"""
    extra: dict[HeaderName, HeaderValue] = Field(default_factory=dict)
    """further headers"""


class RateLimits(Model):
    """How much one address may ask of the proxy."""

    pages_per_s: Annotated[float, number(0.01, 10000)] | None = None
    """new pages and scripts per second"""
    burst: Annotated[int, whole(0, 10000)] = 20
    """how many may come at once"""
    connections: Annotated[int, whole(1, 100000)] | None = None
    """connections at one time, WebSockets included"""


class BasicAccess(Model):
    """Names and passwords, asked for by the proxy."""

    short: ClassVar[str | None] = "file"

    file: AbsolutePath
    """the file that htpasswd writes"""
    realm: Line = "Applications"
    """what the browser's dialogue says"""


class ExternalAccess(Model):
    """Another service that says who may come in, such as oauth2-proxy."""

    short: ClassVar[str | None] = "url"

    url: Url
    """where the proxy asks: 2xx lets in, 401 leads to `sign_in`"""
    sign_in: UrlOrPath | None = None
    """where people log in, an address or a path of this site; the page they wanted is appended as ?rd="""
    pass_path: UrlPath | None = None
    """a path of the service that browsers have to reach without being let in, such as /oauth2"""
    user_header: HeaderName = "X-Auth-Request-User"
    """the header of the answer that names the user"""


class Access(Model):
    """Who is let in. Without any of these, everybody is."""

    basic: BasicAccess | None = None
    """names and passwords"""
    external: ExternalAccess | None = None
    """another service decides"""
    allow: Annotated[tuple[Network, ...], LIST] = ()
    """only addresses of these networks"""


class Maintenance(Model):
    """A page that says "back soon", shown while a file exists: no reload, and open sessions go on."""

    file: AbsolutePath | None = None
    """while this file exists, new pages get status 503; else `maintenance` in `paths.etc`"""
    message: Line = "We are at work on this site. It will be back soon."
    """what the page says"""
    retry_after_s: Annotated[int, whole(1, 86400)] = 120
    """when browsers should come again"""
    allow: Annotated[tuple[Network, ...], LIST] = ()
    """who still sees the site"""
