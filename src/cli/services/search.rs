//! Search: which services a word stands for: by its name, by what people call it, by a suffix or zone.

use privatelink_verdict::catalogue::{self, Service};
use privatelink_verdict::name::fits;

/// What people call some services, which is no part of what the catalogue calls them; the likeliest
/// first.
pub(super) const POPULAR: [(&str, &[&str]); 52] = [
    ("acr", &["container-registry"]),
    // Azure Cognitive Search, as it was called before it was Azure AI Search.
    ("acs", &["ai-search"]),
    ("adf", &["data-factory"]),
    ("adls", &["storage-dfs", "storage-blob"]),
    ("adt", &["digital-twins"]),
    ("adx", &["data-explorer"]),
    ("aks", &["kubernetes-api"]),
    ("akv", &["key-vault"]),
    ("aml", &["machine-learning"]),
    ("ampls", &["monitor"]),
    ("apim", &["api-management"]),
    ("app insights", &["monitor"]),
    ("application insights", &["monitor"]),
    ("arm", &["resource-manager"]),
    ("asb", &["service-bus"]),
    ("ase", &["app-service-environment"]),
    ("asr", &["site-recovery"]),
    ("avd", &["virtual-desktop"]),
    ("cognitive search", &["ai-search"]),
    ("cognitive services", &["ai-services"]),
    ("data lake", &["storage-dfs", "storage-blob"]),
    ("document intelligence", &["ai-services"]),
    ("dps", &["iot-hub-provisioning"]),
    ("eventhub", &["event-hubs"]),
    ("files", &["storage-file"]),
    ("form recognizer", &["ai-services"]),
    ("foundry", &["ai-services"]),
    ("function app", &["app-service"]),
    ("functions", &["app-service"]),
    ("hsm", &["key-vault-hsm"]),
    ("iothub", &["iot-hub"]),
    ("kafka", &["event-hubs"]),
    ("kv", &["key-vault"]),
    ("log analytics", &["monitor"]),
    ("managed hsm", &["key-vault-hsm"]),
    ("mhsm", &["key-vault-hsm"]),
    ("mongo", &["cosmos-db-mongo", "cosmos-db-mongo-vcore"]),
    ("mongodb", &["cosmos-db-mongo", "cosmos-db-mongo-vcore"]),
    ("mssql", &["sql", "sql-managed-instance"]),
    ("nfs", &["storage-file"]),
    ("openai", &["ai-services"]),
    ("smb", &["storage-file"]),
    ("speech", &["ai-services"]),
    ("sql mi", &["sql-managed-instance"]),
    ("sql server", &["sql", "sql-managed-instance"]),
    ("sqldb", &["sql"]),
    ("sqlmi", &["sql-managed-instance"]),
    ("static website", &["storage-web"]),
    ("swa", &["static-web-apps"]),
    ("vault", &["key-vault", "key-vault-hsm"]),
    ("web app", &["app-service"]),
    ("webapp", &["app-service"]),
];

/// Words that say nothing of which service is meant.
const COMMON: [&str; 8] = [
    "azure",
    "microsoft",
    "service",
    "services",
    "for",
    "the",
    "account",
    "database",
];

