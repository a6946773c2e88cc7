//! Records: what a DNS server knows, written as in a master file (RFC 1035 section 5).
//!
//! `name [ttl] TYPE data`, trailing dots optional. A SOA's data is `private` or `public`, as Azure's
//! private and public zones answer, or `mname rname`; a SRV's is `port target`.

use std::net::IpAddr;

use hickory_proto::rr::rdata::{A, AAAA, CNAME, SOA, SRV, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use serde::Deserialize;

const DEFAULT_TTL: u32 = 300;

/// One record, as a line of a data file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct RecordLine(Record);

/// A name that has records: absolute, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct RecordName(pub(crate) Name);

impl TryFrom<String> for RecordLine {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        record(&text)
            .map(Self)
            .map_err(|wrong| format!("record `{text}`: {wrong}"))
    }
}

impl TryFrom<String> for RecordName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        name(&text).map(Self)
    }
}

/// The records of one server.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Records(Vec<Record>);

impl Records {
    /// The records of `name` with type `kind`.
    pub(crate) fn of(&self, name: &Name, kind: RecordType) -> impl Iterator<Item = &Record> {
        self.0
            .iter()
            .filter(move |record| record.name == *name && record.record_type() == kind)
    }

    /// The alias that `name` is, and the name it leads to.
    pub(crate) fn alias(&self, name: &Name) -> Option<(&Record, &Name)> {
        self.of(name, RecordType::CNAME)
            .find_map(|record| match &record.data {
                RData::CNAME(CNAME(target)) => Some((record, target)),
                _ => None,
            })
    }

    /// Whether `name` has a record of any type, or lies between names that have (an empty
    /// non-terminal, RFC 8020).
    pub(crate) fn exists(&self, name: &Name) -> bool {
        self.0.iter().any(|record| name.zone_of(&record.name))
    }

    /// The SOA of the closest zone around `name`.
    pub(crate) fn zone_of(&self, name: &Name) -> Option<&Record> {
        self.0
            .iter()
            .filter(|record| record.record_type() == RecordType::SOA && record.name.zone_of(name))
            .max_by_key(|record| record.name.num_labels())
    }

    /// These records and the others.
    pub(crate) fn with(&self, others: &[RecordLine]) -> Self {
        let others = others.iter().map(|line| line.0.clone());
        Self(self.0.iter().cloned().chain(others).collect())
    }
}

impl<'a> FromIterator<&'a RecordLine> for Records {
    fn from_iter<I: IntoIterator<Item = &'a RecordLine>>(lines: I) -> Self {
        Self(lines.into_iter().map(|line| line.0.clone()).collect())
    }
}

impl RecordLine {
    /// The address that the record carries, if it carries one.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.0.data.ip_addr()
    }
}

/// `text` as an absolute name, in lower case.
fn name(text: &str) -> Result<Name, String> {
    let mut name = Name::from_str_relaxed(text)
        .map_err(|error| format!("`{text}` is no name: {error}"))?
        .to_lowercase();
    name.set_fqdn(true);
    Ok(name)
}

/// The SOA that Azure answers for `zone`, of its public servers or of its private zones.
pub(crate) fn azure_soa(zone: Name, private: bool) -> Result<Record, String> {
    let (mname, rname, minimum) = if private {
        (
            "azureprivatedns.net",
            "azureprivatedns-host.microsoft.com",
            10,
        )
    } else {
        (
            "ns1-01.azure-dns.com",
            "azuredns-hostmaster.microsoft.com",
            300,
        )
    };
    Ok(soa(zone, DEFAULT_TTL, name(mname)?, name(rname)?, minimum))
}

