//! The command of operators.

use std::process::ExitCode;

fn main() -> ExitCode {
    node::cli::main()
}
