//! Refusing: the whole text of what is said of a configuration that cannot be used, by theme.

mod command_line;
mod files;
mod resolvers;
mod shape;
mod targets;
mod values;

use super::*;
