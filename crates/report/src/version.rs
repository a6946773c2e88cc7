//! Version: of this program, and of the JSON that it writes.

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit that this program was built from, where the build says so.
pub const REVISION: &str = match option_env!("REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

/// The version of the JSON types; fields are only added to a version.
pub const SCHEMA_VERSION: u32 = 1;
