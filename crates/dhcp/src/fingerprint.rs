//! Which kinds of device are there: from what a client asks for, and in which order.
//!
//! Counted, never kept by client. The rules name only what is plain; the rest is [`DeviceKind::Other`], and a kind is
//! a figure for the report, not something to decide by.

use crate::message::{MessageView, code};

/// A kind of device.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DeviceKind {
    /// macOS, iOS, iPadOS.
    Apple,
    /// Android.
    Android,
    /// Windows.
    Windows,
    /// Linux distributions.
    Linux,
    /// ChromeOS.
    ChromeOs,
    /// Printers.
    Printer,
    /// Access points.
    AccessPoint,
    /// Switches and routers.
    Switch,
    /// Desk telephones (VoIP).
    Phone,
    /// Firmware that boots from the network: PXE, iPXE, UEFI HTTP.
    NetworkBoot,
    /// Everything else.
    Other,
}

impl DeviceKind {
    /// All kinds, in the order of their figures.
    pub const ALL: [Self; 11] = [
        Self::Apple,
        Self::Android,
        Self::Windows,
        Self::Linux,
        Self::ChromeOs,
        Self::Printer,
        Self::AccessPoint,
        Self::Switch,
        Self::Phone,
        Self::NetworkBoot,
        Self::Other,
    ];

    /// Name in metrics and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Apple => "apple",
            Self::Android => "android",
            Self::Windows => "windows",
            Self::Linux => "linux",
            Self::ChromeOs => "chromeos",
            Self::Printer => "printer",
            Self::AccessPoint => "access-point",
            Self::Switch => "switch",
            Self::Phone => "phone",
            Self::NetworkBoot => "network-boot",
            Self::Other => "other",
        }
    }

    /// The kind that a client's message speaks for: by its vendor class (option 60), else by its parameter list
    /// (option 55).
    pub fn of(view: &MessageView<'_>) -> Self {
        let vendor = view.option(code::VENDOR_CLASS).unwrap_or_default();
        let list = view.option(code::PARAMETER_LIST).unwrap_or_default();
        Self::from_options(vendor, list)
    }

    /// The same from the data of options 60 and 55, empty if absent.
    pub fn from_options(vendor: &[u8], list: &[u8]) -> Self {
        Self::by_vendor(vendor).or_else(|| Self::by_list(list)).unwrap_or(Self::Other)
    }

    fn by_vendor(vendor: &[u8]) -> Option<Self> {
        VENDORS.iter().find(|(prefix, _)| vendor.starts_with(prefix.as_bytes())).map(|rule| rule.1)
    }

    fn by_list(list: &[u8]) -> Option<Self> {
        LISTS.iter().find(|(start, _)| list.starts_with(start)).map(|rule| rule.1)
    }
}

/// Starts of vendor classes, the longer of two first.
const VENDORS: &[(&str, DeviceKind)] = &[
    ("PXEClient", DeviceKind::NetworkBoot),
    ("HTTPClient", DeviceKind::NetworkBoot),
    ("MSFT ", DeviceKind::Windows),
    ("android-dhcp-", DeviceKind::Android),
    ("AAPLBSDPC", DeviceKind::NetworkBoot),
    ("dhcpcd-", DeviceKind::Linux),
    ("Linux", DeviceKind::Linux),
    ("Cisco AP", DeviceKind::AccessPoint),
    ("ArubaAP", DeviceKind::AccessPoint),
    ("ArubaInstantAP", DeviceKind::AccessPoint),
    ("Ruckus CPE", DeviceKind::AccessPoint),
    ("ubnt", DeviceKind::AccessPoint),
    ("MerakiAP", DeviceKind::AccessPoint),
    ("Cisco Systems, Inc. IP Phone", DeviceKind::Phone),
    ("ccp.avaya.com", DeviceKind::Phone),
    ("Polycom", DeviceKind::Phone),
    ("yealink", DeviceKind::Phone),
    ("snom", DeviceKind::Phone),
    ("ciscopnp", DeviceKind::Switch),
    ("Juniper", DeviceKind::Switch),
    ("Arista", DeviceKind::Switch),
    ("ArubaOS-CX", DeviceKind::Switch),
    ("Hewlett-Packard JetDirect", DeviceKind::Printer),
    ("Hewlett-Packard LaserJet", DeviceKind::Printer),
    ("EPSON", DeviceKind::Printer),
    ("Canon", DeviceKind::Printer),
    ("Brother", DeviceKind::Printer),
];

