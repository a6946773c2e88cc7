//! Reply: what is read from a reply of a service, in whatever form the service wrote it.

use std::net::{IpAddr, SocketAddr};

use crate::address::first_in;

/// The vault's header about the address that it was asked from.
const NETWORK_INFO: &str = "x-ms-keyvault-network-info";

/// How replies name a network security perimeter, in prose and in codes: `ForbiddenByNsp`,
/// `errors/nsp-rejected`, `NspValidationFailedError`.
const PERIMETER: [&str; 6] = [
    "etwork security perimeter",
    "etwork Security Perimeter",
    "NSP",
    "ByNsp",
    "NspValidation",
    "/nsp-",
];

/// A reply as it was received, bounded: the headers of [`super::HEADERS`] alone, the body's beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The beginning of the body.
    pub body: String,
}

impl Reply {
    /// The value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Storage's error code: of the header, else of the XML or JSON body, as tables have it.
    pub(super) fn error_code(&self) -> Option<&str> {
        self.header("x-ms-error-code")
            .or_else(|| self.in_xml("<Code>"))
            .or_else(|| self.in_xml("<m:code>"))
            .or_else(|| self.in_json("\"code\""))
    }

    /// What a network security perimeter says that keeps the client out, in the service's own words.
    pub(super) fn words_of_perimeter(&self) -> Option<&str> {
        let says_so = |text: &str| PERIMETER.iter().any(|word| text.contains(word));
        if !matches!(self.status, 401 | 403) || !says_so(&self.body) {
            return None;
        }
        let in_json = ["\"message\"", "\"detail\"", "\"title\""];
        let in_json = in_json.iter().filter_map(|key| self.in_json(key));
        let in_xml = ["<Message>", "<m:message xml:lang=\"en-US\">"];
        let in_xml = in_xml.iter().filter_map(|tag| self.in_xml(tag));
        let words = in_json.chain(in_xml).find(|words| !words.is_empty());
        let words = words.unwrap_or("network security perimeter");
        // An id and a time follow on lines of their own.
        let first = words.split("\\n").next()?.lines().next()?;
        Some(first.trim().trim_end_matches('.'))
    }

    /// The text of the first element that begins with the tag `begin`.
    fn in_xml(&self, begin: &str) -> Option<&str> {
        let rest = self.body.split_once(begin)?.1;
        rest.split_once('<').map(|(text, _)| text)
    }

    /// The first text with the name `quoted`, as it is written.
    fn in_json(&self, quoted: &str) -> Option<&str> {
        let rest = self.body.split_once(quoted)?.1;
        let rest = rest.trim_start().strip_prefix(':')?;
        let rest = rest.trim_start().strip_prefix('"')?;
        rest.split_once('"').map(|(text, _)| text)
    }

    /// The client's address in the vault's header.
    pub(super) fn network_info(&self) -> Option<IpAddr> {
        self.header(NETWORK_INFO).and_then(network_info)
    }

    /// The client's address as a denial names it: in the vault's header, else in the body, where a JSON
    /// writer may have escaped the quotes around it.
    pub(super) fn names_client(&self) -> Option<IpAddr> {
        let in_body = || first_in(&self.body.replace("\\u0027", "'"));
        self.network_info().or_else(in_body)
    }
}

/// `conn_type=Ipv4;addr=10.1.2.3;act_addr_fam=InterNetwork;`. `None` where the vault itself names
/// the private endpoint that it was asked through (`conn_type=PrivateLink;private_endpoint=…`): then the
/// address is the caller's own, be its range public or not.
fn network_info(value: &str) -> Option<IpAddr> {
    let part = |name: &str| {
        let mut parts = value.split(';');
        parts.find_map(|part| part.trim().strip_prefix(name))
    };
    if part("private_endpoint=").is_some_and(|endpoint| !endpoint.is_empty()) {
        return None;
    }
    let address = part("addr=")?;
    let address = address.trim();
    let with_port = || address.parse::<SocketAddr>().map(|at| at.ip());
    address.parse().or_else(|_| with_port()).ok()
}
