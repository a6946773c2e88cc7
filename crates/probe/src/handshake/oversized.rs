//! Oversized: a certificate that is too large for a handshake, read for its facts.
//!
//! A TLS library gives up at 64 KiB. The names of such a certificate are still worth knowing, and
//! TLS 1.2 sends them in the clear (RFC 5246 section 7.4.2).

use rustls::pki_types::CertificateDer;
use tokio::io::AsyncReadExt;

use super::Channel;

/// Bytes of a peer's first flight that are read: five thousand names of a hundred bytes.
const MAX_FLIGHT: usize = 512 * 1024;
/// Certificates of a chain that are kept.
const MAX_CHAIN: usize = 8;
/// Times that a flight is gone through: what is missing shrinks each time by all but the headers.
const MAX_LOOKS: usize = 64;

/// The chain in the flight that `channel` has begun to hear, leaf first; empty where there is none
/// in the clear.
pub(super) async fn chain(channel: &mut dyn Channel) -> Vec<CertificateDer<'static>> {
    let mut flight = channel.heard().to_vec();
    for _ in 0..MAX_LOOKS {
        let wanted = match presented(&flight) {
            Presented::Chain(chain) => return chain,
            Presented::None => break,
            Presented::Incomplete(missing) => flight.len() + missing,
        };
        while flight.len() < wanted {
            if wanted > MAX_FLIGHT || !matches!(channel.read_buf(&mut flight).await, Ok(1..)) {
                return Vec::new();
            }
        }
    }
    Vec::new()
}

/// What a flight presents so far.
#[derive(Debug, PartialEq, Eq)]
enum Presented {
    Chain(Vec<CertificateDer<'static>>),
    /// At least so many bytes are missing.
    Incomplete(usize),
    None,
}

fn presented(flight: &[u8]) -> Presented {
    let (messages, in_clear) = joined(flight);
    let mut rest = messages.as_slice();
    loop {
        let Some((header, after)) = rest.split_first_chunk::<4>() else {
            return if in_clear {
                Presented::Incomplete(1)
            } else {
                Presented::None
            };
        };
        let length = number(&header[1..]);
        let Some((message, next)) = after.split_at_checked(length) else {
            return match (in_clear, header[0]) {
                (true, SERVER_HELLO | CERTIFICATE) => Presented::Incomplete(length - after.len()),
                _ => Presented::None,
            };
        };
        if header[0] == CERTIFICATE {
            return Presented::Chain(certificates(message));
        }
        rest = next;
    }
}

const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;
const HANDSHAKE: u8 = 22;

/// The content of the handshake records at the beginning of `flight`, and whether there are none of
/// another kind after them.
fn joined(mut flight: &[u8]) -> (Vec<u8>, bool) {
    let mut messages = Vec::new();
    while let Some((header, rest)) = flight.split_first_chunk::<5>() {
        if header[0] != HANDSHAKE {
            return (messages, false);
        }
        let length = number(&header[3..]).min(rest.len());
        let (content, next) = rest.split_at(length);
        messages.extend_from_slice(content);
        flight = next;
    }
    (messages, true)
}

/// The certificates of a Certificate message, each after its length (RFC 5246 section 7.4.2).
fn certificates(message: &[u8]) -> Vec<CertificateDer<'static>> {
    let mut rest = message.get(3..).unwrap_or_default();
    let mut chain = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<3>() {
        let Some((certificate, next)) = after.split_at_checked(number(length)) else {
            break;
        };
        if chain.len() == MAX_CHAIN {
            break;
        }
        chain.push(CertificateDer::from(certificate.to_vec()));
        rest = next;
    }
    chain
}

fn number(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | usize::from(*byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt;

    use super::*;

    fn record(kind: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).expect("short").to_be_bytes();
        [&[kind, 3, 3], &length[..], content].concat()
    }

    fn counted(bytes: &[u8]) -> Vec<u8> {
        let length = u32::try_from(bytes.len()).expect("short").to_be_bytes();
        [&length[1..], bytes].concat()
    }

    fn flight(leaf: &[u8], issuer: &[u8]) -> Vec<u8> {
        let list = counted(&[counted(leaf), counted(issuer)].concat());
        let hello = [&[SERVER_HELLO][..], &counted(b"hello")].concat();
        let certificate = [&[CERTIFICATE][..], &counted(&list)].concat();
        let records = certificate
            .chunks(16_384)
            .map(|part| record(HANDSHAKE, part));
        [
            record(HANDSHAKE, &hello),
            records.collect::<Vec<_>>().concat(),
        ]
        .concat()
    }

    #[test]
    fn a_chain_in_the_clear_is_found_across_records() {
        let leaf = vec![7; 200_000];
        let whole = flight(&leaf, b"issuer");
        let chain = [
            CertificateDer::from(leaf),
            CertificateDer::from(b"issuer".to_vec()),
        ];
        assert_eq!(presented(&whole), Presented::Chain(chain.to_vec()));
        for cut in [3, 20, 40_000, whole.len() - 1] {
            let begun = presented(&whole[..cut]);
            assert!(
                matches!(begun, Presented::Incomplete(1..)),
                "{cut}: {begun:?}"
            );
        }
    }

    #[test]
    fn what_is_encrypted_or_something_else_has_no_chain() {
        let hello = [&[SERVER_HELLO][..], &counted(b"hello")].concat();
        let encrypted = [record(HANDSHAKE, &hello), record(23, &[9; 400])].concat();
        assert_eq!(presented(&encrypted), Presented::None);
        assert_eq!(presented(b"HTTP/1.1 400 Bad Request"), Presented::None);
    }

    #[tokio::test]
    async fn a_flight_is_read_until_its_chain_is_whole_and_no_further_than_the_bound() {
        for (size, found) in [(200_000, true), (MAX_FLIGHT, false)] {
            let (mut near, mut far) = tokio::io::duplex(4096);
            let said = flight(&vec![7; size], b"issuer");
            let peer = tokio::spawn(async move {
                // Who listens no longer ends it.
                let _ = far.write_all(&said).await;
                far
            });
            let chain = chain(&mut near).await;
            assert_eq!(chain.first().map(|leaf| leaf.len()), found.then_some(size));
            drop(near);
            peer.await.expect("it ends");
        }
    }

    #[tokio::test]
    async fn a_flight_that_breaks_off_has_no_chain() {
        let (mut near, mut far) = tokio::io::duplex(64 * 1024);
        let said = flight(&vec![7; 30_000], b"issuer");
        far.write_all(&said[..20_000]).await.expect("room for it");
        drop(far);
        assert!(chain(&mut near).await.is_empty());
    }

    proptest! {
        #[test]
        fn no_flight_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = presented(&bytes);
            let _ = presented(&record(HANDSHAKE, &bytes));
            let _ = certificates(&bytes);
        }
    }
}
