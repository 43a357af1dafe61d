//! Which addresses an event may go to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Which addresses an event may go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Those of the internet alone.
    Public,
    /// Any.
    Anywhere,
    /// Those of this machine and of private networks, as the events are not
    /// encrypted.
    Private,
}

impl Reach {
    pub(super) fn allows(self, address: IpAddr) -> bool {
        match self {
            Self::Public => is_public(address),
            Self::Anywhere => true,
            Self::Private => !is_public(address),
        }
    }

    /// Why an address is not allowed, and what to do.
    pub(super) fn refusal(self) -> &'static str {
        match self {
            Self::Public | Self::Anywhere => {
                "WEBHOOK_URL leads to a private address; with WEBHOOK_ALLOW_PRIVATE=true it may"
            }
            Self::Private => {
                "WEBHOOK_URL leads to a public address, which it may do with https:// alone"
            }
        }
    }
}

/// Whether it is an address that anybody can reach, by the registries of
/// special-purpose addresses.
/// <https://www.iana.org/assignments/iana-ipv4-special-registry>
/// <https://www.iana.org/assignments/iana-ipv6-special-registry>
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(embedded) => is_public_v4(embedded),
            // What is given out of the rest so far: 2000::/3.
            None => address.segments()[0] & 0xe000 == 0x2000 && !is_reserved(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    // This network; this machine; multicast and what is reserved; what customers
    // of a carrier share; protocol assignments; relays of 6to4; benchmarks
    let is_special = matches!(
        (a, b, c),
        (0 | 127 | 224.., ..)
            | (100, 64..=127, _)
            | (192, 0, 0)
            | (192, 88, 99)
            | (198, 18 | 19, _)
    );
    // The metadata of clouds is at a link-local address.
    !(is_special || address.is_private() || address.is_link_local() || address.is_documentation())
}

/// The IPv4 address to which this one leads by way of a translator or a tunnel.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let of = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        // Mapped and compatible, and the translation of RFC 6052
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(of(high, low))
        }
        // 6to4
        [0x2002, high, low, ..] => Some(of(high, low)),
        _ => None,
    }
}

/// Teredo and other protocol assignments, and documentation.
fn is_reserved(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    (a == 0x2001 && (b < 0x0200 || b == 0x0db8)) || (a == 0x3fff && b < 0x1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_not_everybody_reaches_is_private() {
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.8.8.8",
            "169.254.169.254",
            "169.254.170.2",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a00:1",
            "64:ff9b:1::808:808",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert!(!is_public(address), "{address}");
            assert!(!Reach::Public.allows(address) && Reach::Private.allows(address));
        }
        for address in [
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
            "2606:4700::1111",
            "2a00:1450:4001::1",
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert!(is_public(address), "{address}");
            assert!(Reach::Public.allows(address) && !Reach::Private.allows(address));
            assert!(Reach::Anywhere.allows(address));
        }
    }
}
