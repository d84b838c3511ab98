"""Somebody who talks to a Ray: what a port answers to a call with a token of theirs, or with none.

    python -m tests.slurm.stranger 10.77.77.11 17400 [TOKEN]     # prints {"SERVICE/METHOD": gRPC status or HTTP status}

The calls are gRPC's own frames (HTTP/2, RFC 9113; header fields as literals, RFC 7541), so that no client of Ray's
stands between, which might look for a token by itself.
"""

import contextlib
import json
import re
import socket
import struct
import sys

SERVICES = (
    *("NodeInfoGcsService/GetAllNodeInfo", "InternalKVGcsService/InternalKVKeys", "JobInfoGcsService/GetAllJobInfo"),
    *("NodeManagerService/GetSystemConfig", "NodeManagerService/GetNodeStats", "ObjectManagerService/Pull"),
    *("CoreWorkerService/GetCoreWorkerStats", "CoreWorkerService/Exit", "CoreWorkerService/PushTask"),
    *("ActorInfoGcsService/GetAllActorInfo", "autoscaler.AutoscalerStateService/DrainNode"),
)
PAGES = ("get_or_create_runtime_env", "get_runtime_envs_info")
UNAUTHENTICATED, UNIMPLEMENTED = 16, 12
PATIENCE = 3.0


def field(name: str, value: str) -> bytes:
    """A header field, literal and not to be remembered."""
    return b"\0" + b"".join(bytes([len(text)]) + text.encode() for text in (name, value))


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def grpc(address: str, port: int, method: str, token: str) -> int | None:
    """The gRPC status of an empty call; None where the port does not speak gRPC."""
    fields = {":method": "POST", ":scheme": "http", ":path": f"/ray.rpc.{method}", ":authority": address}
    fields |= {"content-type": "application/grpc", "te": "trailers"}
    if token:
        fields["authorization"] = f"Bearer {token}"
    headers = b"".join(field(*one) for one in fields.items())
    said = exchange(
        address,
        port,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0) + frame(1, 4, 1, headers) + frame(0, 1, 1, bytes(5)),
        rb"grpc-status.\d+",
    )
    status = re.search(rb"grpc-status.(\d+)", said, re.DOTALL)
    return int(status[1]) if status else None


def http(address: str, port: int, page: str, token: str) -> int | None:
    """The status of an empty POST; None where the port does not speak HTTP/1.1."""
    bearer = f"Authorization: Bearer {token}\r\n" if token else ""
    ask = f"POST /{page} HTTP/1.1\r\nHost: {address}\r\n{bearer}Content-Length: 0\r\nConnection: close\r\n\r\n"
    status = re.match(rb"HTTP/1.1 (\d+)", exchange(address, port, ask.encode(), rb"HTTP/1.1 \d+"))
    return int(status[1]) if status else None


def exchange(address: str, port: int, words: bytes, enough: bytes) -> bytes:
    """What is answered until it holds `enough`, the line is closed, or nothing more comes."""
    said = b""
    with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=PATIENCE) as line:
        line.sendall(words)
        while not re.search(enough, said, re.DOTALL) and (more := line.recv(65536)):
            said += more
    return said


def main() -> None:
    address, port, token = sys.argv[1], int(sys.argv[2]), (sys.argv[3:] or [""])[0]
    answers = {method: grpc(address, port, method, token) for method in SERVICES}
    if set(answers.values()) == {None}:
        answers = {page: http(address, port, page, token) for page in PAGES}
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
