//! The command of operators.

use std::process::ExitCode;

/// A block of five thousand operations allocates and frees some hundred thousand times.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    node::cli::main()
}
