//! Adversaries against [`consensus::Engine`] alone: no blocks, no network, no clock.

mod nouns;
mod twins;
