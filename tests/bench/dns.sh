#!/usr/bin/env bash
# DNS figures that `docs/performance.md` tells: streams, validation, the opening burst, memory. Servers take turns within a run.
#
#   tests/bench/dns.sh streams|validation|burst|memory [SECONDS] [RUNS]
#
# Needs root (one private network namespace), nsd, ldns-utils, dnsperf, h2load (nghttp2-client), openssl, unbound and dnsdist for comparison, and release builds:
# `cargo build --release -p hotstage -p e2e`. $HOTSTAGE and $DNS_LOAD say where else they are.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
what=${1:?streams, validation, burst or memory}; secs=${2:-4}; runs=${3:-3}
hotstage=${HOTSTAGE:-$root/target/release/hotstage}; load=${DNS_LOAD:-$root/target/release/dns_load}
dir=$(mktemp -d); ns=bench-dns-$$; ticks=$(getconf CLK_TCK); server=
ip netns add "$ns"; ip -n "$ns" link set lo up
stop() { if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; server=; fi; }
cleanup() { stop; kill "$nsd" 2>/dev/null || true; wait "$nsd" 2>/dev/null || true; ip netns del "$ns" 2>/dev/null || true; rm -rf "$dir"; }
trap cleanup EXIT
# In the background without this function: then $! is the server itself.
inside() { ip netns exec "$ns" "$@"; }

# Upstream: NSD with 1,000 names and a wildcard, signed where validation is measured.
{ printf '$TTL 3600\n@ IN SOA ns hostmaster 1 3600 600 86400 60\n@ IN NS ns\nns IN A 127.0.0.1\n*.u IN A 192.0.2.2\n'
  seq -f 'h%06.0f IN A 192.0.2.1' 0 999; } > "$dir/zone"
file=$dir/zone
if [ "$what" = validation ]; then
  (cd "$dir" && key=$(ldns-keygen -a ECDSAP256SHA256 -k bench.example) && ldns-signzone -o bench.example -f signed zone "$key" && cp "$key.ds" anchor)
  file=$dir/signed
fi
cat > "$dir/nsd.conf" <<C
server:
  ip-address: 127.0.0.1@5301
  server-count: 1
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
  username: ""
  chroot: ""
  zonesdir: "$dir"
  database: ""
  pidfile: "$dir/nsd.pid"
  xfrdfile: "$dir/xfrd"
  zonelistfile: "$dir/zones"
  logfile: "$dir/nsd.log"
remote-control:
  control-enable: no
zone:
  name: bench.example
  zonefile: "$file"
C
ip netns exec "$ns" nsd -d -c "$dir/nsd.conf" & nsd=$!
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=bench.example \
  -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>/dev/null
seq -f 'h%06.0f.bench.example A' 0 999 > "$dir/names"
# RFC 8484 section 4.1.1: id 0, RD, one question of type A, base64url without padding.
for name in $(seq -f 'h%06.0f' 0 999); do
  printf '\0\0\1\0\0\1\0\0\0\0\0\0\7%s\5bench\7example\0\0\1\0\1' "$name" | base64 -w 0 | tr '+/' '-_' | tr -d =
  echo
done | sed 's#^#https://127.0.0.1:5443/dns-query?dns=#' > "$dir/urls"

start() { # NAME [--set ...]
  local name=$1; shift; stop; rm -rf "$dir/state"; mkdir "$dir/state"
  case $name in
    ours)
      set -- run "$root/examples/lab" --state "$dir/state" --set 'services.dns.upstreams=["127.0.0.1:5301"]' \
        --set "services.dns.certificate=\"$dir/cert.pem\"" --set "services.dns.key=\"$dir/key.pem\"" "$@" \
        --listen-dns 127.0.0.1:5302 --listen-dns-tls 127.0.0.1:5853 --listen-dns-https 127.0.0.1:5443 \
        --listen-dhcp 127.0.0.1:0 --listen-syslog 127.0.0.1:0 --listen-http 127.0.0.1:8080
      ip netns exec "$ns" "$hotstage" "$@" > "$dir/out" 2>&1 & ;;
    unbound)
      cat > "$dir/unbound.conf" <<C
server:
  verbosity: 0
  num-threads: 2
  interface: 127.0.0.1@5302
  interface: 127.0.0.1@5853
  interface: 127.0.0.1@5443
  tls-port: 5853
  https-port: 5443
  tls-service-key: "$dir/key.pem"
  tls-service-pem: "$dir/cert.pem"
  so-reuseport: yes
  incoming-num-tcp: 1024
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "$dir"
  pidfile: ""
  use-syslog: no
  do-not-query-localhost: no
  access-control: 127.0.0.0/8 allow
  module-config: "iterator"
  msg-cache-size: 256m
  rrset-cache-size: 256m
  do-ip6: no
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@5301
C
      ip netns exec "$ns" unbound -d -c "$dir/unbound.conf" > "$dir/out" 2>&1 & ;;
    dnsdist)
      cat > "$dir/dnsdist.conf" <<C
