"""The way to a server: address, TLS, token."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

import grpc

from .errors import SpinefxError

DEFAULT_PORT = 50051
_ADDRESS = re.compile(
    r"^(?:(?P<scheme>https?)://)?(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>\d{1,5}))?/?$"
)
# Pings find a dead network within half a minute, where TCP alone would take many.
_KEEPALIVE = [
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
]
# The server's chunks are 1 MiB; its limit for messages is 4 MiB.
_LIMITS = [("grpc.max_receive_message_length", 16 << 20), ("grpc.enable_retries", 0)]


@dataclass(frozen=True)
class Tls:
    """Certificates, as PEM files. Without ``ca`` the system's authorities decide whom to believe."""

    ca: Optional[str] = None
    """The authority (or the server's own certificate) to believe."""
    certificate: Optional[str] = None
    """This client's certificate, where the server wants one."""
    key: Optional[str] = None
    """Its private key."""


@dataclass(frozen=True)
class Address:
    """A parsed address."""

    host: str
    port: int
    secure: bool

    @classmethod
    def parse(cls, text: str) -> Address:
        """``host``, ``host:port``, ``http://host:port`` or, with TLS, ``https://host:port``."""
        match = _ADDRESS.match(text.strip())
        port = int(match["port"] or DEFAULT_PORT) if match else 0
        if not match or not 0 < port < 65536:
            raise SpinefxError("ADDRESS", {"address": text.strip()})
        return cls(match["host"], port, match["scheme"] == "https")

    @property
    def target(self) -> str:
        """host:port."""
        return f"{self.host}:{self.port}"

    @property
    def local(self) -> bool:
        """Whether nothing leaves this computer."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"{'https' if self.secure else 'http'}://{self.target}"


def open_channel(address: Address, tls: Tls) -> grpc.Channel:
    """A channel; it connects when it is first used."""
    options: List[Tuple[str, int]] = [*_KEEPALIVE, *_LIMITS]
    if not address.secure:
        return grpc.insecure_channel(address.target, options=options)
    pem = [_pem(path) for path in (tls.ca, tls.key, tls.certificate)]
    return grpc.secure_channel(address.target, grpc.ssl_channel_credentials(*pem), options=options)


def call_metadata(token: Optional[str]) -> Sequence[Tuple[str, str]]:
    """What goes along with every call."""
    if not token:
        return ()
    if not token.isascii() or not token.isprintable():
        raise SpinefxError("TOKEN")
    return (("authorization", f"Bearer {token}"),)


def _pem(path: Optional[str]) -> Optional[bytes]:
    if not path:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise SpinefxError("TLS_FILE", {"path": path}) from error
