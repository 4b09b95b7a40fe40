//! Adversaries against [`consensus::Engine`] alone: no blocks, no network, no clock.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "whatever goes wrong here fails a test; what a search did is told to whoever runs it"
)]

mod byzantine;
mod net;
mod nouns;
mod twins;
