//! Check without trust: log, map, receipts, trust roots.
//!
//! What it offers: [`verify()`] (bytes and a [`TrustRoot`] in, a [`Verdict`] out), [`Proof`] and its file ([`encode`],
//! [`decode`], [`armor()`], [`dearmor`]), and the two trees that proofs are cut from: [`log`], which only grows, and [`map`],
//! which holds the present. The file format is specified in `FORMAT.md` beside this crate.
//!
//! Invariants: whatever can be computed is computed and never read from the file; a proof has one spelling in each of its
//! three carriers (frames may come in any order); [`Proven`] has one constructor, the check, and nothing deserialises into it.
//!
//! This crate never learns who stored a record or how a proof arrived. It reads no clock, opens no file and no socket.

mod armor;
mod error;
mod explain;
mod file;
mod frames;
mod line;
pub mod log;
pub mod many;
pub mod map;
mod present;
mod receipt;
mod standing;
mod succession;
mod trust;
mod verify;

#[cfg(test)]
mod tests;

pub use armor::{ARMOR_BYTES_MAX, armor, dearmor};
pub use error::{
    AgencyLineError, BatchError, EquivocationError, HandoverError, ProofError, UpstreamError,
};
pub use explain::{Hashed, explain};
pub use file::{MAGIC, PROOF_BYTES_MAX, VERSION, decode, encode};
pub use frames::{FRAME_BYTES, FRAMES_MAX, FRAMES_TEXT_MAX, frames, unframe};
pub use line::{
    CHUNK, LINE_BYTES_MAX, LINE_MAGIC, LINE_VERSION, LineError, LineProof, LineVerdict, ProvenLine,
    decode_line, encode_line, line_leaf, path_in_chunks, root_of_chunks, verify_line,
};
pub use present::{
    Disclosed, PRESENTATION_BYTES_MAX, PRESENTATION_MAGIC, PRESENTATION_VERSION, Presentation,
    PresentationError, Showing, is_presentation, present,
};
pub use receipt::{
    AUTHORITY_WORK_MAX, AgencyState, AuthorityClaim, BATCH_MAX, CLAIMS_MAX, Claim,
    ConsistencyClaim, DEPTH_MAX, ForkClaim, HOPS_MAX, Hop, LINE_MAX, LINKS_MAX, LotClaim, Proof,
    RecordClaim, RecordsClaim, SIGNATURES_MAX, Said, SharedRecord, SharedTransaction, StatusClaim,
    UpstreamClaim, VotesClaim,
};
pub use standing::{StoodError, stood_at};
pub use trust::{Checkpoint, TRUST_ROOT_BYTES_MAX, TrustRoot, TrustRootError};
pub use verify::{
    Check, Fact, Grounds, Outcome, Proven, Refusal, Scope, Step, Verdict, genesis_allows, verify,
};
