#!/usr/bin/env python3
"""Tries the Zabbix template and the sender feed in a real Zabbix 6.0. Run by hand as root; it takes about two minutes.

Needs Debian's zabbix-server-pgsql, zabbix-frontend-php, php-cli, php-pgsql, postgresql and zabbix-agent (zabbix_sender).
Everything runs in a folder that is removed, on loopback, on ports that are free; no service of the system is used.

    python3 tests/zabbix/run.py target/release/hotstage

It imports what `hotstage feeds` writes by the API of Zabbix, links it to hosts, and waits until values have arrived that
are those of /metrics: fetched by an HTTP agent item, and sent by `services.feeds.zabbix`.
"""

import glob
import gzip
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

PLAN = """
version = 1
[event]
name = "Zabbix"
timezone = "Asia/Tokyo"
domain = "zabbix.example"
people = 20
devices_per_person = 1
days = [{ date = "2026-05-16", doors = "09:00", close = "18:00" }]
[[room]]
id = "hall"
name = "Hall"
floor = "1F"
seats = 20
[vlan.guest]
id = 10
subnet = "10.77.0.0/24"
kind = "attendee"
gateway = "10.77.0.1"
pool = ["10.77.0.100-10.77.0.199"]
dhcp = { lease = "10m", via = "relay" }
[device.sw-1]
model = "generic-router"
room = "hall"
address = "10.77.0.1"
ports = { "1" = { untagged = "guest" } }
[services]
at = "sw-1:1"
address = "10.77.0.2"
%s
"""
ENDS = []
LIMIT = 90


def free_port():
    # Zabbix takes none above 32767.
    while True:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", random.randrange(20_000, 32_000)))
            except OSError:
                continue
            return probe.getsockname()[1]


def start(arguments, log, **more):
    """A process of ours, ended by its id."""
    process = subprocess.Popen(arguments, stdout=open(log, "w"), stderr=subprocess.STDOUT, **more)
    ENDS.append(process)
    return process


def wait(what, is_so, limit=LIMIT):
    began = time.monotonic()
    while True:
        found = is_so()
        if found:
            print(f"ok: {what} after {time.monotonic() - began:.1f} s")
            return found
        if time.monotonic() - began > limit:
            raise SystemExit(f"FAILED: no {what} within {limit} s")
        time.sleep(0.5)


def postgres(work):
    """A cluster of its own below `work`; PostgreSQL refuses to run as root."""
    tools = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
    data, port = f"{work}/pg", free_port()
    os.makedirs(data)
    shutil.chown(data, "postgres", "postgres")
    shutil.chown(work, "postgres", "postgres")
    run = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    subprocess.run([*run, f"{tools}/initdb", "-D", data, "-A", "trust", "-U", "zabbix", "-E", "UTF8"], check=True,
                   stdout=subprocess.DEVNULL)
    start([*run, f"{tools}/postgres", "-D", data, "-p", str(port), "-k", data, "-c", "fsync=off", "-c",
           "listen_addresses=127.0.0.1"], f"{work}/postgres.log")
    psql = ["psql", "-q", "-h", data, "-p", str(port), "-U", "zabbix"]
    wait("database", lambda: subprocess.run([*psql, "-c", "select 1", "postgres"], capture_output=True).returncode == 0)
    subprocess.run([*psql, "-c", "create database zabbix", "postgres"], check=True)
    for part in ["schema", "images", "data"]:
        sql = gzip.open(f"/usr/share/zabbix-server-pgsql/{part}.sql.gz").read()
        subprocess.run([*psql, "zabbix"], input=sql, check=True, stdout=subprocess.DEVNULL)
    return data, port


def zabbix_server(work, database, port):
    trapper = free_port()
    with open(f"{work}/zabbix_server.conf", "w") as conf:
        conf.write(f"""AllowRoot=1
ListenIP=127.0.0.1
ListenPort={trapper}
LogFile={work}/zabbix_server.log
PidFile={work}/zabbix_server.pid
SocketDir={work}
DBHost={database}
DBPort={port}
DBName=zabbix
DBUser=zabbix
StartPollers=2
StartTrappers=2
StartDiscoverers=0
CacheUpdateFrequency=2
""")
    start(["zabbix_server", "-f", "-c", f"{work}/zabbix_server.conf"], f"{work}/server.out")
    return trapper


