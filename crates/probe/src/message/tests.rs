//! Messages made and garbled by hand, read as the answers to one question.

use hickory_proto::rr::rdata::{A, CNAME, NS, SOA};
use proptest::prelude::*;

use super::*;

fn name(text: &str) -> Name {
    Name::from_ascii(text).expect("a name")
}

fn question() -> Question {
    Question::new(&name("kv.vault.azure.net."), RecordType::A, false)
}

fn reply_to(question: &Question, answers: Vec<Record>) -> Message {
    let mut message = Message::response(question.message.metadata.id, OpCode::Query);
    message.add_queries(question.message.queries.clone());
    message.add_answers(answers);
    message
}

fn cname(from: &str, to: &str) -> Record {
    Record::from_rdata(name(from), 60, RData::CNAME(CNAME(name(to))))
}

fn a(from: &str, ip: [u8; 4], ttl: u32) -> Record {
    Record::from_rdata(name(from), ttl, RData::A(A(ip.into())))
}

fn received(question: &Question, message: &Message) -> DnsReply {
    match question.receive(&message.to_vec().expect("a message")) {
        Received::Reply(reply) => *reply,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_chain_is_followed_whatever_the_case_of_its_names() {
    let question = question();
    let reply = received(
        &question,
        &reply_to(
            &question,
            vec![
                cname("kv.vault.azure.net.", "b.example."),
                cname("B.Example.", "c.example."),
                a("c.example.", [10, 1, 2, 3], 10),
            ],
        ),
    );
    assert_eq!(reply.outcome, QueryOutcome::Answer);
    assert_eq!(
        reply.chain,
        ["kv.vault.azure.net", "b.example", "c.example"]
    );
    assert_eq!(reply.addresses, [(IpAddr::from([10, 1, 2, 3]), 10)]);
    assert_eq!((reply.ttl, reply.longest_ttl), (Some(10), Some(60)));
}

#[test]
fn addresses_of_other_names_do_not_count_and_duplicates_count_once() {
    let question = question();
    let reply = received(
        &question,
        &reply_to(
            &question,
            vec![
                a("kv.vault.azure.net.", [10, 1, 2, 3], 10),
                a("other.example.", [10, 9, 9, 9], 10),
                a("kv.vault.azure.net.", [10, 1, 2, 3], 10),
            ],
        ),
    );
    assert_eq!(reply.addresses.len(), 1);
}

#[test]
fn an_address_before_the_cname_that_leads_to_it_does_not_count() {
    let question = question();
    let alias = || cname("kv.vault.azure.net.", "b.example.");
    let private = || a("b.example.", [10, 1, 2, 3], 10);
    let public = a("kv.vault.azure.net.", [52, 1, 2, 3], 10);
    let reply = received(&question, &reply_to(&question, vec![private(), alias()]));
    assert_eq!(reply.outcome, QueryOutcome::Invalid);
    assert_eq!(reply.chain, ["kv.vault.azure.net", "b.example"]);
    assert_eq!(reply.ignored_owner.as_deref(), Some("b.example"));
    // The one that stands at its place is what clients take.
    let both = vec![private(), public, alias()];
    let reply = received(&question, &reply_to(&question, both));
    assert_eq!(reply.addresses, [(IpAddr::from([52, 1, 2, 3]), 10)]);
}

#[test]
fn of_several_cnames_of_one_name_none_is_followed_unless_they_are_the_same() {
    let question = question();
    let alias = |to| cname("kv.vault.azure.net.", to);
    let address = || a("b.example.", [10, 1, 2, 3], 10);
    let answer = |other| vec![alias("b.example."), alias(other), address()];
    let reply = received(&question, &reply_to(&question, answer("c.example.")));
    assert_eq!(reply.outcome, QueryOutcome::Invalid);
    assert_eq!(
        reply.detail.as_deref(),
        Some("kv.vault.azure.net has several CNAMEs, of which each client follows another")
    );
    let reply = received(&question, &reply_to(&question, answer("b.example.")));
    assert_eq!(reply.outcome, QueryOutcome::Answer);
}

#[test]
fn a_looping_or_endless_chain_is_invalid() {
    let question = question();
    let looping = vec![
        cname("kv.vault.azure.net.", "b.example."),
        cname("b.example.", "kv.vault.azure.net."),
    ];
    assert_eq!(
        received(&question, &reply_to(&question, looping)).outcome,
        QueryOutcome::Invalid
    );
    let long = (0..40).map(|n| match n {
        0 => cname("kv.vault.azure.net.", "n1.example."),
        n => cname(&format!("n{n}.example."), &format!("n{}.example.", n + 1)),
    });
    let reply = received(&question, &reply_to(&question, long.collect()));
    assert_eq!(
        reply.detail.as_deref(),
        Some("the chain has more than 16 aliases")
    );
}

#[test]
fn addresses_that_come_with_nxdomain_do_not_count() {
    let question = question();
    let mut message = reply_to(&question, vec![a("kv.vault.azure.net.", [10, 1, 2, 3], 10)]);
    message.metadata.response_code = ResponseCode::NXDomain;
    let reply = received(&question, &message);
    assert_eq!(reply.outcome, QueryOutcome::Nxdomain);
    assert!(reply.addresses.is_empty());
}

#[test]
fn of_several_soas_the_one_of_the_zone_of_the_last_name_counts() {
    let question = question();
    let alias = "kv.privatelink.vaultcore.azure.net.";
    let zones = [
        "vault.azure.net.",
        "privatelink.vaultcore.azure.net.",
        "azure.net.",
    ];
    for turn in 0..zones.len() {
        let mut message = reply_to(&question, vec![cname("kv.vault.azure.net.", alias)]);
        let mut zones = zones;
        zones.rotate_left(turn);
        message.add_authorities(zones.map(authority));
        let soa = received(&question, &message).soa.expect("an SOA");
        assert_eq!(soa.owner, "privatelink.vaultcore.azure.net");
    }
}

fn authority(zone: &str) -> Record {
    let soa = SOA::new(name("ns."), name("host."), 1, 1, 1, 1, 1);
    Record::from_rdata(name(zone), 10, RData::SOA(soa))
}

fn name_server(zone: &str) -> Record {
    Record::from_rdata(name(zone), 10, RData::NS(NS(name("ns.example."))))
}

#[test]
fn name_servers_in_place_of_an_answer_are_a_referral() {
    let question = question();
    let mut message = reply_to(&question, vec![]);
    assert!(!received(&question, &message).flags.referral);
    message.add_authority(name_server("net."));
    assert!(received(&question, &message).flags.referral);
    message.metadata.authoritative = true;
    assert!(!received(&question, &message).flags.referral);
    message.metadata.authoritative = false;
    message.add_authority(authority("net."));
    assert!(!received(&question, &message).flags.referral);
}

#[test]
fn an_additional_section_that_cannot_be_read_spoils_no_answer() {
    let question = question();
    let message = reply_to(&question, vec![a("kv.vault.azure.net.", [10, 1, 2, 3], 10)]);
    let mut bytes = message.to_vec().expect("a message");
    bytes[10..12].copy_from_slice(&[0, 1]);
    // An OPT record whose option breaks off.
    bytes.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 3, 0, 1, 5]);
    match question.receive(&bytes) {
        Received::Reply(reply) => assert_eq!(reply.addresses.len(), 1),
        other => panic!("{other:?}"),
    }
    bytes[6..8].copy_from_slice(&[0, 9]);
    assert!(matches!(question.receive(&bytes), Received::Malformed(_)));
}

