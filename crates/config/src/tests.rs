//! What a configuration means, and how one that cannot be used is refused.

mod guide;
mod json_schema;
mod learned;
mod meaning;
mod merging;
mod properties;
mod refusing;

use std::path::Path;
use std::sync::Arc;

use annotate_snippets::renderer::Renderer;
use privatelink_verdict::target::Target;

use super::*;

fn plan(text: &str) -> Plan {
    match load_text("config.yaml", text) {
        Ok(plan) => plan,
        Err(error) => panic!("{error}"),
    }
}

/// All problems of a configuration that is refused.
fn refused(text: &str) -> String {
    match load_text("config.yaml", text) {
        Ok(plan) => panic!("accepted: {plan:?}"),
        Err(error) => plain(&error),
    }
}

/// What is printed, without colours.
fn plain(error: &ConfigError) -> String {
    error.render(&Renderer::plain())
}

fn target<'a>(plan: &'a Plan, name: &str) -> &'a Arc<Target> {
    let mut targets = plan.targets.iter();
    targets
        .find(|target| target.name == name)
        .unwrap_or_else(|| panic!("there is no target called {name}: {:?}", names(plan)))
}

fn names(plan: &Plan) -> Vec<&str> {
    let targets = plan.targets.iter();
    targets.map(|target| target.name.as_str()).collect()
}

/// A directory that is removed at the end of the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("plp-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary directory");
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("a temporary file");
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