def frontend(work, database, port, trapper):
    folder, web = f"{work}/frontend", free_port()
    shutil.copytree("/usr/share/zabbix", folder, ignore_dangling_symlinks=True)
    conf = f"{work}/zabbix.conf.php"
    # Debian's frontend looks for its settings in /etc only; the copy looks here.
    loader = f"{folder}/include/classes/core/CConfigFile.php"
    text = open(loader).read().replace("'/etc/zabbix/zabbix.conf.php'", f"'{conf}'")
    open(loader, "w").write(text)
    with open(conf, "w") as file:
        file.write(f"""<?php
$DB['TYPE'] = 'POSTGRESQL'; $DB['SERVER'] = '{database}'; $DB['PORT'] = '{port}'; $DB['DATABASE'] = 'zabbix';
$DB['USER'] = 'zabbix'; $DB['PASSWORD'] = ''; $DB['SCHEMA'] = ''; $DB['ENCRYPTION'] = false; $DB['VERIFY_HOST'] = false;
$DB['KEY_FILE'] = ''; $DB['CERT_FILE'] = ''; $DB['CA_FILE'] = ''; $DB['CIPHER_LIST'] = ''; $DB['VAULT_URL'] = '';
$DB['VAULT_DB_PATH'] = ''; $DB['VAULT_TOKEN'] = ''; $DB['DOUBLE_IEEE754'] = true;
$ZBX_SERVER = '127.0.0.1'; $ZBX_SERVER_PORT = '{trapper}'; $ZBX_SERVER_NAME = 'trial'; $IMAGE_FORMAT_DEFAULT = IMAGE_FORMAT_PNG;
""")
    start(["php", "-d", "memory_limit=256M", "-d", "max_execution_time=300", "-S", f"127.0.0.1:{web}", "-t", folder],
          f"{work}/php.log")
    return f"http://127.0.0.1:{web}/api_jsonrpc.php"


class Api:
    def __init__(self, url):
        self.url, self.auth = url, None

    def call(self, method, params):
        body = {"jsonrpc": "2.0", "method": method, "params": params, "id": 1, "auth": self.auth}
        request = urllib.request.Request(self.url, json.dumps(body).encode(), {"Content-Type": "application/json-rpc"})
        with urllib.request.urlopen(request, timeout=120) as response:
            text = response.read().decode()
        try:
            answer = json.loads(text)
        except json.JSONDecodeError:
            raise SystemExit(f"FAILED: {method} answered {text[:500]}")
        if "error" in answer:
            raise SystemExit(f"FAILED: {method}: {answer['error']}")
        return answer["result"]

    def is_there(self):
        try:
            return self.call("apiinfo.version", [])
        except OSError:
            return None


def hotstage(work, program, trapper, feed):
    os.makedirs(f"{work}/plan")
    with open(f"{work}/plan/event.toml", "w") as file:
        file.write(PLAN % feed)
    listen = [argument for service in ["dhcp", "dns", "syslog", "http"] for argument in
              (f"--listen-{service}", "127.0.0.1:0")]
    process = subprocess.Popen([program, "run", f"{work}/plan", "--state", f"{work}/state", *listen],
                               stdout=subprocess.PIPE, stderr=open(f"{work}/hotstage.log", "w"), text=True)
    ENDS.append(process)
    ready = process.stdout.readline()
    url = "http://" + re.search(r" http=(\S+)", ready)[1]
    subprocess.run([program, "feeds", f"{work}/plan", "-o", f"{work}/out", "--url", url], check=True,
                   stdout=subprocess.DEVNULL)
    return url


def figure(url, name):
    with urllib.request.urlopen(f"{url}/metrics") as response:
        text = response.read().decode()
    found = re.search("^" + re.escape(name) + r" (\S+)$", text, re.M)
    return float(found[1]) if found else None


