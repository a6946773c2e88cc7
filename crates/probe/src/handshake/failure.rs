//! Failure: why a handshake failed, in words for people.

use std::io;

use privatelink_verdict::observation::{Handshake, NoHandshake};
use privatelink_verdict::sanitize::from_wire;
use rustls::{AlertDescription, Error, InvalidMessage};

/// Bytes that are shown of a peer that speaks something else.
pub(super) const MAX_SHOWN: usize = 48;

/// Why a handshake failed.
#[derive(Debug)]
pub(super) struct HandshakeFailure {
    pub(super) outcome: Handshake,
    pub(super) detail: String,
    /// It is what a server does that asked for a client certificate and got none.
    pub(super) wants_client_certificate: bool,
    /// What the peer's alert or bytes say of it.
    pub(super) no_handshake: Option<NoHandshake>,
}

/// What `error` means, after the peer sent `consent` to its protocol's start and then `received`: its first
/// and its last bytes.
pub(super) fn failure(error: &io::Error, consent: &[u8], received: &[u8]) -> HandshakeFailure {
    let inner = error.get_ref();
    let tls = inner.and_then(|inner| inner.downcast_ref::<Error>());
    let alert = match tls {
        Some(Error::AlertReceived(alert)) => Some(*alert),
        Some(_) => None,
        None => last_alert(received),
    };
    let (outcome, detail) = match (tls, alert) {
        (_, Some(alert)) => by_tls(&Error::AlertReceived(alert), consent, received),
        (Some(tls), None) => by_tls(tls, consent, received),
        (None, None) => by_network(error),
    };
    HandshakeFailure {
        outcome,
        detail: from_wire(&detail).into_owned(),
        wants_client_certificate: alert.map_or(outcome == Handshake::Interrupted, |alert| {
            refuses_client(alert)
        }),
        no_handshake: match (tls, alert) {
            (_, Some(alert)) => no_handshake(alert),
            (Some(Error::PeerIncompatible(_)), None) => Some(NoHandshake::NothingInCommon),
            (Some(Error::InvalidMessage(_)), None) if !speaks_tls(received) => {
                Some(NoHandshake::OtherProtocol)
            }
            _ => None,
        },
    }
}

/// What `alert` says of why there is no handshake, before any certificate (RFC 8446 section 6.2, RFC 6066
/// section 3).
fn no_handshake(alert: AlertDescription) -> Option<NoHandshake> {
    match alert {
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
            Some(NoHandshake::NothingInCommon)
        }
        AlertDescription::UnrecognisedName => Some(NoHandshake::UnknownName),
        AlertDescription::InternalError => Some(NoHandshake::PeerTrouble),
        alert if refuses_client(alert) => Some(NoHandshake::ClientRefused),
        _ => None,
    }
}

/// Whether servers send this alert when the client has no certificate (RFC 5246 section 7.4.6, RFC 8446
/// section 6.2, and what OpenSSL, Schannel and Go send).
fn refuses_client(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::HandshakeFailure
            | AlertDescription::NoCertificate
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::CertificateRequired
    )
}

fn by_network(error: &io::Error) -> (Handshake, String) {
    let outcome = match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => Handshake::Interrupted,
        io::ErrorKind::TimedOut => Handshake::Timeout,
        _ => Handshake::Failed,
    };
    let detail = match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            "the peer closed the connection during the handshake".to_owned()
        }
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            "the connection was reset during the handshake".to_owned()
        }
        _ => error.to_string(),
    };
    (outcome, detail)
}

fn by_tls(error: &Error, consent: &[u8], received: &[u8]) -> (Handshake, String) {
    let detail = match error {
        Error::InvalidCertificate(why) => {
            let detail = format!("the peer's certificate cannot be used: {why:?}");
            return (Handshake::BadCertificate, detail);
        }
        Error::InvalidMessage(
            InvalidMessage::HandshakePayloadTooLarge | InvalidMessage::CertificatePayloadTooLarge,
        ) if speaks_tls(received) => {
            "the peer sends more than the 64 KiB that a TLS client reads of one message, as with a \
             certificate of thousands of names"
                .to_owned()
        }
        Error::InvalidMessage(why) if speaks_tls(received) => {
            format!("the peer's TLS cannot be read: {why:?}")
        }
        Error::InvalidMessage(_) => format!(
            "the peer does not speak TLS on this port: it begins with `{}`",
            beginning(&[consent, received].concat())
        ),
        Error::AlertReceived(alert) => {
            format!("the peer refuses the handshake: {}", described(*alert))
        }
        Error::PeerIncompatible(why) => format!("the peer offers nothing we can use: {why:?}"),
        other => other.to_string(),
    };
    (Handshake::Failed, detail)
}

/// Bytes of a record that holds an alert in the clear (RFC 8446 sections 5.1 and 6).
pub(super) const ALERT_BYTES: usize = 7;

/// The fatal alert in the clear that `received` ends with: a peer that sends one and closes at once may be
/// written to before it is read.
fn last_alert(received: &[u8]) -> Option<AlertDescription> {
    match received.last_chunk::<ALERT_BYTES>()? {
        [0x15, 3, _, 0, 2, 2, alert] => Some((*alert).into()),
        _ => None,
    }
}