/// Starts of parameter lists of systems that send no vendor class, or not always.
const LISTS: &[(&[u8], DeviceKind)] = &[
    // mask, routes, router, name servers, domain; then with or without portal, search list, proxy, LDAP.
    (&[1, 121, 3, 6, 15, 108, 114, 119, 252], DeviceKind::Apple),
    (&[1, 121, 3, 6, 15, 114, 119, 252], DeviceKind::Apple),
    (&[1, 121, 3, 6, 15, 119, 252], DeviceKind::Apple),
    (&[1, 3, 6, 15, 119, 252], DeviceKind::Apple),
    (&[1, 3, 6, 15, 31, 33, 43, 44, 46, 47], DeviceKind::Windows),
    (&[1, 15, 3, 6, 44, 46, 47, 31, 33], DeviceKind::Windows),
    (&[1, 3, 6, 15, 26, 28, 51, 58, 59, 43], DeviceKind::Android),
    (&[1, 121, 33, 3, 6, 28, 51, 58, 59], DeviceKind::ChromeOs),
    (&[1, 28, 2, 3, 15, 6, 119, 12], DeviceKind::Linux),
    (&[1, 2, 6, 12, 15, 26, 28, 121, 3, 33, 40, 41, 42], DeviceKind::Linux),
    (&[1, 3, 12, 15, 6, 26, 33, 121], DeviceKind::Linux),
];

/// How many clients of each kind were served.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct KindCounts([u64; DeviceKind::ALL.len()]);

impl KindCounts {
    /// Counts one more.
    pub fn add(&mut self, kind: DeviceKind) {
        self.0[kind as usize] += 1;
    }

    /// Of one kind.
    pub fn of(&self, kind: DeviceKind) -> u64 {
        self.0[kind as usize]
    }

    /// Each kind's name and figure, zeros included.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        DeviceKind::ALL.into_iter().map(|kind| (kind.name(), self.of(kind)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_by_vendor_class_and_parameter_list() {
        let table: [(&[u8], &[u8], DeviceKind); 14] = [
            (b"MSFT 5.0", &[], DeviceKind::Windows),
            (b"MSFT 5.0", &[1, 3, 6, 15, 119, 252], DeviceKind::Windows),
            (b"", &[1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252], DeviceKind::Windows),
            (b"android-dhcp-14", &[1, 3, 6, 15, 26, 28, 51, 58, 59, 43], DeviceKind::Android),
            (b"", &[1, 3, 6, 15, 26, 28, 51, 58, 59, 43, 114, 108], DeviceKind::Android),
            (b"", &[1, 121, 3, 6, 15, 108, 114, 119, 252, 95, 44, 46], DeviceKind::Apple),
            (b"", &[1, 28, 2, 3, 15, 6, 119, 12, 44, 47, 26, 121, 42], DeviceKind::Linux),
            (b"PXEClient:Arch:00007:UNDI:003016", &[1, 2, 3], DeviceKind::NetworkBoot),
            (b"Cisco AP c9120", &[1, 6, 15, 43], DeviceKind::AccessPoint),
            (b"Cisco Systems, Inc. IP Phone CP-8845", &[], DeviceKind::Phone),
            (b"Hewlett-Packard JetDirect", &[], DeviceKind::Printer),
            (b"", &[], DeviceKind::Other),
            (b"\xff\0", &[1, 3], DeviceKind::Other),
            (b"MSF", &[1, 3, 6, 15], DeviceKind::Other),
        ];
        for (vendor, list, want) in table {
            assert_eq!(DeviceKind::from_options(vendor, list), want, "{vendor:?} {list:?}");
        }
    }

    #[test]
    fn figures_are_the_kinds_own() {
        let mut counts = KindCounts::default();
        for (index, kind) in DeviceKind::ALL.into_iter().enumerate() {
            (0..=index).for_each(|_| counts.add(kind));
        }
        let figures: Vec<_> = counts.iter().collect();
        assert_eq!((figures[0], figures[10]), (("apple", 1), ("other", 11)));
        let mut names: Vec<_> = figures.iter().map(|figure| figure.0).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 11);
    }
}
