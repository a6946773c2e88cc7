//! History store: the ConfigMap in which the history of the fleet outlives restarts (docs/adr/0019).

use std::io::{self, Read as _, Write as _};
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{Patch, PatchParams};
use privatelink_fleet::Moment;
use privatelink_fleet::history::{Detail, FleetHistory};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

use crate::client::CALL;
use crate::events::{HistoryNotRead, HistoryNotRestored, HistoryNotSaved};

const SILENT: &str = "the API server did not answer";

/// The key of the history.
const HISTORY: &str = "history.json.gz";

/// The key of the moment until which it holds.
const MARK: &str = "mark";

/// The shortest time between two writes of the whole.
const BETWEEN_SAVES: Duration = Duration::from_mins(2);

/// Between two writes of the mark.
const BETWEEN_MARKS: Duration = Duration::from_mins(1);

/// The largest history as it is saved, in bytes. A ConfigMap holds 1 MiB, and bytes are written as base64.
const ROOM: usize = 700 * 1024;

/// The largest history when it is unpacked, in bytes.
const UNPACKED: u64 = 64 << 20;

/// Keeps the history. Only the leader may use it.
pub(crate) struct HistoryStore {
    config_maps: Api<ConfigMap>,
    name: String,
    /// The version of the `ConfigMap` that was read or written last. A write names it, so that one that comes
    /// late does not take the place of another leader's.
    version: Option<String>,
    /// When the whole, and when the mark, was written last.
    saved: Option<Instant>,
    marked: Option<Instant>,
    /// Whether the last attempt failed, so that a failure that lasts is logged once.
    is_failing: bool,
}

impl HistoryStore {
    pub(crate) fn new(config_maps: Api<ConfigMap>, name: &str) -> Self {
        Self {
            config_maps,
            name: name.to_owned(),
            version: None,
            saved: None,
            marked: None,
            is_failing: false,
        }
    }

    /// The history that was saved last; a new one where nothing was saved yet, or what was cannot be read. An
    /// error where the API server does not say.
    pub(crate) async fn load(&mut self) -> Result<FleetHistory, String> {
        let now = Moment::from(SystemTime::now());
        let read = timeout(CALL, self.config_maps.get(&self.name)).await;
        let read = read.map_err(|_| SILENT.to_owned())?;
        let config_map = read.map_err(|error| error.to_string())?;
        (self.saved, self.marked) = (None, None);
        self.version = config_map.metadata.resource_version;
        let packed = config_map.binary_data.unwrap_or_default().remove(HISTORY);
        let Some(ByteString(packed)) = packed else {
            return Ok(FleetHistory::default());
        };
        let mark = config_map.data.unwrap_or_default().remove(MARK);
        let mark = mark.and_then(|mark| mark.parse().ok());
        let restored = unpacked(&packed)
            .map_err(|error| error.to_string())
            .and_then(|text| {
                let restored = FleetHistory::restore(&text, mark, now);
                restored.map_err(|why| why.description().to_owned())
            });
        Ok(restored.unwrap_or_else(|error| {
            HistoryNotRestored {
                config_map: &self.name,
                error: &error,
            }
            .emit();
            FleetHistory::lost()
        }))
    }

    /// Writes what is due, while `may_write`.
    pub(crate) async fn save(&mut self, history: impl Shares, may_write: impl Fn() -> bool) {
        let now = Moment::from(SystemTime::now());
        let Some(due) = history.with(|history| self.due(history, now)) else {
            return;
        };
        let at = Some(Instant::now());
        self.marked = at;
        let data = match due {
            Due::Mark(mark) => json!({"data": {MARK: mark}}),
            Due::Whole => {
                self.saved = at;
                let Some((packed, mark)) = packed(&history, now).await else {
                    let most = ROOM / 1024;
                    self.not_saved(&format!("it is larger than {most} KiB even to the day"));
                    return history.with(FleetHistory::note_unsaved);
                };
                // With nobody's answer there is no moment until which it holds but its own.
                let mark = mark.map(|mark| mark.to_string());
                json!({"binaryData": {HISTORY: ByteString(packed)}, "data": {MARK: mark}})
            }
        };
        match self.write(data, may_write).await {
            Ok(()) => self.is_failing = false,
            Err(NotWritten::Follows) => history.with(FleetHistory::note_unsaved),
            Err(NotWritten::Failed(error)) => {
                self.not_saved(&error);
                history.with(FleetHistory::note_unsaved);
            }
        }
    }

