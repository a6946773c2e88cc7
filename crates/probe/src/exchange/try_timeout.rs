//! Try timeout: how long one try of a DNS question may take before the next server is asked.

use std::time::Duration;

/// An equal share of the budget for each of `tries`, and at most `configured`, the `timeout` of
/// resolv.conf.
pub(super) fn try_timeout(budget: Duration, tries: u32, configured: Duration) -> Duration {
    (budget / tries.max(1)).min(configured)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_try_gets_its_share_and_at_most_what_resolv_conf_says() {
        let seconds = Duration::from_secs;
        assert_eq!(try_timeout(seconds(4), 4, seconds(5)), seconds(1));
        assert_eq!(try_timeout(seconds(30), 2, seconds(5)), seconds(5));
        assert_eq!(try_timeout(seconds(4), 0, seconds(5)), seconds(4));
    }
}