setLocal("127.0.0.1:5302", {maxConcurrentTCPConnections=1024})
addTLSLocal("127.0.0.1:5853", "$dir/cert.pem", "$dir/key.pem")
addDOHLocal("127.0.0.1:5443", "$dir/cert.pem", "$dir/key.pem", "/dns-query")
setACL("127.0.0.0/8")
setMaxTCPClientThreads(2)
newServer({address="127.0.0.1:5301", checkName="ns.bench.example."})
getPool(""):setCache(newPacketCache(500000))
C
      ip netns exec "$ns" dnsdist --supervised --disable-syslog -C "$dir/dnsdist.conf" > "$dir/out" 2>&1 & ;;
  esac
  server=$!
  for _ in $(seq 100); do
    if inside dnsperf -s 127.0.0.1 -p 5302 -d "$dir/names" -n 1 -q 20 -l 3 2>/dev/null | grep -q 'completed: *1000 '; then return; fi
    sleep 0.1
  done
  echo "$name does not answer: $(tail -3 "$dir/out")" >&2; exit 1
}
cpu() { local s; s=$(cat "/proc/$server/stat"); s=${s##*) }; set -- $s; echo $((${12} + ${13})); }
row() { # NAME WHAT RATE ANSWERED TICKS
  awk -v n="$1" -v w="$2" -v r="$3" -v a="$4" -v t="$5" -v k="$ticks" 'BEGIN { printf "%s\t%s\t%.0f\t%.2f\n", n, w, r, (a > 0 ? t / k / a * 1e6 : 0) }'
}
perf() { # NAME WHAT OPTIONS of dnsperf
  local name=$1 label=$2 before out; shift 2; before=$(cpu)
  out=$(inside dnsperf -s 127.0.0.1 -d "$dir/names" -l "$secs" "$@" 2>/dev/null || true)
  row "$name" "$label" "$(awk '/per second/{print $4}' <<< "$out")" "$(awk '/Queries completed/{print $3}' <<< "$out")" $(($(cpu) - before))
}
connect() { # NAME: a connection for every query
  local before out; before=$(cpu)
  out=$(inside "$load" 127.0.0.1:5302 connect "$secs" 32)
  row "$1" connections "$(sed 's/.*"rate":\([0-9.]*\).*/\1/' <<< "$out")" "$(sed 's/.*"answered":\([0-9]*\).*/\1/' <<< "$out")" $(($(cpu) - before))
}
https() { # NAME: HTTP/2, GET, 8 connections of 25 streams (dnsperf 2.10 loses answers that arrive in one TLS record)
  local before out; before=$(cpu)
  out=$(inside h2load -D "$secs" -c 8 -m 25 -i "$dir/urls")
  row "$1" https "$(awk '/^finished in/{print $4}' <<< "$out")" "$(awk '/^requests:/{print $8}' <<< "$out")" $(($(cpu) - before))
}
metric() { inside curl -s 127.0.0.1:8080/metrics | awk -v n="$1" '$1 == n { print $2 }'; }
memory() { echo "$1: entries $(metric hotstage_dns_cache_entries), cache $(metric hotstage_dns_cache_bytes) octets, $(grep VmRSS "/proc/$server/status")"; }

case $what in
  streams)
    for _ in $(seq "$runs"); do
      for name in ours unbound dnsdist; do
        start "$name"
        perf "$name" pipelined -m tcp -p 5302 -c 8 -q 200
        connect "$name"
        perf "$name" tls -m dot -p 5853 -c 8 -q 200
        https "$name"
      done
    done ;;
  validation)
    for _ in $(seq "$runs"); do
      for way in off on; do
        if [ "$way" = on ]; then start ours --set services.dns.validate=true --set "services.dns.trust_anchors=\"$dir/anchor\""; else start ours; fi
        perf "validation-$way" hit -p 5302 -c 2 -q 100
      done
      echo "secure answers: $(inside dig @127.0.0.1 -p 5302 +noall +comments h000001.bench.example | grep -c 'flags:.* ad')"
    done ;;
  burst)
    for _ in $(seq "$runs"); do
      for name in ours unbound dnsdist; do
        start "$name"; before=$(cpu)
        echo "$name 0 to 20,000/s, all known: $(inside "$load" 127.0.0.1:5302 ramp 20000 0 "$secs")"
        echo "$name 0 to 20,000/s, one in ten unknown: $(inside "$load" 127.0.0.1:5302 ramp 20000 10 "$secs")"
        echo "$name 50,000/s, one in ten unknown: $(inside "$load" 127.0.0.1:5302 ramp 50000 10 "$secs")"
      done
    done ;;
  memory)
    start ours; memory warm
    inside "$load" 127.0.0.1:5302 flood 1000000 512; sleep 2; memory "1,000,000 names more"
    inside "$load" 127.0.0.1:5302 flood 10000000 512; sleep 2; memory "after 10,000,000 random names" ;;
  *) echo "streams, validation, burst or memory" >&2; exit 2 ;;
esac