    async fn write(
        &mut self,
        mut data: Value,
        may_write: impl Fn() -> bool,
    ) -> Result<(), NotWritten> {
        if self.version.is_none() {
            let read = timeout(CALL, self.config_maps.get_metadata(&self.name)).await;
            let read = read.map_err(|_| SILENT.to_owned())?;
            let metadata = read.map_err(|error| error.to_string())?.metadata;
            self.version = metadata.resource_version;
        }
        if !may_write() {
            return Err(NotWritten::Follows);
        }
        // Whatever comes of the write, the version that it names is not the latest any more.
        data["metadata"] = json!({"resourceVersion": self.version.take()});
        let patch = Patch::Merge(&data);
        let parameters = PatchParams::default();
        let written = self.config_maps.patch(&self.name, &parameters, &patch);
        let written = timeout(CALL, written).await;
        let written = written.map_err(|_| SILENT.to_owned())?;
        let config_map = written.map_err(|error| error.to_string())?;
        self.version = config_map.metadata.resource_version;
        Ok(())
    }

    pub(crate) fn not_read(&mut self, error: &str) {
        if !std::mem::replace(&mut self.is_failing, true) {
            HistoryNotRead {
                config_map: &self.name,
                error,
            }
            .emit();
        }
    }

    fn not_saved(&mut self, error: &str) {
        if !std::mem::replace(&mut self.is_failing, true) {
            HistoryNotSaved {
                config_map: &self.name,
                error,
            }
            .emit();
        }
    }

    /// What is to be written now, if anything is.
    fn due(&self, history: &FleetHistory, now: Moment) -> Option<Due> {
        let is_over = |last: Option<Instant>, pause| last.is_none_or(|at| at.elapsed() >= pause);
        if history.is_changed(now) {
            return is_over(self.saved, BETWEEN_SAVES).then_some(Due::Whole);
        }
        let mark = history.mark(now)?;
        is_over(self.marked, BETWEEN_MARKS).then(|| Due::Mark(mark.to_string()))
    }
}

/// A history that others use between two looks at it.
pub(crate) trait Shares {
    fn with<T>(&self, look: impl FnOnce(&mut FleetHistory) -> T) -> T;
}

/// What is to be written.
enum Due {
    /// The whole, and its mark.
    Whole,
    /// The mark alone.
    Mark(String),
}

/// Why nothing was written.
enum NotWritten {
    /// This replica leads no more.
    Follows,
    Failed(String),
}

impl From<String> for NotWritten {
    fn from(error: String) -> Self {
        Self::Failed(error)
    }
}

/// The history in the most detail for which there is room, and its mark. It is packed on another thread, since
/// that of a large fleet takes a while.
async fn packed(history: &impl Shares, now: Moment) -> Option<(Vec<u8>, Option<Moment>)> {
    for detail in Detail::ALL {
        let (text, mark) = history.with(|history| (history.save(*detail, now), history.mark(now)));
        let packed = spawn_blocking(move || pack(&text)).await.ok()?.ok()?;
        if packed.len() <= ROOM {
            return Some((packed, mark));
        }
    }
    None
}

fn pack(text: &str) -> io::Result<Vec<u8>> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(text.as_bytes())?;
    packer.finish()
}

fn unpacked(packed: &[u8]) -> io::Result<String> {
    let mut text = String::new();
    GzDecoder::new(packed)
        .take(UNPACKED)
        .read_to_string(&mut text)?;
    Ok(text)
}
