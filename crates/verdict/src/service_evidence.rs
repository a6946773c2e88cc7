//! Service evidence: what a service may be asked before login, and what its reply proves.
//!
//! One row for each kind of service; each has its source in docs/service-evidence.md. Requests carry no
//! credentials, list nothing and change nothing; a reply is judged by marks that only the service itself
//! sets, not by its status alone, since a proxy can answer 403 too.

mod reply;

use std::net::IpAddr;

pub use self::reply::Reply;
use crate::sanitize::from_wire;
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
    /// The denial is that of a network security perimeter, whose rules do not apply to private endpoints
    /// (azure-docs, "What is a network security perimeter?").
    pub by_perimeter: bool,
}

/// The headers that some proof looks at; others need not be kept.
pub const HEADERS: &[&str] = &[
    "content-type",
    "docker-distribution-api-version",
    "location",
    "proxy-authenticate",
    "server",
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

/// The headers by which a device shows itself that replies in the service's place.
const TELLING: &[&str] = &[
    "server",
    "location",
    "proxy-authenticate",
    "www-authenticate",
];

/// What a kind of service may be asked before login, and what its reply proves.
#[derive(Debug, PartialEq)]
pub struct ServiceEvidence {
    word: &'static str,
    /// The request.
    pub request: Request,
    /// What only the service itself puts on a reply: the first that is there is told.
    marks: &'static [Mark],
    /// What the service says to those whom its network rules keep out.
    denials: &'static [Denial],
    /// Whether 403 can only be about the network, in whatever words: the vault's health asks for no
    /// login, and a registry asks for one with 401.
    every_403_denies: bool,
}

/// What only the service itself puts on a reply.
#[derive(Debug, PartialEq)]
enum Mark {
    /// A header.
    Header(&'static str),
    /// A challenge of `www-authenticate`, with this status where one is given.
    Challenge(&'static str, Option<u16>),
    /// A header of storage, told by its error code where there is one. A code of the body alone is no
    /// mark: other stores write theirs in the same form.
    StorageHeader(&'static str),
    /// A tracking id in the body.
    TrackingId,
}

/// What the service says to those whom its network rules keep out.
#[derive(Debug, PartialEq)]
enum Denial {
    /// A text of the body, with one of these statuses.
    Says(&'static [u16], &'static str),
    /// The registry's denial, which names the client's address.
    Registry,
    /// Storage's error code. Without credentials there is nothing to authorize but the network.
    StorageCode(&'static str),
}

/// A vault's words for public access that is off altogether: no network rule lets a client in then.
pub const PUBLIC_ACCESS_OFF: [&str; 2] =
    ["ForbiddenByConnection", "Public network access is disabled"];

const STORAGE_MARKS: &[Mark] = &[
    Mark::StorageHeader("x-ms-request-id"),
    Mark::StorageHeader("x-ms-error-code"),
];
const STORAGE_DENIALS: &[Denial] = &[Denial::StorageCode("AuthorizationFailure")];
const STORAGE_VERSION: &[(&str, &str)] = &[("x-ms-version", "2021-12-02")];

const fn get(path: &'static str) -> Request {
    Request {
        method: "GET",
        path,
        headers: &[],
    }
}

/// One row for each kind of service; the catalogue's column `evidence` names them.
static ALL: &[&ServiceEvidence] = &[
    &ServiceEvidence {
        word: "registry",
        request: get("/v2/"),
        marks: &[
            Mark::Challenge("Bearer realm=", Some(401)),
            Mark::Header("docker-distribution-api-version"),
            Mark::Header("x-ms-correlation-request-id"),
        ],
        denials: &[Denial::Registry],
        every_403_denies: true,
    },
    &ServiceEvidence {
        word: "key-vault",
        request: get("/healthstatus"),
        marks: &[
            Mark::Header("x-ms-keyvault-network-info"),
            Mark::Header("x-ms-keyvault-service-version"),
            Mark::Header("x-ms-request-id"),
        ],
        denials: &[
            Denial::Says(&[403], "ForbiddenByFirewall"),
            Denial::Says(&[403], PUBLIC_ACCESS_OFF[0]),
            Denial::Says(&[403], PUBLIC_ACCESS_OFF[1]),
            Denial::Says(&[403], "Client address is not authorized"),
            Denial::Says(&[403], "Client address isn't authorized"),
        ],
        every_403_denies: true,
    },
    &ServiceEvidence {
        word: "storage",
        request: Request {
            headers: STORAGE_VERSION,
            ..get("/?restype=service&comp=properties")
        },
        marks: STORAGE_MARKS,
        denials: STORAGE_DENIALS,
        every_403_denies: false,
    },
    // Its account-level request lists filesystems; the properties of one list nothing.
    &ServiceEvidence {
        word: "storage-dfs",
        request: Request {
            method: "HEAD",
            path: "/privatelink-prober?resource=filesystem",
            headers: STORAGE_VERSION,
        },
        marks: STORAGE_MARKS,
        denials: STORAGE_DENIALS,
        every_403_denies: false,
    },
    &ServiceEvidence {
        word: "storage-web",
        request: Request {
            method: "HEAD",
            ..get("/")
        },
        marks: STORAGE_MARKS,
        denials: STORAGE_DENIALS,
        every_403_denies: false,
    },
    &ServiceEvidence {
        word: "cosmos-db",
        request: get("/"),
        marks: &[
            Mark::Header("x-ms-activity-id"),
            Mark::Header("x-ms-gatewayversion"),
            Mark::Header("x-ms-serviceversion"),
        ],
        denials: &[
            Denial::Says(&[403], "Request originated from"),
            Denial::Says(&[403], "blocked by your Cosmos DB account firewall"),
        ],
        every_403_denies: false,
    },
    &ServiceEvidence {
        word: "app-configuration",
        request: get("/kv?api-version=1.0&key=privatelink-prober"),
        marks: &[
            Mark::Challenge("HMAC-SHA256", None),
            Mark::Header("x-ms-correlation-request-id"),
        ],
        denials: &[
            Denial::Says(&[403], "errors/ip-address-rejected"),
            Denial::Says(&[403], "errors/nsp-rejected"),
        ],
        every_403_denies: false,
    },
    &ServiceEvidence {
        word: "messaging",
        request: get("/privatelink-prober"),
        marks: &[Mark::TrackingId],
        denials: &[Denial::Says(
            &[401, 403],
            "Ip has been prevented to connect",
        )],
        every_403_denies: false,
    },
];

impl ServiceEvidence {
    /// Every kind.
    pub const ALL: &'static [&'static Self] = ALL;

    /// The catalogue's word for the kind.
    pub const fn word(&'static self) -> &'static str {
        self.word
    }

    /// What `reply` proves.
    pub fn prove(&self, reply: &Reply) -> Proof {
        let proof = |outcome, evidence: String, seen_from| Proof {
            outcome,
            evidence,
            seen_from,
            busy: false,
            by_perimeter: false,
        };
        let mark = self.marks.iter().find_map(|mark| mark.on(reply));
        let denial = self.denials.iter().find_map(|denial| denial.by(reply));
        if let Some(words) = mark.as_ref().and_then(|_| reply.words_of_perimeter()) {
            let evidence =
                denial.map_or_else(|| words.to_owned(), |code| format!("{code}: {words}"));
            let evidence = from_wire(&evidence).into_owned();
            return Proof {
                by_perimeter: true,
                ..proof(ReplyOutcome::Denied, evidence, reply.names_client())
            };
        }
        let denial = denial.or_else(|| {
            let mark = mark.as_ref()?;
            (self.every_403_denies && reply.status == 403)
                .then(|| format!("status 403 where no login is needed, {mark}"))
        });
        if let Some(evidence) = denial {
            return proof(ReplyOutcome::Denied, evidence, reply.names_client());
        }
        let Some(mark) = mark else {
            let kind = reply.header("content-type").unwrap_or("no content type");
            let mut evidence = format!(
                "status {} ({kind}), without any mark of the service",
                reply.status
            );
            for name in TELLING {
                if let Some(value) = reply.header(name) {
                    evidence.push_str(&format!("; {name}: {value}"));
                }
            }
            let evidence = from_wire(&evidence).into_owned();
            return proof(ReplyOutcome::Other, evidence, None);
        };
        let seen_from = reply.network_info();
        Proof {
            busy: reply.status == 429 || reply.status >= 500,
            ..proof(
                ReplyOutcome::Arrived,
                format!("status {}, {mark}", reply.status),
                seen_from,
            )
        }
    }
}

impl Mark {
    /// The mark in words, where it is on `reply`.
    fn on(&self, reply: &Reply) -> Option<String> {
        let header = |name: &str| reply.header(name).map(|_| format!("header {name}"));
        match self {
            Self::Header(name) => header(name),
            // Schemes and parameter names have no case (RFC 9110 section 11.1).
            Self::Challenge(text, status) => {
                let value = reply.header("www-authenticate")?.to_ascii_lowercase();
                let is_it = value.contains(&text.to_ascii_lowercase())
                    && status.is_none_or(|status| status == reply.status);
                is_it.then(|| format!("challenge {text}"))
            }
            Self::StorageHeader(name) => {
                let mark = header(name)?;
                let code = reply.error_code().map(|code| format!("error code {code}"));
                Some(code.unwrap_or(mark))
            }
            Self::TrackingId => reply
                .body
                .contains("TrackingId:")
                .then(|| "a TrackingId".to_owned()),
        }
    }
}

impl Denial {
    /// The denial in the service's words, where `reply` is one.
    fn by(&self, reply: &Reply) -> Option<String> {
        match self {
            Self::Says(statuses, text) => {
                let is_it = statuses.contains(&reply.status) && reply.body.contains(text);
                is_it.then(|| (*text).to_owned())
            }
            Self::Registry => {
                let is_it = reply.status == 403
                    && reply.body.contains("is not allowed access")
                    && reply.body.contains("DENIED");
                is_it.then(|| {
                    reply.names_client().map_or_else(
                        || "client is not allowed access".to_owned(),
                        |ip| format!("client with IP '{ip}' is not allowed access"),
                    )
                })
            }
            Self::StorageCode(denied) => {
                let code = reply.error_code().filter(|_| reply.status == 403)?;
                (code == *denied).then(|| code.to_owned())
            }
        }
    }
}
