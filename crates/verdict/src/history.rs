//! History: what the judge remembers of a target's earlier probes.

mod aging;

use self::aging::Aging;
pub(crate) use self::aging::Trend;
use crate::address::{Class, ClassSet, Family, judged_as};
use crate::observation::{Observation, Resolution};

/// The number of answered probes within which changes count as flapping (section 5).
const WINDOW: usize = 10;

/// What the judge remembers of a target's earlier probes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The latest answered probes, oldest first; only the first `kept` were made.
    answered: [Answered; WINDOW],
    kept: u8,
    private_seen: bool,
    aging: Option<Aging>,
}

/// The classes of one answer, by the family its addresses are judged as: `expectedCidrs` binds
/// families.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Answered {
    ipv4: ClassSet,
    ipv6: ClassSet,
}

impl Answered {
    fn of(resolution: &Resolution) -> Option<Self> {
        let classes = |ipv4: bool| {
            let addresses = resolution.addresses.iter();
            addresses
                .filter(|address| judged_as(address.ip).is_ipv4() == ipv4)
                .map(|address| address.class)
                .collect()
        };
        resolution.answered().then(|| Self {
            ipv4: classes(true),
            ipv6: classes(false),
        })
    }

    /// The classes of all families together.
    pub(crate) fn classes(self) -> ClassSet {
        self.iter().map(|(_, class)| class).collect()
    }

    /// Every class with the family it was seen in.
    pub(crate) fn iter(self) -> impl Iterator<Item = (Family, Class)> {
        let ipv4 = self.ipv4.iter().map(|class| (Family::Ipv4, class));
        ipv4.chain(self.ipv6.iter().map(|class| (Family::Ipv6, class)))
    }
}

impl History {
    /// Remembers a probe that was judged. Probes without an address leave no trace.
    pub fn record(&mut self, observation: &Observation) {
        let Some(answered) = Answered::of(&observation.resolution) else {
            return;
        };
        if self.answered().len() == WINDOW {
            self.answered.rotate_left(1);
            self.kept -= 1;
        }
        self.answered[usize::from(self.kept)] = answered;
        self.kept += 1;
        self.private_seen |= answered.classes().iter().any(Class::is_private);
        self.aging = Aging::after(self.aging.as_ref(), observation);
    }

    /// Forgets the answers: they came by other rules, families or another resolver, and their
    /// difference from the next ones is not the target's. What `auto` latched stays.
    pub fn forget_answers(&mut self) {
        self.answered = Default::default();
        self.kept = 0;
        self.aging = None;
    }

    /// Whether an address of the target was ever private: `auto` stays `privateEndpoint` then.
    pub const fn private_seen(&self) -> bool {
        self.private_seen
    }

    /// How often the class set changed between consecutive answered probes, up to and with
    /// `current`, within the window of section 5.
    pub(crate) fn changes(&self, current: &Resolution) -> usize {
        let classes: Vec<ClassSet> = self.window(current).map(Answered::classes).collect();
        classes.windows(2).filter(|pair| pair[0] != pair[1]).count()
    }

    /// Whether the answers flap, `current` the latest of them: at least two changes.
    pub(crate) fn flaps(&self, current: &Resolution) -> bool {
        self.changes(current) >= 2
    }

    /// How the TTL of the answer went from probe to probe, `current` the latest.
    pub(crate) fn ttl_trend(&self, current: &Observation) -> Option<Trend> {
        Aging::after(self.aging.as_ref(), current)?.trend()
    }

    /// The latest answered probes up to and with `current`, oldest first.
    pub(crate) fn window(&self, current: &Resolution) -> impl Iterator<Item = Answered> + '_ {
        let current = Answered::of(current);
        let kept = WINDOW - usize::from(current.is_some());
        let answered = self.answered();
        let skipped = answered.len().saturating_sub(kept);
        answered[skipped..].iter().copied().chain(current)
    }

    fn answered(&self) -> &[Answered] {
        &self.answered[..usize::from(self.kept)]
    }
}
