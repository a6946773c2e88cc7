"""Broken: targets that fail, each kind for another reason, and what makes them fail: records, a DNS server and
services on loopback."""

import asyncio
import socket
import threading

# The servers of the resolvers that only some of these targets use. Nothing listens at the second.
FAULTY_DNS, NO_DNS = "127.0.0.2", "127.0.0.3"
RESOLVERS = f", {{name: faulty, servers: ['{FAULTY_DNS}']}}, {{name: nobody, servers: ['{NO_DNS}']}}"

# What the names of a kind lead to.
ADDRESSES = {
    "wrong": ["127.0.3.1"],       # tls_name_mismatch
    "untrusted": ["127.0.3.2"],   # tls_untrusted_issuer
    "expired": ["127.0.3.3"],     # tls_certificate_expired
    "early": ["127.0.3.4"],       # tls_certificate_not_yet_valid
    "expiring": ["127.0.3.5"],    # tls_certificate_expiring
    "silent": ["127.0.3.6"],      # tls_timeout
    "ending": ["127.0.3.7"],      # tls_interrupted
    "chatty": ["127.0.3.8"],      # tls_handshake_failed
    "lost": ["127.0.3.9"],        # connect_timeout
    "denied": ["127.0.3.10"],     # wrong_private_endpoint
    "closed": ["127.0.1.250"],    # connect_refused
    "unrouted": ["10.9.9.9"],     # connect_unreachable
    "public": ["127.0.2.1"],      # no_private_endpoint
    "mixed": ["127.0.1.1", "127.0.2.1"],      # mixed_addresses
    "partial": ["127.0.1.1", "127.0.1.250"],  # partially_reachable
    "reserved": ["169.254.1.1"],  # reserved_address
}
# The other names end in an alias without a record (dns_private_record_missing), or do not exist (dns_zone_shadows).
ALIAS, ABSENT = "dangling", "absent"
# What the faulty DNS server does to a name.
FAULTS = [
    "mute",     # dns_timeout
    "failing",  # dns_server_failure
    "cut",      # dns_tcp_failed
    "garbled",  # dns_invalid_answer
    "bare",     # dns_incomplete_answer
]
UNSERVED = "unserved"  # dns_server_unreachable
KINDS = [*ADDRESSES, ALIAS, ABSENT, *FAULTS, UNSERVED]


def targets(count):
    """The targets as the configuration has them, of all kinds in turn."""
    lines = []
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        resolver = ", resolver: faulty" if kind in FAULTS else ", resolver: nobody" if kind == UNSERVED else ""
        asked = "true" if kind == "denied" else "false"
        lines.append(f"- {{host: {kind}-{number}.vault.azure.net, http: {asked}{resolver}}}\n")
    return "".join(lines)


def records(count):
    """Their records in the zone of the suffix."""
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        for address in ADDRESSES.get(kind, []):
            yield f"{kind}-{number} A {address}"
        if kind == ALIAS:
            yield f"{kind}-{number} CNAME {kind}-{number}.privatelink.vaultcore.azure.net."


def serve():
    """Starts what is not nginx's, on a thread that ends with the process."""
    ready = threading.Event()

    async def start():
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(FaultyDns, local_addr=(FAULTY_DNS, 53))
        await asyncio.start_server(wait, "127.0.3.6", 443)
        await asyncio.start_server(end, "127.0.3.7", 443)
        await asyncio.start_server(chat, "127.0.3.8", 443)
        # A queue that is full: the kernel drops every further attempt to connect.
        full = socket.create_server(("127.0.3.9", 443), backlog=0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.3.9", 443))
        ready.set()
        await asyncio.Event().wait()
        full.close()

    threading.Thread(target=lambda: asyncio.run(start()), daemon=True).start()
    ready.wait()


async def wait(reader, writer):
    await reader.read()
    writer.close()


async def end(reader, writer):
    await reader.read(1)
    writer.close()


async def chat(reader, writer):
    writer.write(b"220 mail.example.com ESMTP\r\n")
    await reader.read()
    writer.close()


class FaultyDns(asyncio.DatagramProtocol):
    """Answers by the first word of the name."""

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, query, client):
        end = query.index(0, 12) + 5
        question, fault = query[12:end], query[13:13 + query[12]].split(b"-")[0].decode()
        if fault == "mute":
            return
        code, answers, rest = 0x8180, 0, b""
        if fault == "failing":
            code = 0x8182
        elif fault == "cut":
            code = 0x8380
        elif fault == "garbled":
            answers, rest = 1, b"\xc0"
        elif fault == "bare":
            alias = b"\x05other\xc0\x0c"
            answers = 1
            rest = b"\xc0\x0c\x00\x05\x00\x01" + (60).to_bytes(4, "big") + len(alias).to_bytes(2, "big") + alias
        head = query[:2] + code.to_bytes(2, "big") + bytes([0, 1]) + answers.to_bytes(2, "big") + bytes(4)
        self.transport.sendto(head + question + rest, client)
