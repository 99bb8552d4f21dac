"""One error for all that can go wrong, and how a gRPC status becomes one."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional

import grpc
from google.rpc import error_details_pb2, status_pb2

from . import reasons


class SpinefxError(Exception):
    """Something failed. ``str()`` is a sentence for people; ``reason`` is for programs."""

    def __init__(
        self,
        reason: str,
        variables: Optional[Mapping[str, Any]] = None,
        *,
        detail: str = "",
        retry_after_s: Optional[float] = None,
    ) -> None:
        self.reason = reason
        """UPPER_SNAKE: a key of :mod:`spinefx_client.reasons`, or a newer server's."""
        self.variables: Dict[str, Any] = dict(variables or {})
        self.detail = detail
        """The server's own words, for its administrator."""
        self.retry_after_s = retry_after_s
        """When the server proposes to try again, in seconds."""
        self.sentence = reasons.sentence(reason, self.variables, detail)
        if retry_after_s is not None and retry_after_s >= 1:
            self.sentence += f" (It proposes to wait {retry_after_s:.0f} s.)"
        super().__init__(self.sentence)

    @property
    def cancelled(self) -> bool:
        """Whether somebody wanted it to end."""
        return self.reason == "CANCELLED"


def from_rpc(error: grpc.RpcError, address: str, *, method: str, talked: bool = False) -> SpinefxError:
    """The error of a call that failed. ``talked``: whether the server had answered something before."""
    code, detail = error.code(), error.details() or ""
    details = _status_details(error)
    if details is not None:
        info, retry = details
        return SpinefxError(info.reason, dict(info.metadata), detail=detail, retry_after_s=retry)
    what = f"{code.name}: {detail}"
    if code is grpc.StatusCode.UNAVAILABLE:
        if talked:
            return SpinefxError("CONNECTION_LOST", detail=detail)
        secure = "handshake" in detail.lower() or "certificate" in detail.lower() or "SSL" in detail
        return SpinefxError("TLS" if secure else "UNREACHABLE", {"address": address}, detail=detail)
    if code is grpc.StatusCode.UNIMPLEMENTED:
        # An HTTP server that is no gRPC server answers 404, which gRPC reports as UNIMPLEMENTED too.
        reason = "NOT_SPINEFX" if "404" in detail or "http" in detail.lower() else "OLD_SERVER"
        return SpinefxError(reason, {"what": method, "address": address}, detail=detail)
    if code is grpc.StatusCode.CANCELLED:
        return SpinefxError("CANCELLED", detail=detail)
    if code is grpc.StatusCode.UNAUTHENTICATED:
        return SpinefxError("TOKEN", detail=detail)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED and not talked:
        return SpinefxError("UNREACHABLE", {"address": address}, detail=detail)
    if code in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL) and not talked and "http" in detail.lower():
        return SpinefxError("NOT_SPINEFX", {"address": address}, detail=detail)
    return SpinefxError("OTHER", {"what": what}, detail=detail)


def _status_details(error: grpc.RpcError) -> Any:
    """(ErrorInfo, seconds to wait or None) of the status's details; None where there are none."""
    metadata: Any = error.trailing_metadata()
    for key, value in metadata or ():
        if key != "grpc-status-details-bin":
            continue
        status = status_pb2.Status.FromString(value)
        info, retry = error_details_pb2.ErrorInfo(), None
        for packed in status.details:
            if packed.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
                wait = error_details_pb2.RetryInfo()
                packed.Unpack(wait)
                retry = wait.retry_delay.seconds + wait.retry_delay.nanos / 1e9
            else:
                packed.Unpack(info)
        if info.reason:
            return info, retry
    return None
