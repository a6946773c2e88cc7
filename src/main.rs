//! The `privatelink-prober` command.

fn main() {}
