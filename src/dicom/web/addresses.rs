//! Which addresses are public, and which others an archive may have.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)
}

const fn v6(head: [u16; 3], bits: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(head[0], head[1], head[2], 0, 0, 0, 0, 0), bits)
}

/// IPv4 networks without public hosts (IANA IPv4 Special-Purpose Address Registry, RFC 6890; multicast
/// RFC 5771).
const NOT_PUBLIC_V4: [Ipv4Net; 15] = [
    v4(0, 0, 0, 0, 8),       // this network
    v4(10, 0, 0, 0, 8),      // private
    v4(100, 64, 0, 0, 10),   // carrier-grade NAT
    v4(127, 0, 0, 0, 8),     // loopback
    v4(169, 254, 0, 0, 16),  // link-local: the metadata of cloud machines
    v4(172, 16, 0, 0, 12),   // private
    v4(192, 0, 0, 0, 24),    // protocol assignments
    v4(192, 0, 2, 0, 24),    // documentation
    v4(192, 88, 99, 0, 24),  // 6to4 relays
    v4(192, 168, 0, 0, 16),  // private
    v4(198, 18, 0, 0, 15),   // benchmarks
    v4(198, 51, 100, 0, 24), // documentation
    v4(203, 0, 113, 0, 24),  // documentation
    v4(224, 0, 0, 0, 4),     // multicast
    v4(240, 0, 0, 0, 4),     // reserved, broadcast
];

/// The only IPv6 block that is handed out (RFC 4291). What lies outside is loopback, unspecified,
/// link-local, unique local, multicast, or holds an IPv4 address (::/96, ::ffff:0:0/96, 64:ff9b::/96).
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0, 0], 3);

/// Parts of it without public hosts (IANA IPv6 Special-Purpose Address Registry).
const NOT_PUBLIC_V6: [Ipv6Net; 4] = [
    v6([0x2001, 0, 0], 23),     // protocol assignments, Teredo, ORCHID
    v6([0x2001, 0xdb8, 0], 32), // documentation
    v6([0x2002, 0, 0], 16),     // 6to4: an IPv4 address inside
    v6([0x3fff, 0, 0], 20),     // documentation
];

/// Networks of this machine itself, allowed by naming `localhost`.
const LOOPBACK: [IpNet; 2] =
    [IpNet::V4(v4(127, 0, 0, 0, 8)), IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128))];

/// The addresses one archive may have.
#[derive(Debug, Clone)]
pub(super) struct Permitted(Vec<IpNet>);

impl Permitted {
    /// Public addresses and `networks`; loopback too for `localhost`, since naming it says just that.
    pub(super) fn new(networks: &[IpNet], host: &str) -> Self {
        let loopback = if host == "localhost" { &LOOPBACK[..] } else { &[] };
        Self(networks.iter().chain(loopback).copied().collect())
    }

    /// Whether the address may be connected to. An IPv4 address in IPv6 clothes counts as what it is.
    pub(super) fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        is_public(address) || self.0.iter().any(|network| network.contains(&address))
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !NOT_PUBLIC_V4.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) => {
            GLOBAL_V6.contains(&address) && !NOT_PUBLIC_V6.iter().any(|network| network.contains(&address))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(permitted: &Permitted, addresses: &[&str]) -> Vec<bool> {
        addresses.iter().map(|address| permitted.allows(address.parse().unwrap())).collect()
    }

    #[test]
    fn public_addresses_are_allowed_and_no_others() {
        let nothing = Permitted::new(&[], "pacs.example");
        let public = ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1"];
        assert_eq!(all(&nothing, &public), [true; 5]);
        let inside = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.0.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "::10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::1",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
            "5f00::1",
        ];
        assert_eq!(all(&nothing, &inside), vec![false; inside.len()]);
    }

    #[test]
    fn a_listed_network_is_allowed_in_whatever_form_it_comes() {
        let listed = Permitted::new(&["10.0.0.0/8".parse().unwrap()], "pacs.example");
        assert_eq!(
            all(&listed, &["10.9.9.9", "::ffff:10.9.9.9", "::10.9.9.9", "127.0.0.1"]),
            [true, true, false, false]
        );
        let here = Permitted::new(&[], "localhost");
        assert_eq!(all(&here, &["127.0.0.1", "::1", "10.0.0.1", "0.0.0.0"]), [true, true, false, false]);
    }
}
