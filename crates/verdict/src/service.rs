//! Service: what a service may be asked before anybody logs in, and what its reply proves.
//!
//! Every row has its source in docs/service-evidence.md. Requests carry no credentials, list nothing
//! and change nothing; a reply is judged by marks that only the service itself sets, not by its
//! status alone, since a proxy can answer 403 too.

use std::net::{IpAddr, SocketAddr};

use crate::words::words;

/// A request that needs no login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`, or `HEAD` where a body would say nothing more.
    pub method: &'static str,
    /// The path and query.
    pub path: &'static str,
    /// Headers beside those every request has.
    pub headers: &'static [(&'static str, &'static str)],
}

/// A reply as it was received, bounded: the headers of [`HEADERS`] alone, the body's beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The beginning of the body.
    pub body: String,
}

words! {
    /// What a reply proves, in a word.
    ReplyOutcome {
        /// The service itself answered, and lets this path in as far as can be told before login.
        Arrived = "arrived",
        /// The service itself denies this path.
        Denied = "denied",
        /// Something answered that is not the service.
        Other = "other",
        /// Nothing answered.
        NoReply = "no_reply",
    }
}

/// What a reply proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// In a word.
    pub outcome: ReplyOutcome,
    /// What of the reply says so.
    pub evidence: String,
    /// The address that the service says it was asked from.
    pub seen_from: Option<IpAddr>,
    /// The service itself has trouble: 5xx or 429.
    pub busy: bool,
}

/// The headers that some proof looks at; others need not be kept.
pub const HEADERS: &[&str] = &[
    "content-type",
    "docker-distribution-api-version",
    "www-authenticate",
    "x-ms-activity-id",
    "x-ms-correlation-request-id",
    "x-ms-error-code",
    "x-ms-gatewayversion",
    "x-ms-keyvault-network-info",
    "x-ms-keyvault-service-version",
    "x-ms-request-id",
    "x-ms-serviceversion",
];

/// What the service called `slug` may be asked; `None` where nothing is documented.
pub fn request(slug: &str) -> Option<Request> {
    let get = |path| Request {
        method: "GET",
        path,
        headers: &[],
    };
    Some(match slug {
        "container-registry" | "container-registry-geo" => get("/v2/"),
        "key-vault" => get("/healthstatus"),
        "storage-blob" | "storage-file" | "storage-queue" | "storage-table" => Request {
            headers: &[("x-ms-version", "2021-12-02")],
            ..get("/?restype=service&comp=properties")
        },
        // Its account-level request lists filesystems; the properties of one list nothing.
        "storage-dfs" => Request {
            method: "HEAD",
            headers: &[("x-ms-version", "2021-12-02")],
            path: "/privatelink-prober?resource=filesystem",
        },
        "storage-web" => Request {
            method: "HEAD",
            ..get("/")
        },
        "cosmos-db" | "cosmos-db-table" => get("/"),
        "app-configuration" => get("/kv?api-version=1.0&key=privatelink-prober"),
        "service-bus" | "event-hubs" => get("/privatelink-prober"),
        _ => return None,
    })
}

/// What `reply` proves of the service called `slug`.
pub fn prove(slug: &str, reply: &Reply) -> Proof {
    let proof = |outcome, evidence: String, seen_from| Proof {
        outcome,
        evidence,
        seen_from,
        busy: false,
    };
    let mark = mark(slug, reply);
    let denied = denial(slug, reply).or_else(|| {
        let mark = mark.as_ref()?;
        refuses_what_needs_no_login(slug, reply.status)
            .then(|| format!("status 403 where no login is needed, {mark}"))
    });
    if let Some(evidence) = denied {
        return proof(ReplyOutcome::Denied, evidence, address_in(&reply.body));
    }
    let Some(mark) = mark else {
        let kind = reply.header("content-type").unwrap_or("no content type");
        let evidence = format!(
            "status {} ({kind}), without any mark of the service",
            reply.status
        );
        return proof(ReplyOutcome::Other, evidence, None);
    };
    let seen_from = reply
        .header("x-ms-keyvault-network-info")
        .and_then(network_info);
    let busy = reply.status == 429 || reply.status >= 500;
    Proof {
        busy,
        ..proof(
            ReplyOutcome::Arrived,
            format!("status {}, {mark}", reply.status),
            seen_from,
        )
    }
}

/// A vault's words for public access that is off altogether: no network rule lets anybody in then.
pub const PUBLIC_ACCESS_OFF: [&str; 2] =
    ["ForbiddenByConnection", "Public network access is disabled"];

