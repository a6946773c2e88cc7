//! Watch: looks at the agent all the time, and shows the invariants what it sees.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use privatelink_lab::RunningWorld;
use tokio::time::{Instant, sleep};

use crate::agent::{ADDRESS, Agent};
use crate::http;
use crate::invariants::Invariants;
use crate::metrics::Metrics;

const TICK: Duration = Duration::from_millis(50);
const HEALTH_EVERY: Duration = Duration::from_millis(250);
const SCRAPE_EVERY: Duration = Duration::from_millis(500);

/// How long `/healthz` may take: as long as a kubelet waits by default.
const HEALTH_LIMIT: Duration = Duration::from_secs(1);
const SCRAPE_LIMIT: Duration = Duration::from_secs(3);

/// When something was looked at last.
#[derive(Debug)]
pub(crate) struct Watch {
    health: Instant,
    scrape: Instant,
    /// How many questions the DNS servers had been asked, and when, of the last second.
    questions: VecDeque<(Instant, u64)>,
}

impl Watch {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self {
            health: now,
            scrape: now,
            questions: VecDeque::new(),
        }
    }

    /// Watches for so long.
    pub(crate) async fn during(
        &mut self,
        time: Duration,
        agent: &mut Agent,
        lab: &RunningWorld,
        invariants: &mut Invariants,
    ) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            if let Some(status) = agent.ended() {
                let log = agent.log();
                invariants.see_end(status, &log);
                return;
            }
            self.see_questions(lab, invariants);
            if self.health.elapsed() >= HEALTH_EVERY {
                self.health = Instant::now();
                let status = http::get(ADDRESS, "/healthz", HEALTH_LIMIT).await;
                invariants.see_health(&status.map(|reply| reply.status), self.health.elapsed());
                invariants.see_usage(agent.usage());
            }
            if self.scrape.elapsed() >= SCRAPE_EVERY {
                self.scrape = Instant::now();
                scrape(invariants).await;
            }
            sleep(TICK).await;
        }
    }

    fn see_questions(&mut self, lab: &RunningWorld, invariants: &mut Invariants) {
        const SECOND: Duration = Duration::from_secs(1);
        let (now, asked) = (Instant::now(), lab.questions());
        self.questions.push_back((now, asked));
        while let Some((then, before)) = self.questions.front().copied() {
            if now - then < SECOND {
                return;
            }
            self.questions.pop_front();
            invariants.see_questions(asked - before, now - then);
        }
    }
}

async fn scrape(invariants: &mut Invariants) {
    match http::get(ADDRESS, "/metrics", SCRAPE_LIMIT).await {
        Ok(reply) if reply.status == 200 => {
            let wall = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            let metrics = Metrics::read(&reply.body);
            invariants.see_metrics(Instant::now(), wall.as_secs_f64(), &metrics);
        }
        Ok(reply) => invariants.violated("metrics are served", "", reply.status, "200"),
        Err(error) if invariants.must_answer => {
            invariants.violated("metrics are served", "", error, "a scrape");
        }
        Err(_) => {}
    }
}
