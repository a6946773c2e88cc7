//! Advice about handshakes and certificates. Who can do something depends on whose service it is.

mod certificate;

use crate::case::Case;
use crate::fact::TlsFact;
use crate::observation::{Handshake, NoHandshake};
use crate::target::Protocol;

pub(super) const fn meaning(fact: &TlsFact) -> Option<&'static str> {
    match fact {
        TlsFact::HandshakeFailed {
            no_handshake: Some(no_handshake),
            ..
        } => Some(because(*no_handshake)),
        TlsFact::PrivatelinkName {
            is_only_name: true, ..
        } => Some("The certificate is another resource's: its own would cover this name."),
        TlsFact::UnknownIssuer {
            self_signed: true, ..
        } => Some("The certificate is signed by itself, which nobody else vouches for."),
        TlsFact::PrivateRoot { own_ca: true, .. } => {
            Some("The API server's certificate ends in its cluster's own authority, as it should.")
        }
        _ => None,
    }
}

const fn because(why: NoHandshake) -> &'static str {
    match why {
        NoHandshake::NothingInCommon => {
            "The server has no TLS version or cipher suite in common with the agent."
        }
        NoHandshake::NoTls => "What answers is a server that offers no TLS.",
        NoHandshake::ServerFull => "The server is reached, and takes no more connections.",
        NoHandshake::ServerError => {
            "What answers speaks the protocol, and refuses with an error of its own before TLS."
        }
        NoHandshake::OtherProtocol => "What answers speaks another protocol.",
        NoHandshake::UnknownName => "What answers does not serve this name.",
        NoHandshake::ClientRefused => "What answers speaks TLS, and does not let this client in.",
        NoHandshake::PeerTrouble => "What answers speaks TLS, and has trouble of its own.",
        NoHandshake::EndedBeforeTls => {
            "The peer closed or reset the connection before TLS could begin."
        }
        NoHandshake::TlsFirst => "The server expects TLS before anything else.",
    }
}

pub(super) fn remedy(case: &Case<'_>, fact: &TlsFact) -> Option<String> {
    match fact {
        TlsFact::HandshakeFailed {
            no_handshake: Some(no_handshake),
            ..
        } => Some(despite(case, *no_handshake)),
        TlsFact::HandshakeFailed {
            handshake: Handshake::Interrupted,
            ..
        } if case.target.service.is_none() => Some(
            "Check that the service expects TLS on this port, then look for a firewall or proxy that cuts \
             connections by the name in the handshake."
                .to_owned(),
        ),
        _ => certificate::remedy(case, fact),
    }
}

/// What to do about a handshake that was not completed.
fn despite(case: &Case<'_>, why: NoHandshake) -> String {
    let is_azure = case.target.service.is_some();
    let (host, name, port) = (case.host(), case.target.server_name(), case.target.port);
    match why {
        NoHandshake::NothingInCommon => {
            "Try another client, such as openssl s_client: if it succeeds, allow AES-GCM cipher suites at \
             the server, else check that port and protocol belong together."
                .to_owned()
        }
        NoHandshake::NoTls if is_azure => format!(
            "Find out what has this address: the Azure service always offers TLS, so another server \
             answers in place of {host}."
        ),
        NoHandshake::NoTls => {
            "Turn TLS on in the server, or write `protocol: tcp` if it is meant to do without.".to_owned()
        }
        NoHandshake::ServerFull => {
            "Look at the server's limit of connections and at who holds them: it is reached, and full."
                .to_owned()
        }
        NoHandshake::ServerError => format!(
            "Do what the server's error asks for; if it does not fit {host}, the address belongs to \
             another server or to a gateway, and the record has to be corrected."
        ),
        NoHandshake::OtherProtocol if is_azure => format!(
            "Correct the record, or the device that answers: what has this address is not {host}, which \
             never speaks this protocol on port {port}."
        ),
        NoHandshake::OtherProtocol => format!(
            "Check that protocol and port {port} belong together, and that the address is the service's."
        ),
        NoHandshake::UnknownName if is_azure => format!(
            "Correct the record of {host}: it leads to another resource, or to a gateway that does not \
             serve this name."
        ),
        NoHandshake::UnknownName => format!(
            "Make the server serve {name}, or set serverName to a name that it serves; if the address \
             is not the service's, correct the record."
        ),
        NoHandshake::ClientRefused => {
            "Find out which gateway or server refuses, and which clients it lets in: its alert is about \
             the client, not about versions or cipher suites."
                .to_owned()
        }
        NoHandshake::PeerTrouble => {
            "Look at the log of the server, or of the proxy before it: its alert is internal_error, so it \
             is not a matter of TLS versions."
                .to_owned()
        }
        NoHandshake::TlsFirst => {
            "Write `protocol: tls` for this target: the server demands strict encryption (TDS 8)."
                .to_owned()
        }
        NoHandshake::EndedBeforeTls if is_azure => format!(
            "Look for a firewall or proxy that cuts connections to this address, and check that the \
             address is that of {host}: no name was sent yet that one could cut by."
        ),
        NoHandshake::EndedBeforeTls if case.target.protocol == Protocol::Tds => {
            "Write `protocol: tls` if the server demands strict encryption (TDS 8); else look for a \
             firewall or proxy that cuts connections to this address."
                .to_owned()
        }
        NoHandshake::EndedBeforeTls => format!(
            "Check that protocol and port {port} belong together, then look for a firewall or proxy that \
             cuts connections to this address."
        ),
    }
}
