"""What stands between this machine and a file on the network, as typed errors with one command to try.

    with client(url) as http, failures(url):
        ...

Proxies and certificates come from the usual variables (HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE), else from the system.

Taught in notebook 00, section "Where errors show".
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

import httpx2 as httpx  # what the openai client stands on too; it trusts the system's certificates

from labkit.disk import set_variable, unset_variable
from labkit.errors import CertificateError, DownloadError, OfflineError, ProxyError, WeightsError

__all__ = [
    "PASSING",
    "bare",
    "client",
    "failures",
    "headers_of",
    "offline_by_choice",
    "proxy_command",
    "refuse",
    "refuse_network",
    "unreachable",
    "untrusted",
]

TIMEOUT_S = httpx.Timeout(60.0, connect=15.0)
PASSING = frozenset({429, 500, 502, 503, 504})  # answers that may be better in a moment
SWITCHES = ("LABKIT_OFFLINE", "HF_HUB_OFFLINE")


def offline_by_choice() -> str | None:
    """Return the variable that forbids the network (LABKIT_OFFLINE or HF_HUB_OFFLINE), or None."""
    off = ("", "0", "no", "off", "false")
    return next((name for name in SWITCHES if os.environ.get(name, "").strip().lower() not in off), None)


def refuse_network(url: str, by_hand: str = "") -> None:
    """Raise OfflineError if the user has switched the network off."""
    if switch := offline_by_choice():
        why = f"{switch} is set, so labkit does not use the network"
        raise OfflineError(f"Not fetched: {bare(url)}", why, by_hand or f"{set_variable(switch, '0')}")


def client(url: str, by_hand: str = "") -> httpx.Client:
    """Return an HTTP client for `url`. Raises OfflineError, CertificateError or ProxyError if a setting rules it out."""
    refuse_network(url, by_hand)
    try:
        return httpx.Client(follow_redirects=True, timeout=TIMEOUT_S)
    except OSError as error:
        name = next((name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name)), "SSL_CERT_FILE")
        why = f"{name} is {os.environ.get(name, 'not set')} ({error})"
        raise CertificateError("The list of trusted certificates cannot be read", why, unset_variable(name)) from None
    except (ImportError, ValueError, httpx.InvalidURL) as error:  # a SOCKS proxy, or no address of a proxy at all
        what = f"The proxy {_hidden(_proxy_for(url) or '')} cannot be used"
        raise ProxyError(what, f"{error}", proxy_command()) from None


def headers_of(url: str, headers: dict[str, str] | None = None, by_hand: str = "") -> dict[str, str]:
    """Return the headers with which `url` answers HEAD, unredirected (names in lower case). Raises WeightsErrors."""
    with client(url, by_hand) as http, failures(url, by_hand):
        response = http.head(url, headers=headers, follow_redirects=False)
        refuse(response, by_hand)
        return dict(response.headers)


@contextmanager
def failures(url: str, by_hand: str = "") -> Iterator[None]:
    """Turn what httpx raises in the block into OfflineError, ProxyError, CertificateError or DownloadError."""
    try:
        yield
    except httpx.ProxyError as error:
        raise _proxy_error(url, f"{error}") from None
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise _no_connection(error, by_hand) from None
    except (httpx.UnsupportedProtocol, httpx.TooManyRedirects, httpx.InvalidURL) as error:
        raise DownloadError(f"No file behind {bare(url)}", _text(error), by_hand or "labkit doctor") from None
    except httpx.HTTPError as error:
        what = f"{urlsplit(url).hostname} broke the connection off"
        raise DownloadError(what, _text(error), by_hand or "labkit doctor") from None


def unreachable(host: str, why: str, by_hand: str = "") -> OfflineError:
    """Return the error for a host that nobody answers for."""
    hint = f"this machine is offline, or a firewall is in the way ({why})"
    return OfflineError(f"{host} cannot be reached", hint, by_hand or "labkit doctor")


def untrusted(host: str, why: str) -> CertificateError:
    """Return the error for a certificate that this machine does not trust."""
    hint = f"a company's proxy signs with its own certificate, or this machine's clock is wrong ({why})"
    fix = set_variable("SSL_CERT_FILE", "/path/to/the/company/certificates.pem")
    return CertificateError(f"The certificate of {host} is not trusted here", hint, fix)


def refuse(response: httpx.Response, by_hand: str = "") -> None:
    """Raise ProxyError or DownloadError for an answer that is an error, or a web page where a file should be."""
    code, url, fix = response.status_code, response.request.url, by_hand or "labkit doctor"
    if code == 407:
        raise _proxy_error(str(url), "407 Proxy Authentication Required")
    if code in (401, 403):
        why = "it wants a name and a password or a token (HF_TOKEN for the hub), or the model's terms accepted first"
        raise DownloadError(f"{url.host} will not hand the file over ({code})", why, fix)
    if code >= 400:
        why = {404: "the file was moved or removed", 429: "too many requests in a short time"}.get(
            code, "a fault there"
        )
        raise DownloadError(f"{url.host} answered {code} for {bare(str(url))}", why, fix)
    if response.request.method == "GET" and response.headers.get("content-type", "").startswith("text/html"):
        why = "a sign-in page of the network (hotel, campus, company) or an error page took the file's place"
        raise DownloadError(f"{url.host} sent a web page instead of the file", why, fix)


def bare(url: str) -> str:
    """Return the address without name, password and signature, fit for a message."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _no_connection(error: httpx.TransportError, by_hand: str) -> WeightsError:
    url, cause = error.request.url, _cause(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return untrusted(url.host, cause.verify_message)
    if proxy := _proxy_for(str(url)):
        return _proxy_error(str(url), f"no connection to {_hidden(proxy)}: {_text(error)}")
    if isinstance(cause, ssl.SSLError):
        what = f"No secure connection to {url.host}"
        return CertificateError(what, f"something in between does not speak TLS ({cause.reason})", "labkit doctor")
    return unreachable(url.host, _text(error), by_hand)


def _cause(error: BaseException) -> BaseException:
    """The TLS error that httpx wrapped, if there is one, else the error itself."""
    seen = error
    while seen is not None and not isinstance(seen, ssl.SSLError):
        seen = seen.__cause__ or seen.__context__
    return seen or error


def _proxy_error(url: str, why: str) -> ProxyError:
    what = f"The proxy {_hidden(_proxy_for(url) or '')} does not let labkit through".replace("  ", " ")
    return ProxyError(what, why, proxy_command())


def proxy_command() -> str:
    """Return the command that names a proxy with a password."""
    return set_variable("HTTPS_PROXY", "http://NAME:PASSWORD@PROXY:PORT")


def _proxy_for(url: str) -> str | None:
    parts, proxies = urlsplit(url), getproxies()
    if parts.hostname and proxy_bypass(parts.hostname):
        return None
    return proxies.get(parts.scheme) or proxies.get("all")


def _hidden(proxy: str) -> str:
    """A proxy's address without the password in it."""
    return proxy.rpartition("@")[2] or proxy


def _text(error: Exception) -> str:
    return f"{error}" or type(error).__name__
