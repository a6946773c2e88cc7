//! `PostgreSQL`: `SSLRequest`, answered by a single byte (protocol 3.0, "SSL Session Encryption" and
//! "Message Formats" of the manual's chapter Frontend/Backend Protocol).

use super::{Channel, MAX_MESSAGE, NoTls, receive, receive_words, send};
use privatelink_verdict::sanitize::from_wire;

/// Length 8, then 80877103, which no protocol version will ever be.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Asks for TLS.
pub(super) async fn ask(channel: &mut impl Channel) -> Result<(), NoTls> {
    let awaited = "it answered PostgreSQL's SSLRequest";
    send(channel, &SSL_REQUEST, awaited).await?;
    // One byte and no more: what follows it is the handshake, and comes from TLS alone.
    match receive::<1>(channel, awaited).await? {
        [b'S'] => Ok(()),
        [b'N'] => Err(NoTls::failed(
            "the server offers no TLS: it answers PostgreSQL's SSLRequest with `N`",
        )),
        [b'E'] => {
            let words = error(channel).await;
            Err(NoTls::failed(format!(
                "the server answers PostgreSQL's SSLRequest with an error: {words}"
            )))
        }
        other => Err(NoTls::foreign("PostgreSQL", &other)),
    }
}

/// The words of an error, after its first byte `E`.
///
/// Where the server cannot even start a process for us it falls back to the format of protocol 2, a
/// text without length or fields.
async fn error(channel: &mut impl Channel) -> String {
    let message = receive_words(channel, |so_far| match announced(so_far) {
        _ if so_far.len() < 4 => false,
        Some(length) => so_far.len() >= length,
        None => so_far.contains(&0),
    })
    .await;
    let text = match announced(&message) {
        Some(length) => fields(&message[4..length.min(message.len())]),
        None => lossy(message.split(|byte| *byte == 0).next().unwrap_or_default()),
    };
    match from_wire(text.trim_end()).into_owned() {
        text if text.is_empty() => "without a word".to_owned(),
        text => text,
    }
}

/// The length of the whole message, itself included, where it can be one.
fn announced(message: &[u8]) -> Option<usize> {
    let length = u32::from_be_bytes(*message.first_chunk()?);
    let length = usize::try_from(length).ok()?;
    (5..=MAX_MESSAGE).contains(&length).then_some(length)
}

/// `FATAL 53300: sorry, too many clients already`, of the fields severity, code and message.
fn fields(body: &[u8]) -> String {
    let field = |kind| {
        let mut fields = body.split(|byte| *byte == 0);
        fields.find_map(|field| field.strip_prefix(&[kind]).map(lossy))
    };
    let parts = [field(b'S'), field(b'C').map(|code| code + ":"), field(b'M')];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