def items(api, host):
    fields = ["key_", "lastvalue", "lastclock", "error", "state", "type"]
    return api.call("item.get", {"hostids": host, "output": fields})


def check_host(api, host, url, way):
    # (key, name in /metrics); constant while nothing happens, so that both are the same.
    expected = {
        "hotstage.clients": "hotstage_clients",
        "hotstage.pools.size[guest]": 'hotstage_pool_addresses{pool="guest"}',
        "hotstage.rooms.clients[hall]": 'hotstage_room_clients{room="hall"}',
        "hotstage.devices.up[sw-1]": 'hotstage_device_up{device="sw-1"}',
    }

    def arrived():
        found = {item["key_"]: item for item in items(api, host)}
        return found if all(found.get(key, {}).get("lastclock", "0") != "0" for key in expected) else None

    found = wait(f"value of every item, discovered ones too, by {way}", arrived, 180)
    for key, name in expected.items():
        value, shown = float(found[key]["lastvalue"]), figure(url, name)
        assert value == shown, f"{key} is {value}, /metrics says {shown}"
        print(f"ok: {way}: {key} = {value:g}")
    # A rate has no value before the second look.
    wait(f"rate by {way}", lambda: next(item for item in items(api, host) if item["key_"] == "hotstage.log.stored")
         ["lastclock"] != "0")
    unsupported = [item for item in items(api, host) if item["state"] != "0"]
    assert not unsupported, f"not supported: {unsupported}"
    print(f"ok: {way}: all {len(found)} items are supported")


def main():
    program = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "target/release/hotstage")
    work = tempfile.mkdtemp(prefix="hotstage-zabbix-")
    os.chmod(work, 0o755)
    try:
        database, port = postgres(work)
        trapper = zabbix_server(work, database, port)
        api = Api(frontend(work, database, port, trapper))
        version = wait("API of Zabbix", api.is_there)
        print(f"ok: Zabbix {version}")
        api.auth = api.call("user.login", {"username": "Admin", "password": "zabbix"})
        feed = f'feeds.zabbix = {{ server = "127.0.0.1:{trapper}", host = "sent", interval = "10s" }}'
        url = hotstage(work, program, trapper, feed)
        create = {"createMissing": True, "updateExisting": True}
        rules = {"groups": {"createMissing": True}, "templates": create, "items": create, "discoveryRules": create,
                 "triggers": create, "valueMaps": create, "templateDashboards": create}
        group = api.call("hostgroup.create", {"name": "Event"})["groupids"][0]
        for file, template, host in [("hotstage", "hotstage", "fetched"), ("hotstage-sender", "hotstage-sender", "sent")]:
            source = open(f"{work}/out/zabbix/{file}.yaml").read()
            for _ in range(2):  # The second time it replaces what is there.
                assert api.call("configuration.import", {"format": "yaml", "rules": rules, "source": source}) is True
            print(f"ok: {file}.yaml is imported, twice")
            found = api.call("template.get", {"filter": {"host": template}})
            api.call("host.create", {"host": host, "groups": [{"groupid": group}],
                                     "templates": [{"templateid": found[0]["templateid"]}]})
        ids = {one["host"]: one["hostid"] for one in api.call("host.get", {"output": ["host"]})}
        check_host(api, ids["fetched"], url, "the HTTP agent")
        check_host(api, ids["sent"], url, "the sender feed")
        delivered = figure(url, 'hotstage_feed_records_total{feed="zabbix",result="delivered"}')
        assert delivered and delivered >= 2, delivered
        print(f"ok: {delivered:g} values were sent and confirmed")
        # A name that the server does not know is refused, and counted as such.
        refused = 'hotstage_feed_records_total{feed="zabbix",result="refused"}'
        before = figure(url, refused)
        api.call("host.delete", [ids["sent"]])
        wait("refusal for a host that is gone", lambda: figure(url, refused) > before)
        print("all passed")
    finally:
        for process in reversed(ENDS):
            process.send_signal(signal.SIGTERM)
        for process in ENDS:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        if os.environ.get("KEEP"):
            print(work)
        else:
            shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