/// The slugs that `words` may stand for, the best match first.
pub(super) fn slugs(words: &str) -> Vec<&'static str> {
    let words = words.trim().to_ascii_lowercase();
    let brief = words.strip_prefix("azure ").unwrap_or(&words);
    let services = || catalogue::services().iter();
    let slug = brief.replace([' ', '_'], "-");
    if let Some(service) = services().find(|service| service.slug == slug) {
        return vec![service.slug];
    }
    let said = brief.replace(['-', '_'], " ");
    let is_said = |(name, _): &&(&str, &[&'static str])| *name == said || *name == brief;
    if let Some((_, slugs)) = POPULAR.iter().find(is_said) {
        return slugs.to_vec();
    }
    if brief.contains('.') {
        let suffix = bare(brief);
        return in_order(services().map(|service| (service, of_suffix(service, suffix))));
    }
    let words: Vec<_> = said.split(' ').filter(|word| !word.is_empty()).collect();
    let telling = words.iter().filter(|word| !COMMON.contains(word));
    let telling: Vec<_> = telling.copied().collect();
    let words = if telling.is_empty() { words } else { telling };
    in_order(services().map(|service| (service, of_words(service, &words))))
}

/// Whether a name with dots is a suffix or zone, and not a host below one: `sql-prod.database.windows.net`
/// fits the suffix of managed instances too, and is a server.
pub(super) fn is_suffix(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let suffix = bare(&name);
    let mut services = catalogue::services().iter();
    let is_written = services.any(|service| {
        let mut patterns = service.suffixes.iter().chain(&service.private_zones);
        patterns.any(|pattern| *pattern == suffix)
    });
    let is_zone = suffix.starts_with("privatelink");
    let is_meant = is_written || is_zone || suffix != name || catalogue::lookup(suffix).is_none();
    is_meant && !slugs(suffix).is_empty()
}

/// A suffix without the signs of one: `*.vault.azure.net`, `.vault.azure.net`.
fn bare(suffix: &str) -> &str {
    suffix.trim_start_matches("*.").trim_matches('.')
}

/// How much a suffix or zone says for a service; 0: nothing.
fn of_suffix(service: &Service, suffix: &str) -> usize {
    let is_it = |pattern: &str| fits(suffix, pattern);
    let public = suffix.strip_prefix("privatelink.").unwrap_or(suffix);
    if service.primary.iter().any(|own| is_it(own)) {
        4
    } else if service.primary.iter().any(|own| fits(public, own)) {
        3
    } else if service.suffixes.iter().any(|own| is_it(own)) {
        2
    } else {
        let mut zones = service.private_zones.iter().chain(&service.private_only);
        usize::from(zones.any(|zone| is_it(zone)))
    }
}

/// How much words say for a service, of which each must say something; 0: nothing.
fn of_words(service: &Service, words: &[&str]) -> usize {
    let each = words.iter().map(|word| of_word(service, word));
    let each: Vec<_> = each.collect();
    if each.contains(&0) {
        0
    } else {
        each.iter().sum()
    }
}

fn of_word(service: &Service, word: &str) -> usize {
    // A beginning of two letters says too little.
    let begins = |part: &str| word.len() > 2 && part.starts_with(word);
    let score = |parts: &mut dyn Iterator<Item = &str>, whole: usize, beginning: usize| {
        let scores = parts.map(|part| match part {
            part if part == word => whole,
            part if begins(part) => beginning,
            _ => 0,
        });
        scores.max().unwrap_or_default()
    };
    let title = service.title.to_ascii_lowercase();
    let kind = service.resource_type.to_ascii_lowercase();
    let mut suffixes = service.suffixes.iter().flat_map(|suffix| suffix.split('.'));
    [
        score(&mut service.slug.split('-'), 8, 6),
        score(&mut title.split(|c: char| !c.is_alphanumeric()), 7, 5),
        score(&mut kind.split(['.', '/']), 4, 3),
        score(&mut suffixes, 4, 2),
    ]
    .into_iter()
    .max()
    .unwrap_or_default()
}

/// The slugs with a score, each once, the highest first; among equals the shorter one, which is the
/// service itself rather than a part of it, then the table's order.
fn in_order(scored: impl Iterator<Item = (&'static Service, usize)>) -> Vec<&'static str> {
    let mut best: Vec<(&'static str, usize)> = Vec::new();
    for (service, score) in scored.filter(|(_, score)| *score > 0) {
        match best.iter_mut().find(|(slug, _)| *slug == service.slug) {
            Some((_, known)) => *known = score.max(*known),
            None => best.push((service.slug, score)),
        }
    }
    best.sort_by_key(|(slug, score)| (usize::MAX - score, slug.split('-').count()));
    best.into_iter().map(|(slug, _)| slug).collect()
}