/// The service's own words for "not from where you come".
fn denial(slug: &str, reply: &Reply) -> Option<String> {
    let says = |text: &str| reply.body.contains(text).then(|| text.to_owned());
    match (slug, reply.status) {
        ("container-registry" | "container-registry-geo", 403) => {
            says("is not allowed access").filter(|_| reply.body.contains("DENIED"))?;
            Some(address_in(&reply.body).map_or_else(
                || "client is not allowed access".to_owned(),
                |ip| format!("client with IP '{ip}' is not allowed access"),
            ))
        }
        ("key-vault", 403) => says("ForbiddenByFirewall")
            .or_else(|| PUBLIC_ACCESS_OFF.into_iter().find_map(says))
            .or_else(|| says("Client address is not authorized"))
            .or_else(|| says("Client address isn't authorized")),
        (slug, 403) if slug.starts_with("storage-") => {
            let code = reply.error_code()?;
            // Without credentials there is nothing to authorize but the network.
            (code == "AuthorizationFailure").then(|| code.to_owned())
        }
        ("cosmos-db" | "cosmos-db-table", 403) => says("Request originated from")
            .or_else(|| says("blocked by your Cosmos DB account firewall")),
        ("app-configuration", 403) => {
            says("errors/ip-address-rejected").or_else(|| says("errors/nsp-rejected"))
        }
        ("service-bus" | "event-hubs", 401 | 403) => says("Ip has been prevented to connect"),
        _ => None,
    }
}

/// Whether 403 can only be about the network: the vault's health asks for no login, and a registry
/// asks for one with 401. So a denial in other words, or compressed, is one still.
fn refuses_what_needs_no_login(slug: &str, status: u16) -> bool {
    let open = matches!(
        slug,
        "container-registry" | "container-registry-geo" | "key-vault"
    );
    open && status == 403
}

/// The mark that only the service itself puts on a reply.
fn mark(slug: &str, reply: &Reply) -> Option<String> {
    let header = |name: &str| reply.header(name).map(|_| format!("header {name}"));
    // Schemes and parameter names have no case (RFC 9110 section 11.1).
    let challenge = |text: &str| {
        let value = reply.header("www-authenticate")?.to_ascii_lowercase();
        let known = value.contains(&text.to_ascii_lowercase());
        known.then(|| format!("challenge {text}"))
    };
    match slug {
        "container-registry" | "container-registry-geo" => challenge("Bearer realm=")
            .filter(|_| reply.status == 401)
            .or_else(|| header("docker-distribution-api-version"))
            .or_else(|| header("x-ms-correlation-request-id")),
        "key-vault" => header("x-ms-keyvault-network-info")
            .or_else(|| header("x-ms-keyvault-service-version"))
            .or_else(|| header("x-ms-request-id")),
        slug if slug.starts_with("storage-") => {
            // A code of the body alone is no mark: other stores write theirs in the same form.
            let mark = header("x-ms-request-id").or_else(|| header("x-ms-error-code"))?;
            let code = reply.error_code().map(|code| format!("error code {code}"));
            Some(code.unwrap_or(mark))
        }
        "cosmos-db" | "cosmos-db-table" => header("x-ms-activity-id")
            .or_else(|| header("x-ms-gatewayversion"))
            .or_else(|| header("x-ms-serviceversion")),
        "app-configuration" => {
            challenge("HMAC-SHA256").or_else(|| header("x-ms-correlation-request-id"))
        }
        "service-bus" | "event-hubs" => reply
            .body
            .contains("TrackingId:")
            .then(|| "a TrackingId".to_owned()),
        _ => None,
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

/// The first address that a denial names: `client IP 52.1.2.3`, `client with IP '52.1.2.3'`.
fn address_in(body: &str) -> Option<IpAddr> {
    body.split("IP").skip(1).find_map(|rest| {
        let rest = rest.trim_start_matches([' ', ':', '\'', '"', '{']);
        let end = rest.find(|c: char| !(c.is_ascii_hexdigit() || c == '.' || c == ':'))?;
        rest[..end].trim_end_matches(['.', ':']).parse().ok()
    })
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
    fn error_code(&self) -> Option<&str> {
        let between = |begin: &str, end: char| {
            let rest = self.body.split_once(begin)?.1;
            rest.split_once(end).map(|(code, _)| code)
        };
        let in_json = || {
            let rest = self.body.split_once("\"code\"")?.1;
            let rest = rest.trim_start().strip_prefix(':')?;
            let rest = rest.trim_start().strip_prefix('"')?;
            rest.split_once('"').map(|(code, _)| code)
        };
        self.header("x-ms-error-code")
            .or_else(|| between("<Code>", '<'))
            .or_else(|| between("<m:code>", '<'))
            .or_else(in_json)
    }
}
