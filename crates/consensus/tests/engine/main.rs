//! Adversaries against [`consensus::Engine`] alone: no blocks, no network, no clock.

mod byzantine;
mod net;
mod nouns;
mod twins;
