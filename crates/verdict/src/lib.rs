//! Say what was proven: the answers to a proof, in both languages, for a terminal, a page and programs.
//!
//! What it offers: [`examine`] (bytes in, a [`Report`] out), [`Line`] (the same for one line of a batch), and what either says:
//! in words ([`speech`]), as a page that prints ([`html`]), as JSON ([`Report::json`]).
//!
//! Invariants: the first line is enough to act on; what could not be evaluated is never shown as if it had been; a word of
//! somebody else's reaches no terminal and no page with anything in it that could deceive.
//!
//! This crate opens no file and no socket and reads no clock, so that a browser can run it; `minlian verify` and the page that
//! nodes serve say the same because both ask here.

mod beyond;
pub mod html;
pub mod layout;
mod line;
mod report;
pub mod speech;

pub use beyond::{Beyond, FIELD_NAMES, called};
pub use line::{Line, is_line};
pub use report::{
    Answer, Brought, Document, Finding, Fit, Obstacle, Report, examine, plain_name, trust_root,
};

/// The version of the verifier.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
