//! Tasks: everything a running world does in the background, ended together.

use std::future::{Future, pending};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Spawns tasks that end when this is stopped. Clones share their tasks.
#[derive(Clone, Debug, Default)]
pub(super) struct Tasks {
    tracker: TaskTracker,
    end: CancellationToken,
}

impl Tasks {
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        // Whether the work was done or cut off makes no difference to a world.
        let work = self.end.clone().run_until_cancelled_owned(work);
        self.tracker.spawn(async { _ = work.await });
    }

    /// Keeps `value`, such as an open socket, until the end.
    pub(super) fn hold(&self, value: impl Send + 'static) {
        self.spawn(async move {
            let _held = value;
            pending::<()>().await;
        });
    }

    pub(super) fn stop(&self) {
        self.end.cancel();
    }

    /// Stops, and waits until every socket is closed.
    pub(super) async fn stopped(&self) {
        self.stop();
        self.tracker.close();
        self.tracker.wait().await;
    }
}
