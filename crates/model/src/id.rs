use std::{borrow::Borrow, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as written in the plan.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().into()
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

name_type!(
    /// A room of the venue, e.g. `convention-ume`.
    RoomId
);
name_type!(
    /// A floor of the venue, e.g. `4F`.
    FloorId
);
name_type!(
    /// A place where hotstage or gear runs: `venue`, `cloud`.
    SiteId
);
name_type!(
    /// A device of the plan (router, switch, access point, server), e.g. `sw-4f-1`. Also its DNS label.
    DeviceId
);
name_type!(
    /// An SSID's key in the plan, e.g. `attendee` (the name on the air may differ).
    SsidId
);
name_type!(
    /// A VLAN's key in the plan, e.g. `attendee`.
    VlanName
);

/// An IEEE 802.1Q VLAN identifier, 1 to 4094.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VlanId(pub u16);

impl fmt::Display for VlanId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

/// A subnet that the DHCP server serves: the 802.1Q id of its VLAN, plus 4096 for each further subnet of a shared one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SubnetId(pub u32);

/// A port of a device, written `sw-4f-1:Gi0/1`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct PortRef {
    /// The device that has the port.
    pub device: DeviceId,
    /// The port's name in the device's own spelling.
    pub port: String,
}

impl PortRef {
    /// From `device:port`; `None` when either side is empty or there is no colon. The first colon separates.
    pub fn parse(text: &str) -> Option<Self> {
        let (device, port) = text.split_once(':')?;
        let (device, port) = (device.trim(), port.trim());
        (!device.is_empty() && !port.is_empty()).then(|| Self { device: device.into(), port: port.into() })
    }
}

impl fmt::Display for PortRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.device, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_references_need_both_sides() {
        let port = PortRef::parse("sw-4f-1:Gi0/1").unwrap();
        assert_eq!((port.device.as_str(), port.port.as_str()), ("sw-4f-1", "Gi0/1"));
        assert_eq!(port.to_string(), "sw-4f-1:Gi0/1");
        for text in ["sw-4f-1", ":1", "sw:", ""] {
            assert_eq!(PortRef::parse(text), None, "{text}");
        }
    }
}
