use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An IEEE 802 MAC-48 address. Displayed as `02:00:5e:00:53:01`; parsed from `:`, `-`, `.` or bare notation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Every station on the link.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// True for addresses that are not burned in (bit 1 of the first octet): randomised phones, virtual machines.
    pub const fn is_locally_administered(self) -> bool {
        self.0[0] & 0b10 != 0
    }

    /// True for group addresses (bit 0 of the first octet), which no single interface owns.
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 0b1 != 0
    }
}

/// Not a MAC-48 address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParseMacError;

impl fmt::Display for ParseMacError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("not a MAC address: six hexadecimal octets such as `02:00:5e:00:53:01`")
    }
}

impl std::error::Error for ParseMacError {}

impl FromStr for Mac {
    type Err = ParseMacError;

    fn from_str(text: &str) -> Result<Self, ParseMacError> {
        let bytes = text.as_bytes();
        let every = match bytes.len() {
            17 => 2,
            14 => 4,
            12 => usize::MAX,
            _ => return Err(ParseMacError),
        };
        let mut nibbles = 0;
        let mut octets = [0; 6];
        let mut since_separator = 0;
        for &byte in bytes {
            if since_separator == every && nibbles < 12 {
                if !matches!(byte, b':' | b'-' | b'.') {
                    return Err(ParseMacError);
                }
                since_separator = 0;
                continue;
            }
            let value = char::from(byte).to_digit(16).ok_or(ParseMacError)?;
            let octet: &mut u8 = octets.get_mut(nibbles / 2).ok_or(ParseMacError)?;
            *octet = (*octet << 4) | u8::try_from(value).map_err(|_| ParseMacError)?;
            nibbles += 1;
            since_separator += 1;
        }
        if nibbles == 12 { Ok(Self(octets)) } else { Err(ParseMacError) }
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(formatter, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for Mac {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mac {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_the_notations_of_vendors() {
        let want = Mac([0x02, 0, 0x5e, 0, 0x53, 0x01]);
        for text in ["02:00:5e:00:53:01", "02-00-5E-00-53-01", "0200.5e00.5301", "02005e005301"] {
            assert_eq!(text.parse(), Ok(want), "{text}");
        }
        for text in ["", "02:00:5e:00:53", "02:00:5e:00:53:0g", "0200:5e00:53:1", "02:00:5e:00:53:01:02", "あいうえ12"]
        {
            assert_eq!(text.parse::<Mac>(), Err(ParseMacError), "{text}");
        }
        assert_eq!(want.to_string(), "02:00:5e:00:53:01");
        assert!(want.is_locally_administered() && !want.is_multicast());
    }
}