/// Whether it begins like a TLS record of a handshake or an alert (RFC 8446 section 5.1).
fn speaks_tls(received: &[u8]) -> bool {
    matches!(received, [0x15 | 0x16, 3, 0..=4, ..])
}

/// The first line of a text, the first bytes of anything else.
fn beginning(received: &[u8]) -> String {
    let received = &received[..received.len().min(MAX_SHOWN)];
    let line = received.split(|byte| matches!(byte, b'\r' | b'\n')).next();
    let line = line.unwrap_or_default();
    let text = line.len() > 3 && line.iter().all(|byte| matches!(byte, b' '..=b'~'));
    let shown = if text { line } else { received };
    let shown = if text {
        shown
    } else {
        &shown[..shown.len().min(8)]
    };
    shown.escape_ascii().to_string()
}

/// An alert by its name in RFC 8446 section 6, and what it means where that is certain.
fn described(alert: AlertDescription) -> String {
    let (name, meaning) = match alert {
        AlertDescription::HandshakeFailure => ("handshake_failure", ""),
        AlertDescription::ProtocolVersion => {
            ("protocol_version", ", it accepts neither TLS 1.2 nor 1.3")
        }
        AlertDescription::UnrecognisedName => ("unrecognized_name", ", it serves no such name"),
        AlertDescription::InsufficientSecurity => {
            ("insufficient_security", ", it demands stronger ciphers")
        }
        AlertDescription::InternalError => ("internal_error", ""),
        AlertDescription::AccessDenied => ("access_denied", ""),
        AlertDescription::BadCertificate => ("bad_certificate", ""),
        AlertDescription::CertificateUnknown => ("certificate_unknown", ""),
        AlertDescription::UnknownCA => ("unknown_ca", ""),
        AlertDescription::CertificateRequired => ("certificate_required", ""),
        AlertDescription::NoApplicationProtocol => ("no_application_protocol", ""),
        AlertDescription::IllegalParameter => ("illegal_parameter", ""),
        AlertDescription::DecodeError => ("decode_error", ""),
        AlertDescription::UnexpectedMessage => ("unexpected_message", ""),
        other => return format!("alert {}", u8::from(other)),
    };
    format!("alert {} ({name}){meaning}", u8::from(alert))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail_of(error: Error, received: &[u8]) -> String {
        failure(
            &io::Error::new(io::ErrorKind::InvalidData, error),
            b"",
            received,
        )
        .detail
    }

    #[test]
    fn a_peer_that_speaks_something_else_is_quoted() {
        let foreign = || Error::InvalidMessage(InvalidMessage::InvalidContentType);
        for (received, quoted) in [
            (
                b"SSH-2.0-OpenSSH_9.6\r\n".as_slice(),
                "`SSH-2.0-OpenSSH_9.6`",
            ),
            (
                b"HTTP/1.1 400 Bad Request\r\nServer: x",
                "`HTTP/1.1 400 Bad Request`",
            ),
            (
                b"\x00\x00\x12\x04\x00\x00\x00\x00\x00",
                "`\\x00\\x00\\x12\\x04\\x00\\x00\\x00\\x00`",
            ),
            (b"", "``"),
        ] {
            let detail = detail_of(foreign(), received);
            let expected =
                format!("the peer does not speak TLS on this port: it begins with {quoted}");
            assert_eq!(detail, expected);
        }
        let error = io::Error::new(io::ErrorKind::InvalidData, foreign());
        let ssh = failure(&error, b"S", b"SH-2.0-OpenSSH_9.6\r\n");
        assert!(
            ssh.detail.ends_with("`SSH-2.0-OpenSSH_9.6`"),
            "{}",
            ssh.detail
        );
        assert_eq!(
            detail_of(foreign(), b"\x16\x03\x03\xff\xff"),
            "the peer's TLS cannot be read: InvalidContentType"
        );
    }

    #[test]
    fn an_alert_outlives_the_connection() {
        let reset = io::Error::from(io::ErrorKind::BrokenPipe);
        let alerted = failure(&reset, b"", b"\x16\x03\x03\x15\x03\x03\0\x02\x02\x28");
        assert_eq!(alerted.outcome, Handshake::Failed);
        assert!(alerted.detail.ends_with("(handshake_failure)"));
        let silent = failure(&reset, b"", b"\x16\x03\x03");
        assert_eq!(silent.outcome, Handshake::Interrupted);
        assert_eq!(
            silent.detail,
            "the connection was reset during the handshake"
        );
    }

    #[test]
    fn an_alert_is_told_by_its_name_and_number() {
        let alert = |number: u8| detail_of(Error::AlertReceived(number.into()), b"\x15\x03\x03");
        assert_eq!(
            alert(70),
            "the peer refuses the handshake: alert 70 (protocol_version), it accepts neither TLS \
             1.2 nor 1.3"
        );
        assert_eq!(
            alert(112),
            "the peer refuses the handshake: alert 112 (unrecognized_name), it serves no such name"
        );
        assert_eq!(
            alert(40),
            "the peer refuses the handshake: alert 40 (handshake_failure)"
        );
        assert_eq!(alert(201), "the peer refuses the handshake: alert 201");
    }
}
