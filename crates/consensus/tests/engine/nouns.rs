//! Four seats, their keys, and short spellings of what they say.

use consensus::{Engine, Entry, Identity, Input, Start};
use types::{
    AgencyCode, BlockId, ChainId, Committee, Hash, Height, Round, SecretKey, Validator,
    hash::{Purpose, hash},
};

pub(crate) const CHAIN: ChainId = ChainId(Hash([7; 32]));
pub(crate) const ONE: Height = Height(1);
pub(crate) const SEATS: usize = 4;

pub(crate) fn secret(seat: usize) -> SecretKey {
    SecretKey::from_seed([u8::try_from(seat + 1).unwrap(); 32])
}

pub(crate) fn committee() -> Committee {
    let seat = |n: usize| Validator {
        agency: AgencyCode::new("11350000MXDEX0015L").unwrap(),
        name: format!("机构{n}").parse().unwrap(),
        key: secret(n).public(),
    };
    Committee::new((0..SEATS).map(seat).collect()).unwrap()
}

pub(crate) fn start(height: Height) -> Start {
    Start { height, committee: committee() }
}

pub(crate) fn identity(seat: usize) -> Identity {
    Identity { chain: CHAIN, secret: secret(seat), vote_from: Height::GENESIS }
}

pub(crate) fn restored(
    seat: usize,
    height: Height,
    journal: &[Entry],
) -> (Engine, Vec<consensus::Action>) {
    Engine::restore(identity(seat), start(height), journal).unwrap()
}

/// A block's name, of whatever tells it apart.
pub(crate) fn block(parts: &[u64]) -> BlockId {
    let bytes: Vec<u8> = parts.iter().flat_map(|part| part.to_le_bytes()).collect();
    BlockId(hash(Purpose::Trace, &[&bytes]))
}

pub(crate) fn judged(height: Height, round: Round, block: BlockId) -> Input {
    Input::Judged { height, round, block, valid: true }
}
