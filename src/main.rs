//! The `privatelink-prober` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    privatelink_prober::cli::main()
}
