//! Hurt: the users of several targets together.

use privatelink_verdict::catalogue::Usage;
use privatelink_verdict::target::Users;

use crate::report::UsersOfTargets;

/// The users of several targets, summed by what they do with them.
pub(crate) fn summed<'a>(users: impl Iterator<Item = &'a Users>) -> Vec<UsersOfTargets> {
    let usages = [None, Some(Usage::Registries), Some(Usage::Volumes)];
    let mut sums = usages.map(|usage| Users {
        usage,
        ..Users::default()
    });
    for users in users {
        let Some(sum) = sums.iter_mut().find(|sum| sum.usage == users.usage) else {
            continue;
        };
        sum.workloads += users.workloads;
        sum.namespaces += users.namespaces;
        for example in &users.examples {
            if sum.examples.len() < Users::MOST_EXAMPLES && !sum.examples.contains(example) {
                sum.examples.push(example.clone());
            }
        }
    }
    let known = sums
        .iter()
        .filter(|sum| sum.workloads > 0 || !sum.examples.is_empty());
    known.map(UsersOfTargets::from).collect()
}
