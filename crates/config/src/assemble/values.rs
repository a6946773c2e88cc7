//! Values: reads the values that a target and the globals have in common.

use std::time::Duration;

use ipnet::IpNet;
use privatelink_verdict::address::{Family, Overrides, Rules};
use privatelink_verdict::target::{Expectation, Protocol, Target};

use crate::diagnostic::{Diagnostic, quoted};
use crate::plan::Limits;
use crate::problems::Problems;
use crate::raw::RawClassify;
use crate::spanned::Spanned;
use crate::text::{CidrText, DurationText, ExpectText, FamilyText, ProtocolText};
use crate::{duration, network};
use privatelink_verdict::suggest::did_you_mean;

/// A duration between two bounds, or the default.
pub(super) fn span(
    written: Option<&Spanned<DurationText>>,
    what: &str,
    (least, most): (Duration, Duration),
    default: Duration,
    problems: &mut Problems<'_>,
) -> Duration {
    written
        .and_then(|written| bounded(written, what, (least, most), problems))
        .unwrap_or(default)
}

fn bounded(
    written: &Spanned<DurationText>,
    what: &str,
    (least, most): (Duration, Duration),
    problems: &mut Problems<'_>,
) -> Option<Duration> {
    let span = problems.check(written.location, duration::parse(&written.value.0))?;
    let diagnostic = |bound: &str, limit| {
        Diagnostic::new(format!(
            "{what} is {}, {bound} {}",
            duration::quoted(span),
            duration::quoted(limit)
        ))
    };
    if span < least {
        problems.error(written.location, diagnostic("shorter than", least));
    } else if span > most {
        problems.error(written.location, diagnostic("longer than", most));
    } else {
        return Some(span);
    }
    None
}

/// An `interval`; `limits.minInterval` is checked by the caller, who knows it.
pub(super) fn interval(
    written: Option<&Spanned<DurationText>>,
    problems: &mut Problems<'_>,
) -> Option<Duration> {
    bounded(written?, "interval", Target::INTERVALS, problems)
}

/// A `timeout`.
pub(super) fn timeout(
    written: Option<&Spanned<DurationText>>,
    problems: &mut Problems<'_>,
) -> Option<Duration> {
    bounded(written?, "timeout", Target::TIMEOUTS, problems)
}

pub(super) fn below_minimum(interval: Duration, limits: &Limits) -> Diagnostic {
    Diagnostic::new(format!(
        "the interval {} is shorter than limits.minInterval, {}",
        duration::quoted(interval),
        duration::quoted(limits.min_interval)
    ))
}

pub(super) fn shorter_than_timeout(interval: Duration, timeout: Duration) -> Diagnostic {
    Diagnostic::new(format!(
        "the interval {} is shorter than the timeout {}: a slow probe makes the next one skip",
        duration::quoted(interval),
        duration::quoted(timeout)
    ))
}

/// The value of one of `words`, or an error with the nearest of them.
pub(super) fn word<T: Copy, W: AsRef<str>>(
    written: Option<&Spanned<W>>,
    what: &str,
    words: &[(&'static str, T)],
    problems: &mut Problems<'_>,
) -> Option<T> {
    let written = written?;
    let text = written.value.as_ref();
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Some(*value);
    }
    let valid = || words.iter().map(|(word, _)| *word);
    let help = did_you_mean(text, valid())
        .unwrap_or_else(|| format!("valid are {}", valid().collect::<Vec<_>>().join(", ")));
    problems.error(
        written.location,
        Diagnostic::new(format!("{} is not a value of {what}", quoted(text))).help(help),
    );
    None
}

pub(super) fn expectation(
    written: Option<&Spanned<ExpectText>>,
    problems: &mut Problems<'_>,
) -> Option<Expectation> {
    let words: Vec<_> = Expectation::ALL
        .iter()
        .map(|word| (word.as_str(), *word))
        .collect();
    word(written, "expect", &words, problems)
}

pub(super) fn protocol(
    written: Option<&Spanned<ProtocolText>>,
    problems: &mut Problems<'_>,
) -> Option<Protocol> {
    let words: Vec<_> = Protocol::ALL
        .iter()
        .map(|word| (word.as_str(), *word))
        .collect();
    word(written, "protocol", &words, problems)
}

/// The families, in the order they are asked for; at least one.
pub(super) fn families(
    written: Option<&Spanned<Vec<Spanned<FamilyText>>>>,
    problems: &mut Problems<'_>,
) -> Option<&'static [Family]> {
    let written = written?;
    if written.value.is_empty() {
        problems.error(
            written.location,
            Diagnostic::new("addressFamilies is empty: nothing would be asked for")
                .help("write `[ipv4]`, `[ipv6]` or `[ipv4, ipv6]`"),
        );
        return None;
    }
    let words = [("ipv4", Family::Ipv4), ("ipv6", Family::Ipv6)];
    let families: Vec<Family> = written
        .value
        .iter()
        .filter_map(|family| word(Some(family), "addressFamilies", &words, problems))
        .collect();
    let has = |family| families.contains(&family);
    match (has(Family::Ipv4), has(Family::Ipv6)) {
        (true, true) => Some(&[Family::Ipv4, Family::Ipv6]),
        (true, false) => Some(&[Family::Ipv4]),
        (false, true) => Some(&[Family::Ipv6]),
        (false, false) => None,
    }
}

pub(super) fn networks(
    written: Option<&[Spanned<CidrText>]>,
    problems: &mut Problems<'_>,
) -> Vec<IpNet> {
    written
        .unwrap_or_default()
        .iter()
        .filter_map(|cidr| problems.check(cidr.location, network::cidr(&cidr.value.0)))
        .collect()
}

/// The overrides of a target or of the globals. The same network cannot be private and public.
pub(super) fn classify(written: Option<&RawClassify>, problems: &mut Problems<'_>) -> Overrides {
    let Some(written) = written else {
        return Overrides::default();
    };
    let private = networks(written.private.as_deref(), problems);
    let public = networks(written.public.as_deref(), problems);
    for cidr in written.public.iter().flatten() {
        if network::cidr(&cidr.value.0).is_ok_and(|net| private.contains(&net)) {
            problems.error(
                cidr.location,
                Diagnostic::new(format!(
                    "{} is classified as private and as public",
                    quoted(&cidr.value.0)
                ))
                .help("keep one of them; a longer prefix inside it may say otherwise"),
            );
        }
    }
    Overrides { private, public }
}

/// Warns of expected networks whose addresses are never dialled.
pub(super) fn doubt_expected(
    networks: &[Spanned<CidrText>],
    rules: &Rules,
    problems: &mut Problems<'_>,
) {
    for written in networks {
        let Ok(net) = network::cidr(&written.value.0) else {
            continue;
        };
        if rules.denied.iter().any(|denied| denied.contains(&net)) {
            problems.warning(
                written.location,
                Diagnostic::new(format!(
                    "the expected network `{net}` lies in deniedCidrs: its addresses are never dialled"
                )),
            );
        } else if !rules.may_dial(net.network()) {
            problems.warning(
                written.location,
                Diagnostic::new(format!(
                    "the expected network `{net}` starts in a reserved range: reserved addresses \
                     are never dialled"
                ))
                .help("if it is meant, name it under `classify.private` too"),
            );
        }
    }
}
