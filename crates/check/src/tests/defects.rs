//! One defect each: what is changed in which file of the model event, and the findings that are new then: their codes,
//! with `*N` for N findings of one code where the defect is in several places.

use std::collections::BTreeSet;

use super::*;

/// File, text that is there once or first, text in its place. An empty text appends.
type Edit = (&'static str, &'static str, &'static str);

/// How the model event writes the pool of its staff.
const STAFF_POOL: &str = "pool = [\"10.10.8.50-10.10.8.250\"]";

const STAFF_POOL_AND_CAMERAS: &str =
    "pool = [\"10.10.8.50-10.10.8.250\", { range = \"10.10.8.20-10.10.8.29\", class = \"camera\" }]";

/// How it writes the rest of their DHCP.
const STAFF_DHCP: &str = "{ lease = \"4h\", via = \"relay\" }";

const DEFECTS: &[(&str, &[Edit])] = &[
    (
        "device-without-asset",
        &[("inventory.csv", "S-03,switch,cisco-c3560cx-8pc,,,PHP Conference,rack-a,sw-1f-2\n", "")],
    ),
    ("asset-of-unknown-device", &[("inventory.csv", "", "P-06,injector,poe-injector-at,,,CONBU,box-2,inj-9\n")]),
    ("device-assigned-twice", &[("inventory.csv", "", "P-06,injector,poe-injector-at,,,CONBU,box-2,inj-4\n")]),
    ("asset-model-differs", &[("inventory.csv", "S-03,switch,cisco-c3560cx-8pc", "S-03,switch,cisco-c3750-24ps")]),
    (
        "asset-not-ready",
        &[
            ("inventory.csv", "home,device\n", "home,device,state\n"),
            ("inventory.csv", "sw-1f-2\n", "sw-1f-2,broken\n"),
        ],
    ),
    ("asset-without-owner", &[("inventory.csv", ",PHP Conference,rack-a,sw-1f-2", ",,rack-a,sw-1f-2")]),
    ("asset-tag-twice", &[("inventory.csv", "S-03,", "s-02,")]),
    (
        "serial-twice",
        &[
            ("inventory.csv", "R-01,router,nec-ix2105,,", "R-01,router,nec-ix2105,X1,"),
            ("inventory.csv", "R-02,router,nec-ix2105,,", "R-02,router,nec-ix2105,x1,"),
        ],
    ),
    ("mac-twice", &[("inventory.csv", "02:00:5e:10:00:02", "02:00:5e:10:00:01")]),
    ("device-not-placed", &[("network.toml", "room = \"foyer-1f\"\nrole = \"server\"", "role = \"server\"")]),
    ("no-spare", &[("inventory.csv", "P-05,injector,poe-injector-at,,,CONBU,box-2,\n", "")]),
    ("cable-end-unknown", &[("cables.csv", "sw-4f-1:Gi0/11,sw-4f-2:Gi0/11", "sw-4f-1:Gi0/11,sw-4f-9:Gi0/11")]),
    (
        "cable-end-unknown no-path-to-gateway",
        &[("cables.csv", "sw-2f-1:Gi0/1,ap-2f-1:eth0", "sw-2f-1:Gi0/1,ap-2g-1:eth0")],
    ),
    ("port-unknown", &[("cables.csv", "sw-4f-1:Gi0/11,sw-4f-2:Gi0/11", "sw-4f-1:Gi0/11,sw-4f-2:Gi0/99")]),
    ("port-unknown", &[("network.toml", "ports = { \"GE1.1\"", "ports = { \"GE9.1\"")]),
    ("port-used-twice", &[("cables.csv", "sw-4f-1:Gi0/11,sw-4f-2:Gi0/11", "sw-4f-1:Gi0/11,sw-4f-2:Gi0/1")]),
    ("cable-kind-mismatch*2", &[("cables.csv", "C-010,cat6", "C-010,fibre")]),
    ("copper-too-long", &[("cables.csv", "88,78,", "104,98,")]),
    ("copper-long", &[("cables.csv", "88,78,", "95,90,")]),
    ("cable-shorter-than-route", &[("cables.csv", "88,78,", "70,78,")]),
    ("cable-without-slack", &[("cables.csv", "88,78,", "78.5,78,")]),
    ("cable-far-too-long", &[("cables.csv", "C-023,cat5e,blue,17,16", "C-023,cat5e,blue,40,16")]),
    ("cable-label-twice", &[("cables.csv", "C-023,", "c-022,")]),
    (
        "speed-mismatch*8",
        &[(
            "network.toml",
            "",
            "[model.netgear-gs108e]\nkind = \"switch\"\nports = [{ name = \"1-8\", speed_mbps = 100 }]\n",
        )],
    ),
    (
        "speed-mismatch*8",
        &[(
            "network.toml",
            "",
            "[model.poe-injector-at]\nkind = \"injector\"\nports = [{ name = \"in\", speed_mbps = 100 }, { name = \"out\", poe = \"at\", speed_mbps = 100 }]\npoe_budget_w = 30\n",
        )],
    ),
    (
        "poe-over-budget*2",
        &[(
            "network.toml",
            "",
            "[model.cisco-c3560cx-8pc]\nkind = \"switch\"\npoe_budget_w = 90\nports = [{ name = \"Gi0/1-8\", poe = \"at\" }, { name = \"Gi0/9-12\" }]\n",
        )],
    ),
    (
        "poe-near-budget*2",
        &[(
            "network.toml",
            "",
            "[model.cisco-c3560cx-8pc]\nkind = \"switch\"\npoe_budget_w = 110\nports = [{ name = \"Gi0/1-8\", poe = \"at\" }, { name = \"Gi0/9-12\" }]\n",
        )],
    ),
    ("no-power", &[("cables.csv", "sw-2f-1:Gi0/1,", "sw-2f-1:Gi0/10,")]),
    ("two-power-sources", &[("cables.csv", "ng-6f-2:8,inj-4:in", "sw-6f-2:Gi0/3,inj-4:in")]),
    (
        "poe-class*4",
        &[(
            "network.toml",
            "",
            "[model.poe-injector-at]\nkind = \"injector\"\nports = [{ name = \"in\" }, { name = \"out\", poe = \"af\" }]\npoe_budget_w = 30\n",
        )],
    ),
    ("vlan-id-reserved", &[("network.toml", "id = 3002", "id = 1002")]),
    ("vlan-id-reserved", &[("network.toml", "id = 3002", "id = 4094")]),
    ("vlan-one", &[("network.toml", "id = 3002", "id = 1")]),
    ("vlan-id-twice", &[("network.toml", "id = 3002", "id = 3001")]),
    ("no-path-to-gateway", &[("cables.csv", "C-018,cat5e,yellow,5,4,sw-core:Gi0/9,ng-6f-3:1\n", "")]),
    ("vlan-not-continuous", &[("network.toml", "", "[device.sw-core.ports.\"Gi0/3\"]\ntagged = [\"management\"]\n")]),
    (
        "trunk-lists-differ vlan-not-continuous",
        &[(
            "network.toml",
            "ports.\"Gi0/12\"]     # to the router\ntagged = [\"management\", \"attendee\", \"staff\"]",
            "ports.\"Gi0/12\"]\ntagged = [\"management\", \"attendee\"]",
        )],
    ),
    (
        "native-vlan-carries-users",
        &[("network.toml", "\"Gi0/12\"]     # to the router\n", "\"Gi0/12\"]\nuntagged = \"staff\"\n")],
    ),
    (
        "native-vlan-carries-users native-vlan-mismatch",
        &[
            ("network.toml", "\"Gi0/12\"]     # to the router\n", "\"Gi0/12\"]\nuntagged = \"staff\"\n"),
            ("network.toml", "{ \"GE1.1\" = {", "{ \"GE1.1\" = { untagged = \"management\","),
        ],
    ),
    (
        "access-port-faces-trunk",
        &[(
            "network.toml",
            "",
            "[device.ng-4f-1.ports.\"1\"]\nuntagged = \"management\"\ntagged = []\n[device.sw-4f-1.ports.\"Gi0/9\"]\ntagged = [\"management\", \"attendee\"]\n",
        )],
    ),
    (
        "loop-without-spanning-tree",
        &[("network.toml", "address = \"10.10.0.16\"", "address = \"10.10.0.16\"\nstp = false")],
    ),
    (
        "loop-without-spanning-tree",
        &[(
            "cables.csv",
            "sw-core:Gi0/9,ng-6f-3:1\n",
            "sw-core:Gi0/9,ng-6f-3:1\nC-099,cat5e,grey,2,1,ng-6f-3:2,ng-6f-3:3\n",
        )],
    ),
    (
        "",
        &[(
            "cables.csv",
            "sw-core:Gi0/9,ng-6f-3:1\n",
            "sw-core:Gi0/9,ng-6f-3:1\nC-099,cat5e,grey,12,11,ng-6f-1:2,noc-monitor:eth1\n",
        )],
    ),
    ("subnets-overlap", &[("network.toml", "\"10.10.8.0/24\"", "\"10.10.0.0/20\"")]),
    ("gateway-outside-subnet", &[("network.toml", "\"10.10.8.1\"", "\"10.10.9.1\"")]),
    ("gateway-outside-subnet", &[("network.toml", "\"10.10.8.1\"", "\"10.10.8.255\"")]),
    ("address-outside-subnet", &[("network.toml", "\"10.10.0.50\"", "\"10.10.1.50\"")]),
    ("address-outside-subnet", &[("network.toml", "\"10.10.0.50\"", "\"10.10.0.0\"")]),
    (
        "reservation-outside-subnet",
        &[("network.toml", "", "[[vlan.staff.reservations]]\nmac = \"02:00:5e:10:00:f0\"\naddress = \"10.10.9.9\"\n")],
    ),
    ("pool-outside-subnet", &[("network.toml", "-10.10.8.250", "-10.10.8.255")]),
    ("pool-over-gateway", &[("network.toml", "10.10.8.50-", "10.10.8.1-")]),
    (
        "pool-over-static",
        &[(
            "network.toml",
            "room = \"foyer-1f\"\nrole = \"server\"\n",
            "room = \"foyer-1f\"\nrole = \"server\"\naddress = \"10.10.8.60\"\n",
        )],
    ),
    (
        "pools-overlap",
        &[(
            "network.toml",
            "[\"10.10.8.50-10.10.8.250\"]",
            "[\"10.10.8.50-10.10.8.250\", \"10.10.8.200-10.10.8.252\"]",
        )],
    ),
    ("address-twice", &[("network.toml", "\"10.10.0.16\"", "\"10.10.0.15\"")]),
    ("name-twice", &[("venue.toml", "name = \"Room E\"", "name = \"room d\"")]),
    (
        "name-twice",
        &[(
            "network.toml",
            "",
            "[[vlan.staff.reservations]]\nmac = \"02:00:5e:10:00:f0\"\naddress = \"10.10.8.9\"\nname = \"sw-core\"\n",
        )],
    ),
    // A reservation for a device of the plan, at its own address and by its own name, is that device.
    (
        "",
        &[(
            "network.toml",
            "gateway_device = \"ix-01\"\n\n[vlan.attendee]",
            "gateway_device = \"ix-01\"\npool = [\"10.10.0.101-10.10.0.101\", \"10.10.0.200-10.10.0.250\"]\ndhcp = { via = \"relay\" }\nreservations = [{ mac = \"02:00:5e:10:00:01\", address = \"10.10.0.101\", name = \"ap-1f-1\" }]\n\n[vlan.attendee]",
        )],
    ),
    (
        "address-twice name-twice pool-over-static",
        &[(
            "network.toml",
            "gateway_device = \"ix-01\"\n\n[vlan.attendee]",
            "gateway_device = \"ix-01\"\npool = [\"10.10.0.101-10.10.0.101\", \"10.10.0.200-10.10.0.250\"]\ndhcp = { via = \"relay\" }\nreservations = [{ mac = \"02:00:5e:10:00:02\", address = \"10.10.0.101\", name = \"ap-1f-1\" }]\n\n[vlan.attendee]",
        )],
    ),
    (
        "address-twice",
        &[
            ("inventory.csv", "R-01,router,nec-ix2105,,,", "R-01,router,nec-ix2105,,02:00:5e:10:00:f1,"),
            ("network.toml", "", "[[vlan.staff.reservations]]\nmac = \"02:00:5e:10:00:f1\"\naddress = \"10.10.8.1\"\n"),
        ],
    ),
    ("vlan-without-dhcp", &[("network.toml", "{ lease = \"4h\", via = \"relay\" }", "{ via = \"none\" }")]),
    (
        "relay-missing",
        &[(
            "network.toml",
            "{ lease = \"4h\", via = \"relay\" }",
            "{ lease = \"4h\", via = \"relay\", relay = \"ng-6f-3\" }",
        )],
    ),
    ("services-without-address", &[("network.toml", "address = \"10.12.0.10\"", "")]),
    ("server-unreachable*2", &[("network.toml", "to = \"pfsense\"", "to = \"sw-core\"")]),
    (
        "server-off-link",
        &[("network.toml", "{ lease = \"4h\", via = \"relay\" }", "{ lease = \"4h\", via = \"direct\" }")],
    ),
    (
        "services-outside-subnets",
        &[
            ("network.toml", "services = true", "services = false"),
            ("network.toml", "device = \"srv-01\"", "address = \"10.99.0.1\""),
        ],
    ),
    ("dns-upstream-missing", &[("network.toml", "dns.upstreams = [\"9.9.9.9\", \"149.112.112.112\"]", "")]),
    ("dns-upstream-single", &[("network.toml", "[\"9.9.9.9\", \"149.112.112.112\"]", "[\"9.9.9.9\"]")]),
    ("ntp-missing", &[("network.toml", "ntp = [\"10.12.0.10\"]", "")]),
    ("lease-long", &[("network.toml", "{ lease = \"1h\"", "{ lease = \"3h\"")]),
    (
        "lease-long lease-outlives-day",
        &[("network.toml", "{ lease = \"1h\"", "{ lease = \"12h\""), ("network.toml", "-10.11.15.254", "-10.11.9.254")],
    ),
    ("lease-short", &[("network.toml", "{ lease = \"1h\"", "{ lease = \"2m\"")]),
    // -- classes, options and limits of DHCP
    (
        "reservation-client-twice",
        &[(
            "network.toml",
            "",
            "[[vlan.staff.reservations]]\ncircuit_id = \"sw-1:7\"\naddress = \"10.10.8.9\"\n[[vlan.staff.reservations]]\ncircuit_id = \"sw-1:7\"\naddress = \"10.10.8.10\"\n",
        )],
    ),
    (
        "reservation-in-class-pool",
        &[
            ("network.toml", STAFF_POOL, STAFF_POOL_AND_CAMERAS),
            (
                "network.toml",
                "",
                "[[vlan.staff.reservations]]\nclient_id = \"camera\"\naddress = \"10.10.8.20\"\n[[vlan.staff.reservations]]\nmac = \"02:00:5e:10:00:f1\"\naddress = \"10.10.8.21\"\n[dhcp.class.camera]\nmac_prefix = \"02:00:5e\"\n",
            ),
        ],
    ),
    (
        "class-never-matches",
        &[
            ("network.toml", STAFF_POOL, STAFF_POOL_AND_CAMERAS),
            ("network.toml", "", "[dhcp.class.camera]\nlease = \"1h\"\n"),
        ],
    ),
    ("class-without-effect", &[("network.toml", "", "[dhcp.class.camera]\nvendor_class = \"Camera\"\n")]),
    (
        "pools-all-for-classes",
        &[
            ("network.toml", STAFF_POOL, "pool = [{ range = \"10.10.8.50-10.10.8.250\", class = \"camera\" }]"),
            ("network.toml", "", "[dhcp.class.camera]\nvendor_class = \"Camera\"\n"),
        ],
    ),
    // Pools of classes are checked like the others.
    (
        "pools-overlap",
        &[
            (
                "network.toml",
                STAFF_POOL,
                "pool = [\"10.10.8.50-10.10.8.250\", { range = \"10.10.8.60-10.10.8.70\", class = \"camera\" }]",
            ),
            ("network.toml", "", "[dhcp.class.camera]\nvendor_class = \"Camera\"\n"),
        ],
    ),
    (
        "pool-outside-subnet",
        &[
            (
                "network.toml",
                STAFF_POOL,
                "pool = [\"10.10.8.50-10.10.8.250\", { range = \"10.10.9.60-10.10.9.70\", class = \"camera\" }]",
            ),
            ("network.toml", "", "[dhcp.class.camera]\nvendor_class = \"Camera\"\n"),
        ],
    ),
    (
        "routes-without-default",
        &[("network.toml", STAFF_DHCP, "{ via = \"relay\", options = { routes = \"10.9.0.0/16 via 10.10.8.1\" } }")],
    ),
    (
        "route-off-link",
        &[(
            "network.toml",
            STAFF_DHCP,
            "{ via = \"relay\", options = { routes = [\"0.0.0.0/0 via 10.10.8.1\", \"10.9.0.0/16 via 10.10.9.1\"] } }",
        )],
    ),
    (
        "ipv6-only-without-ipv6",
        &[("network.toml", STAFF_DHCP, "{ lease = \"4h\", via = \"relay\", ipv6_only_wait = \"30m\" }")],
    ),
    (
        "ipv6-only-without-pref64",
        &[
            ("network.toml", STAFF_DHCP, "{ lease = \"4h\", via = \"relay\", ipv6_only_wait = \"30m\" }"),
            ("network.toml", "", "[vlan.staff.ipv6]\nprefix = \"2001:db8:8::/64\"\nrouter = \"fe80::1\"\n"),
        ],
    ),
    (
        "captive-portal-not-https",
        &[(
            "network.toml",
            STAFF_DHCP,
            "{ lease = \"4h\", via = \"relay\", captive_portal = \"http://portal.example/\" }",
        )],
    ),
    (
        "pressure-lease-longer",
        &[("network.toml", STAFF_DHCP, "{ lease = \"4h\", via = \"relay\", lease_under_pressure = \"5h\" }")],
    ),
    ("circuit-limit-low", &[("network.toml", "", "[dhcp]\nleases_per_circuit = 20\n")]),
    ("relay-limit-low", &[("network.toml", "", "[dhcp]\nleases_per_relay = 500\n")]),
    (
        "shared-network-alone",
        &[("network.toml", STAFF_DHCP, "{ lease = \"4h\", via = \"relay\", shared_network = \"hall\" }")],
    ),
    // Two subnets of one link have the link's identifier.
    (
        "",
        &[
            ("network.toml", STAFF_DHCP, "{ lease = \"4h\", via = \"relay\", shared_network = \"hall\" }"),
            (
                "network.toml",
                "",
                "[vlan.staff-more]\nid = 3002\nsubnet = \"10.10.9.0/24\"\nkind = \"staff\"\ngateway_device = \"ix-01\"\ndhcp = { shared_network = \"hall\" }\n",
            ),
        ],
    ),
    // -- IPv6
    (
        "ipv6-prefix-not-64",
        &[("network.toml", "", "[vlan.staff.ipv6]\nprefix = \"2001:db8:8::/60\"\nrouter = \"fe80::1\"\n")],
    ),
    (
        "ipv6-prefixes-overlap",
        &[(
            "network.toml",
            "",
            "[vlan.staff.ipv6]\nprefix = \"2001:db8:8::/64\"\nrouter = \"fe80::1\"\n[vlan.attendee.ipv6]\nprefix = \"2001:db8:8::/64\"\nrouter = \"fe80::1\"\n",
        )],
    ),
    (
        "ipv6-pool-wrong*3 ipv6-pools-overlap",
        &[(
            "network.toml",
            "",
            "[vlan.staff.ipv6]\nprefix = \"2001:db8:8::/64\"\nmode = \"stateful\"\nrouter = \"2001:db8:8::f\"\npool = [\"2001:db8:8::-2001:db8:8::2\", \"2001:db8:8::2-2001:db8:8::f\", \"2001:db8:9::1\"]\n",
        )],
    ),
    (
        "ipv6-reservation-wrong*5",
        &[(
            "network.toml",
            "",
            "[vlan.staff.ipv6]\nprefix = \"2001:db8:8::/64\"\nmode = \"stateful\"\nrouter = \"2001:db8:8::f\"\npool = \"2001:db8:8::100-2001:db8:8::1ff\"\nreservations = [{ mac = \"02:00:5e:00:53:01\", address = \"2001:db8:8::1\" }, { duid = \"hex:000102\", address = \"2001:db8:8::1\" }, { mac = \"02:00:5e:00:53:01\", address = \"2001:db8:8::2\" }, { duid = \"hex:000103\", address = \"2001:db8:8::f\" }, { duid = \"hex:000104\", address = \"2001:db8:8::\" }, { duid = \"hex:000105\", address = \"2001:db8:9::5\" }]\n",
        )],
    ),
    (
        "ipv6-pool-missing",
        &[(
            "network.toml",
            "",
            "[vlan.staff.ipv6]\nprefix = \"2001:db8:8::/64\"\nmode = \"stateful\"\nrouter = \"fe80::1\"\n",
        )],
    ),
    (
        "ipv6-router-off-link",
        &[("network.toml", "", "[vlan.staff.ipv6]\nprefix = \"2001:db8:8::/64\"\nrouter = \"2001:db8:9::1\"\n")],
    ),
    (
        "pref64-length",
        &[(
            "network.toml",
            "",
            "[vlan.staff.ipv6]\nprefix = \"2001:db8:8::/64\"\nrouter = \"fe80::1\"\npref64 = \"64:ff9b::/95\"\n",
        )],
    ),
    (
        "advertised-off-link",
        &[("network.toml", "", "[vlan.staff.ipv6]\nprefix = \"2001:db8:8::/64\"\nadvertise = true\n")],
    ),
    ("advertiser-missing", &[("network.toml", "", "[vlan.staff.ipv6]\nprefix = \"2001:db8:8::/64\"\n")]),
    ("telemetry-too-small", &[("network.toml", "\"4GiB\"", "\"100MiB\"")]),
    ("channel-not-apart", &[("network.toml", "\"5GHz\" = 40, \"2.4GHz\" = 11", "\"5GHz\" = 40, \"2.4GHz\" = 3")]),
    ("same-channel", &[("network.toml", "[132, 136]", "[132, 132]")]),
    (
        "wide-channel",
        &[("network.toml", "\"5GHz\" = 40, \"2.4GHz\" = 6", "\"5GHz\" = { number = 40, width = 40 }, \"2.4GHz\" = 6")],
    ),
    ("channel-not-allowed", &[("network.toml", "\"5GHz\" = 40, \"2.4GHz\" = 11", "\"5GHz\" = 149, \"2.4GHz\" = 11")]),
    (
        "access-point-without-ssid",
        &[(
            "network.toml",
            "address_from = \"10.10.0.155\"\nvlan = \"management\"\nssids = [\"attendee\"]",
            "address_from = \"10.10.0.155\"\nvlan = \"management\"\nssids = []",
        )],
    ),
    ("ssid-not-sent", &[("event.toml", "", "[ssid.other]\npassphrase = \"env:OTHER\"\nvlan = \"staff\"\n")]),
    ("no-isolation", &[("event.toml", "isolation = true", "isolation = false")]),
    ("open-network", &[("event.toml", "passphrase = \"env:PYCONJP_PSK\"", "")]),
    ("secret-in-plain-text", &[("event.toml", "\"env:PYCONJP_PSK\"", "\"a secret\"")]),
    ("secret-in-plain-text", &[("network.toml", "\"env:TUNNEL_PSK\"", "\"a secret\"")]),
    ("room-without-access-point", &[("timetable.csv", "Room D,2019-09-15,10:00", "NOC,2019-09-15,10:00")]),
    (
        "access-points-far-too-few",
        &[(
            "network.toml",
            "10.10.0.157\"\nvlan = \"management\"\nssids = [\"attendee\"]\nclients_max = 80",
            "10.10.0.157\"\nvlan = \"management\"\nssids = [\"attendee\"]\nclients_max = 20",
        )],
    ),
    (
        "access-points-too-few",
        &[(
            "network.toml",
            "10.10.0.157\"\nvlan = \"management\"\nssids = [\"attendee\"]\nclients_max = 80",
            "10.10.0.157\"\nvlan = \"management\"\nssids = [\"attendee\"]\nclients_max = 45",
        )],
    ),
    ("pool-too-small", &[("network.toml", "-10.11.15.254", "-10.11.3.254")]),
    ("pool-tight", &[("network.toml", "-10.11.15.254", "-10.11.7.254")]),
    (
        "pool-too-small*2",
        &[
            ("network.toml", "-10.11.15.254", "-10.11.3.254"),
            (
                "network.toml",
                "",
                "[vlan.other]\nid = 3003\nsubnet = \"10.13.0.0/24\"\nkind = \"attendee\"\ngateway_device = \"ix-01\"\n",
            ),
        ],
    ),
    ("seats-unknown", &[("venue.toml", "seats = 50 ", "seats = 0 ")]),
    ("uplink-oversubscribed", &[("network.toml", "down_mbps = 1000", "down_mbps = 300")]),
    (
        "uplink-missing",
        &[(
            "network.toml",
            "[uplink.venue]\ndevice = \"ix-01\"\ndown_mbps = 1000                # illustrative\nup_mbps = 1000                  # illustrative\n",
            "",
        )],
    ),
    (
        "single-point-of-failure",
        &[
            (
                "network.toml",
                "room = \"convention-ume\"\naddress_from",
                "rooms = [\"convention-ume\", \"convention-ume\", \"convention-ume\", \"room-c\"]\naddress_from",
            ),
            ("network.toml", "room = \"room-c\"\naddress_from", "room = \"room-e\"\naddress_from"),
            (
                "network.toml",
                "10.10.0.131\"\nvlan = \"management\"\nssids = [\"attendee\"]\nclients_max = 80",
                "10.10.0.131\"\nvlan = \"management\"\nssids = [\"attendee\"]\nclients_max = 120",
            ),
            ("cables.csv", "C-010,cat6,red,15,14,sw-4f-1:Gi0/11,sw-4f-2:Gi0/11\n", ""),
        ],
    ),
    (
        "room-used-before-access",
        &[(
            "venue.toml",
            "id = \"room-ab\"\naccess = \"2019-09-15T08:00\"",
            "id = \"room-ab\"\naccess = \"2019-09-15T11:00\"",
        )],
    ),
    (
        "no-time-to-set-up",
        &[(
            "venue.toml",
            "id = \"room-ab\"\naccess = \"2019-09-15T08:00\"",
            "id = \"room-ab\"\naccess = \"2019-09-15T09:50\"",
        )],
    ),
    ("talks-overlap", &[("timetable.csv", "2019-09-16,10:00,10:15", "2019-09-16,10:00,10:30")]),
    ("talk-outside-day", &[("timetable.csv", "2019-09-17,17:35,18:00", "2019-09-17,17:35,19:30")]),
    ("talk-room-unknown", &[("timetable.csv", "Room D,2019-09-15,10:00", "Room Z,2019-09-15,10:00")]),
    ("reading-note", &[("timetable.csv", "Room D,2019-09-15,10:00", ",2019-09-15,10:00")]),
    ("roster-gap", &[("event.toml", "close = \"18:30\"", "close = \"19:30\"")]),
    ("shifts-overlap", &[("roster.csv", "NOC member 7,2019-09-15,13:00", "NOC member 4,2019-09-15,13:00")]),
    ("shift-without-rest", &[("roster.csv", "NOC member 9,2019-09-17,14:00", "NOC member 9,2019-09-17,05:00")]),
    ("erase-date-missing", &[("event.toml", "erase_on = \"2019-10-31\"", "")]),
];

/// The model event with edits.
pub(super) fn changed(edits: &[Edit]) -> Vec<SourceFile> {
    let mut files = example("pyconjp-2019");
    for (name, from, to) in edits {
        let file = files.iter_mut().find(|file| file.name == *name).expect("a file of the model event");
        let text = String::from_utf8(std::mem::take(&mut file.bytes)).expect("UTF-8");
        assert!(text.contains(from), "`{name}` has no `{from}`");
        let text = if from.is_empty() { format!("{text}\n{to}") } else { text.replacen(from, to, 1) };
        file.bytes = text.into_bytes();
    }
    files
}

/// Findings that are not in `before`, wherever they are written.
fn new_findings(before: &[Finding], after: Vec<Finding>) -> Vec<Finding> {
    let known: BTreeSet<(&str, &str)> = before.iter().map(|found| (found.code, found.place.as_str())).collect();
    after.into_iter().filter(|found| !known.contains(&(found.code, found.place.as_str()))).collect()
}

/// Codes as in [`DEFECTS`].
fn counted(findings: &[Finding]) -> String {
    let count = |code: &&str| findings.iter().filter(|found| found.code == *code).count();
    let text = |code: &str| match count(&code) {
        1 => code.to_owned(),
        several => format!("{code}*{several}"),
    };
    codes(findings).into_iter().map(text).collect::<Vec<_>>().join(" ")
}

#[test]
fn each_defect_gives_exactly_its_findings() {
    let before = check(&load(&example("pyconjp-2019")));
    let mut wrong = String::new();
    for (wanted, edits) in DEFECTS {
        let after = match plan::load(&changed(edits), &[]) {
            Ok(plan) => check(&plan),
            Err(problems) => {
                wrong.push_str(&format!("{wanted}: not loaded: {problems:?}\n"));
                continue;
            }
        };
        let found = new_findings(&before, after);
        if counted(&found) != *wanted {
            wrong.push_str(&format!("wanted {wanted}, found:\n{}", shown(&found)));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_list_left_out_switches_its_rules_off() {
    let before = check(&load(&example("pyconjp-2019")));
    for name in ["inventory.csv", "cables.csv", "timetable.csv", "roster.csv"] {
        let files: Vec<SourceFile> = example("pyconjp-2019").into_iter().filter(|file| file.name != name).collect();
        let found = new_findings(&before, check(&load(&files)));
        assert_eq!(codes(&found), BTreeSet::from(["list-missing"]), "{name}:\n{}", shown(&found));
    }
}

#[test]
fn every_rule_is_met_by_a_test() {
    let mut met: BTreeSet<&str> = DEFECTS
        .iter()
        .flat_map(|(codes, _)| codes.split(' '))
        .map(|code| code.split_once('*').map_or(code, |(code, _)| code))
        .collect();
    met.remove("");
    met.extend(codes(&check(&load(&example("pyconjp-2019")))));
    met.insert("list-missing");
    let all: BTreeSet<&str> = RULES.iter().map(|rule| rule.code).collect();
    assert_eq!(met, all);
}
