"""Asks a forwarder with dnspython what a client can see of each rule, and says which does not hold.

    dns_lines.py SERVER

Upstream is a signed root with `secure.` names, an unsigned zone `plain.` and a zone `bogus.` whose DS fits no key; the forwarder
validates. Prints `ok LINE RFC` or `FAILED LINE RFC: why` for each rule; the lines are those of `correctness.rs` in the crate `dns`.
"""

import socket
import struct
import sys
import time

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.query
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.version

SERVER = sys.argv[1]
failed = 0


def line(number, source):
    def decide(check):
        global failed
        try:
            check()
            print(f"ok {number} {source}")
        except Exception as error:  # whatever goes wrong, the other rules are tried too
            failed += 1
            print(f"FAILED {number} {source}: {error!r}")

    return decide


def udp(query, timeout=6):
    return dns.query.udp(query, SERVER, timeout=timeout)


def tcp(query):
    return dns.query.tcp(query, SERVER, timeout=6)


def ask(name, kind="A", **options):
    return dns.message.make_query(name, kind, **options)


def raw(octets, timeout=3):
    """Octets as they are, over UDP; None when nothing comes back."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout)
        sock.sendto(octets, (SERVER, 53))
        try:
            return sock.recv(4096)
        except socket.timeout:
            return None


def has(reply, code):
    assert reply.rcode() == code, dns.rcode.to_text(reply.rcode())


def errors(reply):
    return {option.code for option in reply.options if isinstance(option, dns.edns.EDEOption)}


def framed(*messages):
    return b"".join(struct.pack("!H", len(message)) + message for message in messages)


def read_message(stream):
    def exactly(count):
        octets = b""
        while len(octets) < count:
            more = stream.recv(count - len(octets))
            assert more, "the connection ended"
            octets += more
        return octets

    return exactly(struct.unpack("!H", exactly(2))[0])


@line(1, "RFC 1035 4.1, RFC 9619, RFC 4343")
def _():
    query = ask("wWw.SeCuRe.")
    reply = udp(query)
    has(reply, dns.rcode.NOERROR)
    assert str(reply.question[0].name) == "wWw.SeCuRe.", "the case comes back"
    assert reply.flags & dns.flags.RA and not reply.flags & dns.flags.AA
    assert udp(ask("ap-1.e2e.example")).flags & dns.flags.AA, "our own zone"
    wire = bytearray(query.to_wire())
    wire[2] = 0x10 | wire[2]
    assert raw(bytes(wire))[3] & 15 == dns.rcode.NOTIMP
    wire = bytearray(query.to_wire())
    wire[5] = 2
    assert raw(bytes(wire))[3] & 15 == dns.rcode.FORMERR
    wire = bytearray(query.to_wire())
    wire[2] |= 0x80
    assert raw(bytes(wire), 0.5) is None, "a response is not answered"
    chaos = dns.message.make_query("version.bind.", "TXT", "CH")
    has(udp(chaos), dns.rcode.REFUSED)


@line(2, "RFC 6891 6")
def _():
    assert udp(ask("www.secure.")).edns == -1, "no OPT without OPT"
    newer = bytearray(ask("www.secure.", use_edns=0).to_wire())
    newer[-5] = 1
    assert dns.message.from_wire(raw(bytes(newer))).rcode() == dns.rcode.BADVERS
    reply = udp(ask("www.secure.", use_edns=0, options=[dns.edns.GenericOption(65001, b"abc")]))
    assert reply.edns == 0 and reply.payload == 1232 and not reply.options, "unknown options end here"
    doubled = ask("www.secure.", use_edns=0).to_wire()
    doubled = doubled[:11] + b"\x02" + doubled[12:] + doubled[-11:]
    assert raw(doubled)[3] & 15 == dns.rcode.FORMERR


@line(3, "RFC 2181 9, RFC 7766, RFC 7828")
def _():
    cut = udp(ask("big.secure.", "TXT"))
    assert cut.flags & dns.flags.TC and not cut.answer
    whole = tcp(ask("big.secure.", "TXT"))
    assert len(whole.answer[0]) == 12
    # Pipelined, the prefix cut in two, answered in any order, and the time of silence is told.
    keepalive = [dns.edns.GenericOption(11, b"")]
    queries = [ask(f"n{number}.wild.secure.", use_edns=0, options=keepalive).to_wire() for number in range(20)]
    octets = framed(*queries)
    with socket.create_connection((SERVER, 53), 6) as stream:
        stream.sendall(octets[:1])
        time.sleep(0.05)
        stream.sendall(octets[1:])
        replies = [read_message(stream) for _ in queries]
    assert {reply[:2] for reply in replies} == {query[:2] for query in queries}
    options = {(option.otype, bytes(option.data)) for option in dns.message.from_wire(replies[0]).options}
    assert (11, b"\x00\x64") in options, options


@line(4, "RFC 7873 5.2, RFC 9018")
def _():
    mine = b"\x01\x02\x03\x04\x05\x06\x07\x08"

    def cookie(octets):
        return [bytes(option.data) for option in udp(ask("www.secure.", use_edns=0, options=[dns.edns.GenericOption(10, octets)])).options
                if option.otype == 10]

    (first,) = cookie(mine)
    assert len(first) == 24 and first[:8] == mine
    (second,) = cookie(first)
    assert second[:8] == mine
    has(udp(ask("www.secure.", use_edns=0, options=[dns.edns.GenericOption(10, b"short")])), dns.rcode.FORMERR)


@line(6, "RFC 1035 3.2.1, RFC 2181 8")
def _():
    first = udp(ask("aging.wild.secure.")).answer[0].ttl
    time.sleep(2.1)
    later = udp(ask("aging.wild.secure.")).answer[0].ttl
    assert first - 4 <= later <= first - 2, (first, later)
    assert udp(ask("zero.secure.")).answer[0].ttl == 0


@line(7, "RFC 2308")
def _():
    reply = udp(ask("nothing.here.plain."))
    has(reply, dns.rcode.NXDOMAIN)
    soa = [rrset for rrset in reply.authority if rrset.rdtype == dns.rdatatype.SOA]
    assert soa and soa[0].ttl <= 60
    reply = udp(ask("www.plain.", "AAAA"))
    has(reply, dns.rcode.NOERROR)
    assert not reply.answer
    reply = udp(ask("dangling.plain."))
    has(reply, dns.rcode.NXDOMAIN)
    assert reply.answer[0].rdtype == dns.rdatatype.CNAME


@line(11, "RFC 5452 6")
def _():
    assert len(udp(ask("www.plain.", use_edns=0)).additional) == 0, "what nobody asked for is not passed on"


@line(12, "RFC 4035 3.2, RFC 6840 5.8")
def _():
    plain = udp(ask("www.secure."))
    signed = udp(ask("www.secure.", want_dnssec=True))
    kinds = {rrset.rdtype for rrset in signed.answer}
    assert dns.rdatatype.RRSIG in kinds and len(plain.answer) == 1
    assert signed.flags & dns.flags.AD and not plain.flags & dns.flags.AD


@line(13, "RFC 7871 7.1.2")
def _():
    reply = udp(ask("www.secure.", use_edns=0, options=[dns.edns.ECSOption("203.0.113.0", 24)]))
    assert not reply.options


@line(19, "RFC 4035 5, RFC 6840 5.9, RFC 8914")
def _():
    reply = udp(ask("www.bogus.", use_edns=0))
    has(reply, dns.rcode.SERVFAIL)
    assert errors(reply) & {6, 7, 9, 10}, errors(reply)
    query = ask("www.bogus.", use_edns=0)
    query.flags |= dns.flags.CD
    reply = udp(query)
    has(reply, dns.rcode.NOERROR)
    assert not reply.flags & dns.flags.AD
    assert not udp(ask("www.plain.", want_dnssec=True)).flags & dns.flags.AD, "insecure"


@line(21, "RFC 8198 is left out")
def _():
    has(udp(ask("no-1.secure.", want_dnssec=True)), dns.rcode.NXDOMAIN)
    has(udp(ask("n-2.wild.secure.", want_dnssec=True)), dns.rcode.NOERROR)


@line(22, "RFC 6761, RFC 6303, RFC 7686, RFC 8375, RFC 9476")
def _():
    assert udp(ask("localhost.")).answer[0][0].address == "127.0.0.1"
    for name in ["a.invalid.", "a.test.", "a.onion.", "a.alt.", "a.local.", "a.home.arpa.", "a.service.arpa.",
                 "1.1.168.192.in-addr.arpa.", "1.2.0.192.in-addr.arpa.", "1.d.f.ip6.arpa."]:
        has(udp(ask(name, "PTR")), dns.rcode.NXDOMAIN)


@line(23, "RFC 9462")
def _():
    reply = udp(ask("_dns.resolver.arpa.", "SVCB"))
    has(reply, dns.rcode.NOERROR)
    assert len(reply.answer[0]) == 2, "TLS and HTTPS are told"


@line(25, "RFC 8880")
def _():
    assert {str(rdata) for rdata in udp(ask("ipv4only.arpa.")).answer[0]} == {"192.0.0.170", "192.0.0.171"}


@line(27, "RFC 8482, RFC 5936, RFC 2136, RFC 1996")
def _():
    assert udp(ask("www.plain.", "ANY")).answer[0].rdtype == dns.rdatatype.HINFO
    has(tcp(ask("plain.", "AXFR")), dns.rcode.REFUSED)
    for opcode in [dns.opcode.UPDATE, dns.opcode.NOTIFY]:
        wire = bytearray(ask("plain.", "SOA").to_wire())
        wire[2] = opcode << 3
        assert raw(bytes(wire))[3] & 15 == dns.rcode.NOTIMP


@line(28, "RFC 9460, RFC 3597")
def _():
    reply = udp(ask("www.plain.", "TYPE65280"))
    assert reply.answer[0][0].to_generic().data == b"\xc0\x0cabc", "octets pass as they are"
    https = udp(ask("svc.plain.", "HTTPS"))
    has(https, dns.rcode.NOERROR)
    assert https.answer[0][0].to_generic().data[:3] == b"\x00\x01\x00"


@line(29, "RFC 1918")
def _():
    assert udp(ask("private.plain.")).answer[0][0].address == "10.1.2.3"


@line(30, "RFC 8914")
def _():
    assert udp(ask("www.bogus.")).edns == -1, "reasons are for those with EDNS"


@line(32, "RFC 1035 2.3.1")
def _():
    reply = udp(ask("ap-1.e2e.example."))
    assert reply.answer[0][0].address == "10.77.0.11"
    assert str(udp(ask("11.0.77.10.in-addr.arpa.", "PTR")).answer[0][0]) == "ap-1.e2e.example."


print(f"dnspython {dns.version.version}: {failed} failed")
sys.exit(1 if failed else 0)
