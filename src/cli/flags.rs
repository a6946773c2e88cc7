//! Flags: what `check` may be told of its hosts on the command line.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, ArgAction, Args, Command};
use privatelink_config::HostOptions;
use privatelink_verdict::target::{Expectation, Protocol};

/// What the command line says of the hosts to check. Values are read as those of a configuration
/// file are, so that the same rules and messages apply.
#[derive(Args, Clone, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch that is typed by itself"
)]
#[command(next_help_heading = "What to expect and how to ask")]
pub struct HostFlags {
    /// DNS server to ask, instead of every configured resolver; repeat to compare.
    ///
    /// The first is called `system` and judged; the others are called by their address, and a
    /// difference to the first is a finding. Without it, /etc/resolv.conf is used.
    #[arg(long = "resolver", value_name = "IP[:PORT]")]
    pub resolvers: Vec<String>,

    /// What the address should be.
    ///
    /// Hosts given on the command line default to privateEndpoint: a public address fails, however
    /// well the connection goes.
    #[arg(long, value_name = "EXPECTATION", value_parser = Words(expectations))]
    pub expect: Option<String>,

    /// Network in which the private endpoint lives; repeat for more. Any other private address
    /// fails.
    #[arg(long = "expected-cidr", value_name = "CIDR")]
    pub expected_cidrs: Vec<String>,

    /// Network whose addresses are private here, though they do not look it; repeat for more.
    #[arg(long, value_name = "CIDR")]
    pub classify_private: Vec<String>,

    /// Network whose addresses are public here, though they do not look it; repeat for more.
    #[arg(long, value_name = "CIDR")]
    pub classify_public: Vec<String>,

    /// Private DNS zone of a service that the catalogue does not know.
    #[arg(long, value_name = "ZONE")]
    pub private_zone: Option<String>,

    /// Name the certificate must cover, if it is not the host.
    #[arg(long, value_name = "NAME")]
    pub server_name: Option<String>,

    /// PEM bundle of root certificates, added to the built-in ones; repeat for more.
    #[arg(long = "ca-file", value_name = "FILE")]
    pub ca_files: Vec<String>,

    /// Port, if it is not the service's usual one (443 outside the catalogue).
    #[arg(long, value_name = "PORT")]
    pub port: Option<String>,

    /// How the handshake begins; tcp connects only.
    #[arg(long, value_name = "PROTOCOL", value_parser = Words(protocols))]
    pub protocol: Option<String>,

    /// Budget of one probe, at least 2s.
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<String>,

    /// Ask the service itself for evidence, without credentials.
    #[arg(long, action = ArgAction::SetTrue)]
    pub http: bool,

    /// Ask the service nothing: stop after the handshake.
    #[arg(long, action = ArgAction::SetTrue, conflicts_with = "http")]
    pub no_http: bool,

    /// Ask for IPv4 addresses only.
    #[arg(short = '4', long = "ipv4-only", conflicts_with = "ipv6_only")]
    pub ipv4_only: bool,

    /// Ask for IPv6 addresses only.
    #[arg(short = '6', long = "ipv6-only")]
    pub ipv6_only: bool,
}

impl From<HostFlags> for HostOptions {
    fn from(flags: HostFlags) -> Self {
        // Exhaustive: a new flag must be put to use here.
        let HostFlags {
            resolvers,
            expect,
            expected_cidrs,
            classify_private,
            classify_public,
            private_zone,
            server_name,
            ca_files,
            port,
            protocol,
            timeout,
            http,
            no_http,
            ipv4_only,
            ipv6_only,
        } = flags;
        Self {
            resolvers,
            expect,
            expected_cidrs,
            classify_private,
            classify_public,
            private_zone,
            server_name,
            ca_files,
            port,
            protocol,
            timeout,
            http,
            no_http,
            ipv4_only,
            ipv6_only,
        }
    }
}

#[cfg(feature = "observer")]
impl HostFlags {
    /// What is typed to say the same.
    pub(super) fn to_arguments(&self) -> Vec<String> {
        // Exhaustive: a new flag must be passed on here.
        let Self {
            resolvers,
            expect,
            expected_cidrs,
            classify_private,
            classify_public,
            private_zone,
            server_name,
            ca_files,
            port,
            protocol,
            timeout,
            http,
            no_http,
            ipv4_only,
            ipv6_only,
        } = self;
        let lists = [
            ("resolver", resolvers),
            ("expected-cidr", expected_cidrs),
            ("classify-private", classify_private),
            ("classify-public", classify_public),
            ("ca-file", ca_files),
        ];
        let values = [
            ("expect", expect),
            ("private-zone", private_zone),
            ("server-name", server_name),
            ("port", port),
            ("protocol", protocol),
            ("timeout", timeout),
        ];
        let switches = [
            ("http", *http),
            ("no-http", *no_http),
            ("ipv4-only", *ipv4_only),
            ("ipv6-only", *ipv6_only),
        ];
        let lists = lists
            .into_iter()
            .flat_map(|(name, list)| list.iter().map(move |value| (name, value)));
        let values = values
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_ref()?)));
        let switches = switches.into_iter().filter(|(_, is_set)| *is_set);
        lists
            .chain(values)
            .map(|(name, value)| format!("--{name}={value}"))
            .chain(switches.map(|(name, _)| format!("--{name}")))
            .collect()
    }
}

/// A value that shells complete with these words. Any other text is let through: what reads it knows
/// better why it is wrong, and which word is near.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words(pub(super) fn() -> Vec<&'static str>);

impl TypedValueParser for Words {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0().into_iter().map(PossibleValue::new)))
    }
}

fn expectations() -> Vec<&'static str> {
    Expectation::ALL.iter().map(|word| word.as_str()).collect()
}

fn protocols() -> Vec<&'static str> {
    Protocol::ALL.iter().map(|word| word.as_str()).collect()
}