#[test]
fn what_is_no_message_is_noise_and_a_message_of_another_kind_foreign() {
    let question = question();
    let mut id = question.message.metadata.id.to_be_bytes();
    id[0] ^= 1;
    for noise in [&id[..], b"HTTP/1.1 400 Bad Request\r\n\r\n"] {
        if noise[..2] != question.message.metadata.id.to_be_bytes() {
            assert!(matches!(question.receive(noise), Received::Noise));
        }
    }
    let mut update = reply_to(&question, vec![]);
    update.metadata.op_code = OpCode::Update;
    let update = update.to_vec().expect("a message");
    assert!(matches!(question.receive(&update), Received::Foreign));
}

#[test]
fn a_message_with_another_id_or_question_is_foreign() {
    let question = question();
    let mut other = reply_to(&question, vec![]);
    other.metadata.id = question.message.metadata.id.wrapping_add(1);
    assert!(matches!(
        question.receive(&other.to_vec().expect("a message")),
        Received::Foreign
    ));
    let mut other = reply_to(&question, vec![]);
    other.queries[0].set_name(name("evil.example."));
    assert!(matches!(
        question.receive(&other.to_vec().expect("a message")),
        Received::Foreign
    ));
    assert!(matches!(question.receive(&[]), Received::Foreign));
}

#[test]
fn a_refusal_may_leave_the_question_out_an_answer_may_not() {
    let question = question();
    let mut message = reply_to(&question, vec![]);
    message.queries.clear();
    assert!(matches!(
        question.receive(&message.to_vec().expect("a message")),
        Received::Foreign
    ));
    message.metadata.response_code = ResponseCode::FormErr;
    assert_eq!(received(&question, &message).rcode, Rcode(1));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_and_the_chain_stays_bounded(mut bytes: Vec<u8>) {
        let question = question();
        if let [high, low, ..] = bytes.as_mut_slice() {
            [*high, *low] = question.message.metadata.id.to_be_bytes();
        }
        if let Received::Reply(reply) = question.receive(&bytes) {
            prop_assert!(reply.chain.len() <= MAX_CHAIN + 1);
        }
    }

    #[test]
    fn in_any_order_a_chain_has_its_names_and_in_the_right_one_its_address(
        order in Just((0..4usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let question = question();
        let mut records = vec![cname("kv.vault.azure.net.", "n1.example.")];
        records.extend((1..3).map(|n| cname(&format!("n{n}.example."), &format!("n{}.example.", n + 1))));
        records.push(a("n3.example.", [10, 0, 0, 1], 5));
        let shuffled = order.iter().map(|at| records[*at].clone()).collect();
        let reply = received(&question, &reply_to(&question, shuffled));
        prop_assert_eq!(reply.chain.len(), 4);
        prop_assert_eq!(reply.addresses.len(), usize::from(order.is_sorted()));
    }
}
