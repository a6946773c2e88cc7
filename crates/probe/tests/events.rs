//! The debug events of one failing probe: the log reads from the question to the last reply.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use privatelink_config::load_text;
use privatelink_lab::{RunningWorld, World};
use privatelink_probe::{EvidenceCache, Prober, Settings};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// A vault whose private zone is not linked: public DNS answers for the alias. One name of the
/// certificate tries to act on a terminal.
const PUBLIC_FALLBACK: &str = r#"{
    story: x,
    target: {host: kv-prod.vault.azure.net, http: true},
    verdict: {outcome: fail, reason: public_fallback},
    config: {addressFamilies: [ipv4]},
    dns: {records: [
        kv-prod.vault.azure.net CNAME kv-prod.privatelink.vaultcore.azure.net,
        kv-prod.privatelink.vaultcore.azure.net CNAME data-prod-weu.vaultcore.azure.net,
        data-prod-weu.vaultcore.azure.net 60 A 127.0.2.10,
        privatelink.vaultcore.azure.net SOA public]},
    endpoints: {127.0.2.10: {tls: {
        names: ["*.vault.azure.net", "\e[2Jx.test"],
        reply: "HTTP/1.1 200 OK\nx-ms-keyvault-network-info: addr=20.1.2.3;\n\n"}}}}"#;

#[tokio::test]
async fn the_events_of_a_public_fallback_read_from_the_question_to_the_last_reply() {
    let log = log_of_a_probe(PUBLIC_FALLBACK).await;
    let question = [
        ("probe begins", "host=\"kv-prod.vault.azure.net\" port="),
        ("dns query", "name=kv-prod.vault.azure.net. type=A"),
        (
            "address classified",
            "ip=127.0.2.10 class=\"public\" ttl=60",
        ),
    ];
    // Connecting and evidence run beside each other.
    let connection = [
        ("tcp connect", "ip=127.0.2.10 port="),
        (
            "tls handshake",
            "version=TLSv1_3 names=[\"*.vault.azure.net\"",
        ),
        ("service request", "request=GET /healthstatus status=200"),
        ("probe ends", "elapsed="),
    ];
    let evidence = [
        (
            "evidence: ask for the zone's SOA",
            "zone=\"privatelink.vaultcore.azure.net\"",
        ),
        (
            "dns query",
            "name=privatelink.vaultcore.azure.net. type=SOA",
        ),
        ("probe ends", "elapsed="),
    ];
    let begins: Vec<&str> = log
        .iter()
        .take(3)
        .map(|line| line.message.as_str())
        .collect();
    assert_eq!(begins, question.map(|(message, _)| message), "{log:#?}");
    for stage in [&connection[..], &evidence] {
        assert_in_order(&log, &[&question[..], stage].concat());
    }
    for line in &log {
        let span = " target=\"kv-prod.vault.azure.net\" path=\"system\"";
        assert!(line.fields.starts_with(span), "{line:?}");
        assert!(!line.fields.contains(char::is_control), "{line:?}");
    }
}

#[tokio::test]
async fn a_server_that_fails_is_told_before_the_one_that_answers() {
    let log = log_of_a_probe(
        "{story: x, target: {host: kv-prod.vault.azure.net}, verdict: {outcome: warn}, \
          config: {addressFamilies: [ipv4]}, servers: [\
          {faults: [{then: refused}]}, {records: [kv-prod.vault.azure.net A 127.0.1.1]}]}",
    )
    .await;
    assert_in_order(
        &log,
        &[
            ("dns try failed", "said REFUSED"),
            ("dns query", "outcome=\"answer\" rcode=NOERROR tries=2"),
            ("address classified", "class=\"private\""),
            ("tcp connect", "outcome=\"refused\""),
        ],
    );
}

/// Each expected message comes after the one before it, with what is expected of its fields.
fn assert_in_order(log: &[Line], expected: &[(&str, &str)]) {
    let mut lines = log.iter();
    for (message, fields) in expected {
        assert!(
            lines.any(|line| line.message == *message && line.fields.contains(fields)),
            "not there, or not in this place: {message} {fields}\n{log:#?}"
        );
    }
}

/// One event.
#[derive(Debug, Default)]
struct Line {
    message: String,
    fields: String,
}

/// Collects the events that stand in a span.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Line>>>);

async fn log_of_a_probe(world: &str) -> Vec<Line> {
    let world = World::parse(world).expect("a world");
    let running = RunningWorld::start(&world).await.expect("a running world");
    let plan = load_text("config.yaml", &running.configuration).expect("a plan");
    let settings = Settings {
        resolvers: plan.resolvers.clone(),
        ca_certificates: Arc::clone(&plan.ca_certificates),
        max_dns_qps: plan.limits.max_dns_qps,
        http_interval: plan.http_interval,
    };
    let prober = Prober::new(running.machine.clone(), settings);
    let collector = Collector::default();
    let subscriber = tracing_subscriber::registry().with(collector.clone());
    let guard = tracing::subscriber::set_default(subscriber);
    let mut cache = EvidenceCache::default();
    prober.probe(&plan.targets[0], &mut cache, false).await;
    drop(guard);
    std::mem::take(&mut *collector.0.lock().unwrap_or_else(PoisonError::into_inner))
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Collector {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut line = Line::default();
        attributes.record(&mut line);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(line.fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if !event.metadata().target().starts_with("privatelink_probe") {
            return;
        }
        assert_eq!(*event.metadata().level(), Level::DEBUG);
        let mut line = Line::default();
        let span = context.event_span(event).expect("a span of the probe");
        let of_span = span.extensions().get::<String>().cloned();
        line.fields = of_span.expect("the span's fields");
        event.record(&mut line);
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line);
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let written = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
        written.expect("a string takes all");
    }
}
