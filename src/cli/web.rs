//! Web: the web configuration of the agent and of the observer, and its changes.

use std::convert::Infallible;
use std::future::pending;
use std::path::PathBuf;

use clap::Args;
use privatelink_config::problem::ConfigError;
use privatelink_config::reload::{FileWatcher, Reload};
use privatelink_config::web::{WebConfig, WebFiles};
use privatelink_report::events::{WebConfigLoaded, WebConfigRefused};

use super::run::read_again;
use crate::http::Access;

/// Where the web configuration is.
#[derive(Args, Debug)]
pub(super) struct WebArgs {
    /// TLS, certificates of clients and passwords, in the form of Prometheus' exporters: see
    /// docs/install.md [default: plain HTTP, for whoever reaches the port].
    #[arg(long, value_name = "FILE", value_parser = read_again)]
    web_config_file: Option<PathBuf>,
}

/// Who may read, as the web configuration says now.
#[derive(Debug, Default)]
pub(super) struct Web {
    access: Access,
    /// `None` where everyone may read.
    watcher: Option<FileWatcher<WebFiles>>,
}

impl Web {
    /// Reads the web configuration, if there is one, and begins to watch its files.
    pub(super) fn start(args: WebArgs) -> Result<Self, ConfigError> {
        let Some(file) = args.web_config_file else {
            return Ok(Self::default());
        };
        let (config, watcher) = FileWatcher::start(&[file])?;
        tell(&config);
        Ok(Self {
            access: Access::new(config),
            watcher: Some(watcher),
        })
    }

    pub(super) fn access(&self) -> Access {
        self.access.clone()
    }

    /// Takes over each change of its files: see [`follow`].
    pub(super) async fn follow(self, said: impl Fn(bool)) -> Infallible {
        let Self { access, watcher } = self;
        let take = |config: WebConfig| {
            tell(&config);
            access.set_config(config);
        };
        follow(watcher, take, said).await
    }
}

/// Says that files are loaded, if there are any. Then takes over each change of them, and says whether it could; the
/// last good ones stay in use.
pub(super) async fn follow<R: Reload>(
    watcher: Option<FileWatcher<R>>,
    take: impl Fn(R::Meaning),
    said: impl Fn(bool),
) -> Infallible {
    let Some(mut watcher) = watcher else {
        return pending().await;
    };
    said(true);
    loop {
        match watcher.changed().await {
            Ok(meaning) => {
                take(meaning);
                said(true);
            }
            Err(error) => {
                WebConfigRefused {
                    error: &error.to_string(),
                }
                .emit();
                said(false);
            }
        }
    }
}

fn tell(config: &WebConfig) {
    WebConfigLoaded {
        tls: config.tls.is_some(),
        users: config.users.len(),
    }
    .emit();
}
