//! Cluster: what the observer reads: objects of Kubernetes, and what agents say of their targets.

use std::time::SystemTime;

use privatelink_config::plan::Plan;
use privatelink_discovery::{
    DiscoveryRules, Event, Index, KINDS, Key, Kind, Object, Room, Source, Visitor, each_kind,
    target_file,
};
use privatelink_fleet::{
    Coverage, Fleet, FleetQuery, Interned, Moment, Node, Traits, View, WhyUncovered,
};
use privatelink_observer::private_link_target::admission::{AdmissionRules, admission};
use privatelink_observer::private_link_target::checked::{Declared, WatchedTarget};
use privatelink_report::fleet::{document, markdown, terminal};
use privatelink_verdict::catalogue::Cloud;

use crate::file;
use crate::promise::{does_not_act, html_is_well_formed, no_text_acts};

/// An object of any kind that discovery reads: the first byte chooses the kind, the rest is JSON.
pub fn discovery(input: &[u8]) {
    let Some((kind, object)) = input.split_first() else {
        return;
    };
    let mut index = Index::default();
    let mut take = Take {
        skip: usize::from(*kind) % KINDS.len(),
        object,
        rules: DiscoveryRules {
            cloud: Cloud::Commercial,
            allowed: Vec::new(),
            sources: Source::ALL.to_vec(),
        },
        index: &mut index,
    };
    each_kind(&mut take);
    let discovered = index.discovered(SystemTime::UNIX_EPOCH, &Room::of(500));
    for omitted in &discovered.omitted {
        omitted
            .examples
            .iter()
            .for_each(|example| does_not_act(example));
    }
    let lines: Vec<_> = discovered.targets.iter().map(target_file::line).collect();
    agents_take(&lines, discovered.targets.len());
}

struct Take<'a> {
    skip: usize,
    object: &'a [u8],
    rules: DiscoveryRules,
    index: &'a mut Index,
}

impl Visitor for Take<'_> {
    fn visit<K: Kind>(&mut self, _: &'static [Source]) {
        let is_this = self.skip == 0;
        self.skip = self.skip.wrapping_sub(1);
        if !is_this {
            return;
        }
        let Ok(object) = serde_json::from_slice::<Object<K>>(self.object) else {
            return;
        };
        let key = Key {
            namespace: object.metadata.namespace.clone(),
            name: object.metadata.name.clone(),
        };
        let found = object.find(&self.rules);
        let kind = K::RESOURCE.kind;
        self.index.take(kind, "", Event::Apply(key, found));
    }
}

/// A `PrivateLinkTarget`, or a list of them.
pub fn private_link_target(input: &[u8]) {
    let objects: Vec<WatchedTarget> = match serde_json::from_slice(input) {
        Ok(objects) => objects,
        Err(_) => match serde_json::from_slice(input) {
            Ok(object) => vec![object],
            Err(_) => return,
        },
    };
    let mut declared: Vec<_> = objects.into_iter().map(Declared::new).collect();
    // The API server sees to it that each has both, and of what characters they are.
    let is_name = |text: &str| {
        let known =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
        let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = text.as_bytes();
        bytes.len() <= 63
            && bytes.iter().copied().all(known)
            && ends(bytes.first())
            && ends(bytes.last())
    };
    declared.retain(|object| is_name(&object.key.namespace) && is_name(&object.key.name));
    let rules = AdmissionRules {
        most_per_namespace: 50,
        most: 500,
        ..AdmissionRules::default()
    };
    let admitted = admission(&declared, &rules);
    for decision in &admitted.decisions {
        does_not_act(&decision.message);
        assert!(decision.message.len() <= 1024, "{}", decision.message);
        assert!(!decision.reason.as_str().is_empty());
    }
    let lines: Vec<_> = admitted
        .targets
        .iter()
        .map(|target| target.line())
        .collect();
    let targets = admitted.targets.iter().map(|target| target.endpoints.len());
    agents_take(&lines, targets.sum());
}

/// What the observer publishes, each agent takes as it is.
fn agents_take(lines: &[String], targets: usize) {
    let (text, left_out) = target_file::render(lines, 900 * 1024);
    let plan = file::beside_a_configuration(text.as_bytes());
    if left_out == 0 {
        // Beside the operator's own target.
        assert_eq!(
            plan.targets.len(),
            targets + 1,
            "{text}\n{:?}",
            plan.warnings
        );
    }
    let Plan {
        warnings, rejected, ..
    } = plan;
    assert_eq!(
        rejected.crd + rejected.discovered,
        0,
        "{text}\n{warnings:?}"
    );
}

/// What the agent of a node says of its targets, as the observer shows it beside a node without an agent.
pub fn summary(input: &[u8]) {
    let node = |name: &str, coverage| Node {
        name: name.into(),
        traits: Traits::default(),
        joined: Some(Moment(1)),
        coverage,
    };
    let now = Moment(1_800_000_000);
    let Ok(view) = View::read(input, "node-a", &mut Interned::default()) else {
        return;
    };
    let mut fleet = Fleet::default();
    let nodes = [
        node("node-a", Coverage::Covered),
        node("node-b", Coverage::Uncovered(WhyUncovered::NoAgent)),
    ];
    fleet.set_nodes(nodes.into(), now);
    fleet.set_view("node-a", view, now);
    let report = fleet.report(&FleetQuery::default(), now);
    no_text_acts(&serde_json::to_value(&report).expect("JSON"));
    html_is_well_formed(&document(&report));
    // It puts a character that is not seen into what would be a link.
    let words = markdown(&report).replace('\u{200b}', "");
    words.lines().for_each(does_not_act);
    let mut shown = Vec::new();
    terminal(&mut shown, &report, Some(100)).expect("written");
    let shown = String::from_utf8(shown).expect("UTF-8");
    let plain = anstream::adapter::strip_str(&shown).to_string();
    plain.lines().for_each(does_not_act);
}
