//! `PostgreSQL`: `SSLRequest`, answered by a single byte (protocol 3.0, "SSL Session Encryption" and
//! "Message Formats" of the manual's chapter Frontend/Backend Protocol).

use privatelink_verdict::observation::NoHandshake;
use privatelink_verdict::sanitize::from_wire;

use super::channel::{Channel, MAX_MESSAGE, StarttlsError, receive, receive_error, send};

/// Length 8, then 80877103, which no protocol version will ever be.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// The answer that agrees.
pub(super) const TLS_FOLLOWS: u8 = b'S';

/// Asks for TLS.
pub(super) async fn start(channel: &mut impl Channel) -> Result<(), StarttlsError> {
    let awaited = "it answered PostgreSQL's SSLRequest";
    send(channel, &SSL_REQUEST, awaited).await?;
    // One byte and no more: what follows it is the handshake, and comes from TLS alone.
    match receive::<1>(channel, awaited).await? {
        [TLS_FOLLOWS] => Ok(()),
        [b'N'] => Err(StarttlsError::no_tls(
            "the server offers no TLS: it answers PostgreSQL's SSLRequest with `N`",
        )),
        [b'E'] => {
            let (code, words) = error(channel).await;
            let no_handshake = match code.as_str() {
                // too_many_connections (PostgreSQL manual, "PostgreSQL Error Codes").
                "53300" => NoHandshake::ServerFull,
                _ => NoHandshake::ServerError,
            };
            let detail =
                format!("the server answers PostgreSQL's SSLRequest with an error: {words}");
            Err(StarttlsError::error(no_handshake, detail))
        }
        other => Err(StarttlsError::foreign("PostgreSQL", &other)),
    }
}

/// The code and the words of an error, after its first byte `E`.
///
/// Where the server cannot even start a process for us it falls back to the format of protocol 2, a
/// text without length or fields.
async fn error(channel: &mut impl Channel) -> (String, String) {
    let message = receive_error(channel, |so_far| match announced(so_far) {
        _ if so_far.len() < 4 => false,
        Some(length) => so_far.len() >= length,
        None => so_far.contains(&0),
    })
    .await;
    let (code, text) = if let Some(length) = announced(&message) {
        fields(&message[4..length.min(message.len())])
    } else {
        let text = message.split(|byte| *byte == 0).next();
        (String::new(), lossy(text.unwrap_or_default()))
    };
    let words = match from_wire(text.trim_end()).into_owned() {
        text if text.is_empty() => "without a word".to_owned(),
        text => text,
    };
    (code, words)
}

/// The length of the whole message, itself included, where it can be one.
fn announced(message: &[u8]) -> Option<usize> {
    let length = u32::from_be_bytes(*message.first_chunk()?);
    let length = usize::try_from(length).ok()?;
    (5..=MAX_MESSAGE).contains(&length).then_some(length)
}

/// The code, and `FATAL 53300: sorry, too many clients already`, of the fields severity, code and message.
fn fields(body: &[u8]) -> (String, String) {
    let field = |kind| {
        let mut fields = body.split(|byte| *byte == 0);
        fields.find_map(|field| field.strip_prefix(&[kind]).map(lossy))
    };
    let code = field(b'C').unwrap_or_default();
    let parts = [field(b'S'), field(b'C').map(|code| code + ":"), field(b'M')];
    let words: Vec<_> = parts.into_iter().flatten().collect();
    (code, words.join(" "))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use privatelink_verdict::target::Protocol;
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use crate::starttls::start;
    use crate::starttls::tests::{assert_ends_well, failure};

    #[tokio::test]
    async fn postgresql_is_asked_for_tls_and_not_a_byte_of_the_handshake_is_taken() {
        let (near, mut far) = duplex(64);
        far.write_all(b"S\x16").await.expect("room for it");
        let mut channel = start(Protocol::Postgres, near)
            .await
            .expect("TLS may begin")
            .channel;
        assert_eq!(channel.read_u8().await.expect("a byte of TLS"), 0x16);
        let mut request = [0; 8];
        far.read_exact(&mut request).await.expect("a request");
        assert_eq!(request, [0, 0, 0, 8, 4, 210, 22, 47]);
    }

    #[tokio::test]
    async fn a_postgresql_server_without_tls_says_so() {
        let text = failure(Protocol::Postgres, b"N").await;
        assert_eq!(
            text,
            "failed: the server offers no TLS: it answers PostgreSQL's SSLRequest with `N`"
        );
    }

    #[tokio::test]
    async fn a_postgresql_error_is_told_in_the_servers_words() {
        let body = b"SFATAL\0VFATAL\0C53300\0Msorry, too many\x1b[2J clients already\0\0";
        let length = u32::try_from(body.len() + 4).expect("short").to_be_bytes();
        let text = failure(Protocol::Postgres, &[b"E", &length[..], body].concat()).await;
        assert_eq!(
            text,
            "failed: the server answers PostgreSQL's SSLRequest with an error: \
             FATAL 53300: sorry, too many\\u{1b}[2J clients already"
        );
        // Of protocol 2: a text without a length.
        let text = failure(Protocol::Postgres, b"Ecould not fork new process\n\0").await;
        assert!(
            text.ends_with("with an error: could not fork new process"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_postgresql_error_that_lies_about_its_length_is_read_as_far_as_it_goes() {
        let text = failure(Protocol::Postgres, b"E\0\0\x0f\xffSFATAL\0Mgone").await;
        assert!(text.ends_with("with an error: FATAL gone"), "{text}");
        let endless = [b"E".to_vec(), vec![b'x'; 32 * 1024]].concat();
        let text = failure(Protocol::Postgres, &endless).await;
        assert!(text.len() < 400, "{}", text.len());
        let text = failure(Protocol::Postgres, b"E").await;
        assert!(text.ends_with("with an error: without a word"), "{text}");
    }

    proptest! {
        #[test]
        fn no_error_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            assert_ends_well(Protocol::Postgres, &[b"E", &bytes[..]].concat());
        }
    }
}