fn record(text: &str) -> Result<Record, String> {
    let mut words = text.split_whitespace().peekable();
    let owner = name(
        words
            .next()
            .ok_or("is empty: write `name [ttl] TYPE data`")?,
    )?;
    let ttl = match words.peek().map(|word| word.parse::<u32>()) {
        Some(Ok(ttl)) => {
            words.next();
            ttl
        }
        _ => DEFAULT_TTL,
    };
    let kind = words
        .next()
        .ok_or("has no type: write `name [ttl] TYPE data`")?;
    let data: Vec<&str> = words.collect();
    let address = |wanted: &str| {
        let [data] = data[..] else {
            return Err(format!("{kind} takes one {wanted}"));
        };
        data.parse::<IpAddr>()
            .map_err(|_| format!("`{data}` is no {wanted}"))
    };
    let data = match kind {
        "A" => match address("IPv4 address")? {
            IpAddr::V4(ip) => RData::A(A(ip)),
            IpAddr::V6(ip) => return Err(format!("{ip} is an IPv6 address: its type is AAAA")),
        },
        "AAAA" => match address("IPv6 address")? {
            IpAddr::V6(ip) => RData::AAAA(AAAA(ip)),
            IpAddr::V4(ip) => return Err(format!("{ip} is an IPv4 address: its type is A")),
        },
        "CNAME" => match data[..] {
            [target] => RData::CNAME(CNAME(name(target)?)),
            _ => return Err("CNAME takes one name".to_owned()),
        },
        "SRV" => match data[..] {
            [port, target] => {
                let port = port.parse().map_err(|_| format!("`{port}` is no port"))?;
                RData::SRV(SRV::new(0, 0, port, name(target)?))
            }
            _ => return Err("SRV takes a port and a name".to_owned()),
        },
        "TXT" => RData::TXT(TXT::new(vec![data.join(" ")])),
        "SOA" => {
            return match data[..] {
                ["private"] => azure_soa(owner, true),
                ["public"] => azure_soa(owner, false),
                [mname, rname] => Ok(soa(owner, ttl, name(mname)?, name(rname)?, 300)),
                _ => Err("SOA takes `private`, `public` or `mname rname`".to_owned()),
            };
        }
        other => {
            return Err(format!(
                "type `{other}` is none of A, AAAA, CNAME, SOA, SRV, TXT"
            ));
        }
    };
    Ok(Record::from_rdata(owner, ttl, data))
}

fn soa(zone: Name, ttl: u32, mname: Name, rname: Name, minimum: u32) -> Record {
    let data = SOA::new(mname, rname, 1, 3600, 300, 2_419_200, minimum);
    Record::from_rdata(zone, ttl, RData::SOA(data))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<RecordLine, String> {
        RecordLine::try_from(text.to_owned())
    }

    #[test]
    fn a_line_may_leave_out_its_ttl_and_its_dots() {
        let short = parsed("KV.vault.azure.net CNAME b.vault.azure.net").expect("a record");
        let long = parsed("kv.vault.azure.net. 300 CNAME b.vault.azure.net.").expect("a record");
        assert_eq!(short, long);
    }

    #[test]
    fn a_wrong_line_is_quoted_with_what_is_wrong() {
        for (line, wrong) in [
            ("", "is empty"),
            ("a", "has no type"),
            ("a MX b", "type `MX` is none of A,"),
            ("a A ::1", "its type is AAAA"),
            ("a AAAA 127.0.0.1", "its type is A"),
            ("a A 127.0.0", "`127.0.0` is no IPv4 address"),
            ("a A", "takes one IPv4 address"),
            ("a CNAME b c", "CNAME takes one name"),
            ("a SRV b", "SRV takes a port and a name"),
            ("a SRV b c", "`b` is no port"),
            ("a SOA hidden", "`private`, `public` or"),
        ] {
            let error = parsed(line).expect_err("no record");
            assert!(error.contains(&format!("record `{line}`")), "{error}");
            assert!(error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn the_closest_zone_is_the_longest_one_around_the_name() {
        let lines = [
            "azure.net SOA public",
            "kv.azure.net SOA private",
            "net SOA a b",
        ]
        .map(|line| parsed(line).expect("a record"));
        let records: Records = lines.iter().collect();
        let zone_of = |text| {
            let zone = records.zone_of(&name(text).expect("a name"));
            zone.map(|record| record.name.to_string())
        };
        assert_eq!(zone_of("x.kv.azure.net").as_deref(), Some("kv.azure.net."));
        assert_eq!(zone_of("kv.azure.net").as_deref(), Some("kv.azure.net."));
        assert_eq!(zone_of("xkv.azure.net").as_deref(), Some("azure.net."));
        assert_eq!(zone_of("example.com"), None);
    }
}
