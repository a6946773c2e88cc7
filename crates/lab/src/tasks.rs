//! Tasks: what a running world does in the background, all of which ends together.

use std::future::{Future, pending};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Spawns tasks that end when this is stopped. Clones share their tasks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    end: CancellationToken,
}

impl Tasks {
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        // Whether the work ended or was cancelled makes no difference.
        let work = self.end.clone().run_until_cancelled_owned(work);
        self.tracker.spawn(async { _ = work.await });
    }

    /// Keeps `value`, such as an open socket, until the end.
    pub(crate) fn hold(&self, value: impl Send + 'static) {
        self.spawn(async move {
            let _held = value;
            pending::<()>().await;
        });
    }

    pub(crate) fn stop(&self) {
        self.end.cancel();
    }

    /// Stops, and waits until every socket is closed.
    pub(crate) async fn stopped(&self) {
        self.stop();
        self.tracker.close();
        self.tracker.wait().await;
    }
}
