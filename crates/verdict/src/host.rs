//! Host: the DNS name of a target as people write it, and why a text is none.

use std::net::IpAddr;

use crate::name::normalised;
use crate::sanitize::quoted;

/// Longest name and label, without the trailing dot (RFC 1035 section 2.3.4).
pub const LONGEST_NAME: usize = 253;
/// The longest label.
pub const LONGEST_LABEL: usize = 63;

/// Why a text is not a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotAHost {
    /// Nothing is written.
    Empty,
    /// An IP address, with or without brackets.
    Address,
    /// A name in letters that DNS carries in punycode.
    NotAscii,
    /// A URL, or a host with a path; the host in it.
    Url(String),
    /// A host with a port; the port, if it is a number.
    WithPort(String, Option<u16>),
    /// A pattern.
    Wildcard,
    /// A name that is longer than [`LONGEST_NAME`]: its length.
    TooLong(usize),
    /// A label is wrong.
    Label(BrokenLabel),
    /// The last label is a number: an IPv4 address with a typo (RFC 1123 section 2.1).
    EndsInNumber,
}

/// What is wrong with a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrokenLabel {
    /// Nothing between two dots.
    Empty,
    /// Longer than [`LONGEST_LABEL`]: its length.
    TooLong(usize),
    /// A character that no host name has.
    Character(char),
    /// A hyphen at an end.
    Hyphen,
}

impl NotAHost {
    /// What is wrong with the host `text`.
    pub fn message(&self, text: &str) -> String {
        let host = quoted(text);
        let no_host = |what: &str| format!("{host} is not a host name{what}");
        match self {
            Self::Empty => "the host is empty".to_owned(),
            Self::Address => format!("the host {host} is an IP address"),
            Self::NotAscii => {
                format!("the host {host} is not ASCII: DNS carries such names in punycode")
            }
            Self::Url(_) | Self::WithPort(..) | Self::Wildcard => no_host(""),
            Self::TooLong(length) => format!(
                "the host name has {length} characters; a DNS name has at most {LONGEST_NAME}"
            ),
            Self::Label(BrokenLabel::Empty) => {
                no_host(": it has an empty label (two dots in a row, or a leading dot)")
            }
            Self::Label(BrokenLabel::TooLong(length)) => no_host(&format!(
                ": a label has {length} characters; DNS allows {LONGEST_LABEL}"
            )),
            Self::Label(BrokenLabel::Character(odd)) => no_host(&format!(
                ": {} is not allowed in it",
                quoted(&odd.to_string())
            )),
            Self::Label(BrokenLabel::Hyphen) => no_host(": a label starts or ends with a hyphen"),
            Self::EndsInNumber => no_host(": it ends in a number"),
        }
    }

    /// What to write instead.
    pub fn help(&self) -> Option<String> {
        let alone = |host: &str| format!("write the host alone: {}", quoted(host));
        Some(match self {
            Self::Empty | Self::EndsInNumber => "write the name that applications use".to_owned(),
            Self::Address => "write the name that applications use: the probe is about how it \
                              resolves and which certificate answers to it"
                .to_owned(),
            Self::NotAscii => {
                "write the form that starts with `xn--`, as applications send it".to_owned()
            }
            Self::Url(host) | Self::WithPort(host, None) => alone(host),
            Self::WithPort(host, Some(port)) => {
                format!("write the host alone, {}, and `port: {port}`", quoted(host))
            }
            Self::Wildcard => {
                "a wildcard cannot be resolved: write a name that exists below it".to_owned()
            }
            Self::TooLong(_) | Self::Label(_) => return None,
        })
    }
}

/// Reads a host; the result is in lower case and has no trailing dot.
pub fn parse(text: &str) -> Result<String, NotAHost> {
    if let Some(other) = something_else(text) {
        return Err(other);
    }
    let host = normalised(text);
    if host.len() > LONGEST_NAME {
        return Err(NotAHost::TooLong(host.len()));
    }
    if let Some(broken) = host.split('.').find_map(broken_label) {
        return Err(NotAHost::Label(broken));
    }
    let last = host.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotAHost::EndsInNumber);
    }
    Ok(host)
}

/// Other things that people write in the place of a host.
fn something_else(text: &str) -> Option<NotAHost> {
    if text.is_empty() || text == "." {
        return Some(NotAHost::Empty);
    }
    let address = text.trim_start_matches('[').trim_end_matches(']');
    if address.parse::<IpAddr>().is_ok() {
        return Some(NotAHost::Address);
    }
    if !text.is_ascii() {
        return Some(NotAHost::NotAscii);
    }
    if let Some((_, rest)) = text.split_once("://") {
        let host = rest.split(['/', ':', '?']).next().unwrap_or_default();
        return Some(NotAHost::Url(host.to_owned()));
    }
    if let Some((host, _)) = text.split_once('/') {
        return Some(NotAHost::Url(host.to_owned()));
    }
    if let Some((host, port)) = text.split_once(':') {
        return Some(NotAHost::WithPort(host.to_owned(), port.parse().ok()));
    }
    text.contains('*').then_some(NotAHost::Wildcard)
}

fn broken_label(label: &str) -> Option<BrokenLabel> {
    if label.is_empty() {
        return Some(BrokenLabel::Empty);
    }
    if label.len() > LONGEST_LABEL {
        return Some(BrokenLabel::TooLong(label.len()));
    }
    // RFC 952 allows no underscore in a host name, but such names resolve and are in use.
    let odd = |c: &char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if let Some(odd) = label.chars().find(odd) {
        return Some(BrokenLabel::Character(odd));
    }
    (label.starts_with('-') || label.ends_with('-')).then_some(BrokenLabel::Hyphen)
}
