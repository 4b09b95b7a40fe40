//! The proofs of what a state says, as of its last block.

mod authority;

use crate::{
    execute::{Handover, Nodes, Pages, spot},
    query,
    retention::kept_from,
    rules::Rules,
    state::{Column, State},
};
use proof::{
    AUTHORITY_WORK_MAX, BATCH_MAX, Claim, ConsistencyClaim, DEPTH_MAX, HOPS_MAX, Hop, LotClaim,
    PROOF_BYTES_MAX, Proof, RecordClaim, RecordsClaim, SIGNATURES_MAX, SharedRecord,
    SharedTransaction, StatusClaim, UpstreamClaim, VotesClaim, log, many, map,
};
use std::collections::{BTreeMap, BTreeSet};
use types::{
    AgencyCode, Header, Height, PublicKey, RecordId, Subject, Transaction, codec,
    merkle::List,
    operation::{Action, Lot},
    subject::{Link, Part},
    transaction::operation_leaf,
};

/// Longer histories are proven by their end alone.
pub const HISTORY_IN_PROOF_MAX: u64 = 4096;

const WRITTEN: &str = "what a commit writes is there: the store has lost state";

/// One thing a proof is asked to show. Several go into one file, under one header, certificate and handover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// That a record is on the ledger.
    Record(RecordId),
    /// The same of several records, with what they share there once.
    Records(Vec<RecordId>),
    /// Where a subject stands, or that it is not on the ledger.
    Subject(Subject),
    /// The complete upstream of a lot.
    Upstream(Lot),
    /// That the log of this earlier block begins that of the last.
    Consistency(Height),
    /// That the last block is final.
    Block,
    /// Who could sign for an agency, and what it could record.
    Authority {
        /// The agency.
        agency: AgencyCode,
        /// A key that could sign for it.
        key: Option<PublicKey>,
        /// In the block of this height; none is the next.
        at: Option<Height>,
    },
    /// That a validator said two things, of which the caller holds both.
    Votes(Box<VotesClaim>),
}

/// Why there is no such proof.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unprovable {
    /// There is no block yet.
    #[error("there is no block yet; ask again in a moment")]
    Empty,
    /// A record that is not on the ledger.
    #[error("record {0} is not on the ledger")]
    Record(RecordId),
    /// What was said at a height that is not decided yet.
    #[error("height {0} is not decided yet; ask again in a moment")]
    Early(Height),
    /// A record that was not there yet.
    #[error("the record at position {0} came after the block asked for")]
    Later(u64),
    /// A record whose body this ledger no longer has.
    #[error(
        "record {position} of the log is in block {height}, whose body was dropped here by retention (kept are blocks from \
         {kept} on, with the records from position {first} on): ask another validator, or whoever keeps the archive"
    )]
    Dropped {
        /// Its position in the log.
        position: u64,
        /// Its block.
        height: Height,
        /// The first block whose body is here.
        kept: Height,
        /// The first position whose record is here.
        first: u64,
    },
    /// A lot that is not on the ledger.
    #[error("{0} is not on the ledger")]
    Lot(Lot),
    /// An agency that the ledger never heard of.
    #[error("agency {0} was never enrolled or proposed")]
    Agency(AgencyCode),
    /// A block that there is not, or none that is earlier.
    #[error("block {0} is not an earlier one than the last")]
    Height(Height),
    /// The committee changed more often, from what the checker knows on, than one file may show.
    #[error(
        "the committee changed too often for one file: first advance your trust root by the proof of block {step} (minlian \
         prove --block --at {step} --trust-root ROOT, then minlian trust advance), then ask again with it"
    )]
    Far {
        /// A block that one file reaches.
        step: Height,
    },
    /// More than one file may hold.
    #[error("{what} is more than one proof may hold: ask for it in parts")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
    },
}

impl Unprovable {
    /// Why the record at a position cannot be shown, if it is because its body was dropped here.
    pub fn dropped(state: &impl State, position: u64) -> Option<Self> {
        let height = query::dropped(state, position)?;
        let kept = kept_from(state);
        let first = kept.previous().and_then(|before| query::header(state, before))?.log_size;
        Some(Self::Dropped { position, height, kept, first })
    }
}

/// The proof that a record is on the ledger, as of the last block.
#[must_use]
pub fn record(rules: &Rules, state: &impl State, id: &RecordId) -> Option<Proof> {
    asked(rules, state, Height::GENESIS, &[Asked::Record(*id)]).ok()
}

/// The proof of where a subject stands as of the last block, or that it is not on the ledger.
#[must_use]
pub fn subject(rules: &Rules, state: &impl State, asked_for: &Subject) -> Option<Proof> {
    asked(rules, state, Height::GENESIS, &[Asked::Subject(asked_for.clone())]).ok()
}

/// The proof of all that is asked, as of the last block, for one who knows the chain up to `since`.
///
/// # Errors
/// What cannot be shown, or not in one file.
///
/// # Panics
/// When the state does not hold what a commit wrote.
pub fn asked(
    rules: &Rules,
    state: &impl State,
    since: Height,
    asked: &[Asked],
) -> Result<Proof, Unprovable> {
    as_of(rules, state, since, None, asked)
}

/// The same as of an earlier block, if one is named.
///
/// What the log shows, it shows as of that block. The state map is that of the last block only: where it is needed, the
/// proof is of the last block, shows that its log continues that of the earlier one, and of each subject all records it had
/// by then.
///
/// # Errors
/// What cannot be shown, or not in one file.
///
/// # Panics
/// When the state does not hold what a commit wrote.
pub fn as_of(
    rules: &Rules,
    state: &impl State,
    since: Height,
    at: Option<Height>,
    asked: &[Asked],
) -> Result<Proof, Unprovable> {
    let last = query::height(state);
    if last == Height::GENESIS {
        return Err(Unprovable::Empty);
    }
    let past = at.filter(|at| *at != last);
    if let Some(at) = past.filter(|at| *at > last || *at == Height::GENESIS) {
        return Err(Unprovable::Height(at));
    }
    let maps = |one: &Asked| match one {
        Asked::Subject(_) | Asked::Upstream(_) | Asked::Authority { .. } => true,
        Asked::Record(_)
        | Asked::Records(_)
        | Asked::Consistency(_)
        | Asked::Block
        | Asked::Votes(_) => false,
    };
    if let Some(height) = past.filter(|_| !asked.iter().any(maps)) {
        let found = file(rules, state, since, height, asked)?;
        // Who was enrolled by the ledger itself is shown by its map, which is the last block's.
        if !found.claims.iter().any(|claim| matches!(claim, Claim::Authority(_))) {
            return Ok(found);
        }
    }
    let mut all = asked.to_vec();
    if let Some(earlier) = past {
        all.push(Asked::Consistency(earlier));
        let then = query::header(state, earlier).ok_or(Unprovable::Height(earlier))?;
        for one in asked {
            let Asked::Subject(subject) = one else { continue };
            let records = query::subject(state, subject).map_or(0, |found| found.records);
            let links = whole_history(state, subject, records.min(HISTORY_IN_PROOF_MAX));
            let by_then = links.iter().filter(|link| link.position < then.log_size);
            let records: BTreeSet<RecordId> = by_then.map(|link| link.record).collect();
            if !records.is_empty() {
                all.push(Asked::Records(records.into_iter().collect()));
            }
        }
    }
    file(rules, state, since, last, &all)
}

/// The file of these claims as of a block; the claims that need the state map are of the last one.
fn file(
    rules: &Rules,
    state: &impl State,
    since: Height,
    height: Height,
    asked: &[Asked],
) -> Result<Proof, Unprovable> {
    let header = query::header(state, height).ok_or(Unprovable::Empty)?;
    let certificate = query::certificate(state, height).ok_or(Unprovable::Empty)?;
    let mut claims: Vec<Claim> =
        asked.iter().map(|one| claim(state, &header, one)).collect::<Result<_, _>>()?;
    let more = authority::beside(rules.genesis(), state, &claims)?;
    let told = |claims: &[Claim], height: Height| {
        claims.iter().any(
            |claim| matches!(claim, Claim::Consistency(claim) if claim.header.height == height),
        )
    };
    claims.extend(more);
    let mut earlier = authority::moments(state, &header, &claims);
    // Whoever knows the chain up to a block is to see that nothing of it was taken back.
    earlier.insert(since);
    for before in earlier {
        if Height::GENESIS < before && before < height && !told(&claims, before) {
            claims.push(claim(state, &header, &Asked::Consistency(before))?);
        }
    }
    let handover = handover(state, since, height)?;
    let proof = Proof { chain: *rules.chain(), handover, header, certificate, claims };
    if proof::encode(&proof).len() > PROOF_BYTES_MAX {
        return Err(Unprovable::TooMuch { what: "what was asked for" });
    }
    let signed =
        |hops: &[Hop]| hops.iter().map(|hop| hop.certificate.signatures.len()).sum::<usize>();
    if proof.signatures() > SIGNATURES_MAX && signed(&proof.handover) > SIGNATURES_MAX / 2 {
        // As many changes as half a file's signatures show; one at least, and never more than there are.
        let mut sum = 0;
        let fit = proof.handover.iter().take_while(|hop| {
            sum += hop.certificate.signatures.len();
            sum <= SIGNATURES_MAX / 2
        });
        let step = proof.handover[fit.count().max(1) - 1].header.height.next();
        return Err(Unprovable::Far { step });
    }
    if proof.signatures() > SIGNATURES_MAX {
        return Err(Unprovable::TooMuch { what: "the number of signatures" });
    }
    if proof.authority_work() > AUTHORITY_WORK_MAX {
        return Err(Unprovable::TooMuch { what: "what the agencies of the records may do" });
    }
    Ok(proof)
}

/// Every change of the committee from block `since` on and before block `until`, oldest first.
fn handover(state: &impl State, since: Height, until: Height) -> Result<Vec<Hop>, Unprovable> {
    let from = since.0.to_be_bytes();
    let found = state.scan(Column::Handovers, &[], &from, HOPS_MAX + 1);
    let changes =
        || found.iter().filter_map(|(key, _)| Some(u64::from_be_bytes(key[..].try_into().ok()?)));
    if changes().filter(|height| *height < until.0).count() > HOPS_MAX {
        // Half as many as one file may hold leaves room for their signatures.
        return Err(Unprovable::Far {
            step: Height(changes().nth(HOPS_MAX / 2).expect("there are more")),
        });
    }
    let heights = found.into_iter().filter_map(|(key, kept)| {
        let height = Height(u64::from_be_bytes(key.try_into().ok()?));
        Some((height, codec::decode::<Handover>(&kept).ok()?))
    });
    let hops = heights.take_while(|(height, _)| *height < until).map(|(height, kept)| {
        let (header, certificate) =
            (query::header(state, height), query::certificate(state, height));
        let mut certificate = certificate.ok_or(Unprovable::Height(height))?;
        // One spelling: a quorum, and not one more.
        certificate.signatures.truncate(kept.quorum.into());
        let header = header.ok_or(Unprovable::Height(height))?;
        Ok(Hop { header, certificate, committee: kept.seats })
    });
    hops.collect()
}

fn claim(state: &impl State, tip: &Header, asked: &Asked) -> Result<Claim, Unprovable> {
    Ok(match asked {
        Asked::Record(id) => {
            let position = query::position(state, id).ok_or(Unprovable::Record(*id))?;
            if position >= tip.log_size {
                return Err(Unprovable::Later(position));
            }
            if let Some(why) = Unprovable::dropped(state, position) {
                return Err(why);
            }
            let of = |id: &RecordId| {
                let query::Found { entry, transaction } = query::record(state, id)?;
                let index = usize::try_from(entry.index).ok()?;
                let operation_path = transaction.path(index);
                Some(RecordClaim {
                    entry,
                    log_path: log::inclusion(&Nodes(state), entry.position, tip.log_size)?,
                    transaction: transaction.header,
                    signature: transaction.signature,
                    operation: transaction.operations.into_iter().nth(index)?,
                    operation_path,
                })
            };
            Claim::Record(Box::new(of(id).ok_or(Unprovable::Record(*id))?))
        }
        Asked::Records(ids) => {
            let positions =
                ids.iter().map(|id| query::position(state, id).ok_or(Unprovable::Record(*id)));
            let positions: BTreeSet<u64> = positions.collect::<Result<_, _>>()?;
            Claim::Records(Box::new(batch(state, tip, &positions)?))
        }
        Asked::Subject(subject) => {
            let found = query::subject(state, subject);
            let history = found
                .as_ref()
                .filter(|found| found.records <= HISTORY_IN_PROOF_MAX)
                .map(|found| whole_history(state, subject, found.records));
            Claim::Status(Box::new(StatusClaim {
                subject: subject.clone(),
                state: found,
                path: map::prove(&Pages(state), &subject.key()),
                history,
            }))
        }
        Asked::Upstream(lot) => Claim::Upstream(Box::new(upstream(state, tip, lot)?)),
        Asked::Consistency(height) => {
            let missing = || Unprovable::Height(*height);
            let earlier =
                Some(*height).filter(|height| *height < tip.height).ok_or_else(missing)?;
            let header = query::header(state, earlier).ok_or_else(missing)?;
            Claim::Consistency(Box::new(ConsistencyClaim {
                header,
                certificate: query::certificate(state, earlier).ok_or_else(missing)?,
                path: log::consistency(&Nodes(state), header.log_size, tip.log_size)
                    .ok_or_else(missing)?,
            }))
        }
        Asked::Block => Claim::Block,
        Asked::Authority { agency, key, at } => {
            let at = at.unwrap_or_else(|| tip.height.next());
            if at > tip.height.next() || at == Height::GENESIS {
                return Err(Unprovable::Height(at));
            }
            authority::claim(state, *agency, *key, at)?
        }
        Asked::Votes(claim) if claim.height > tip.height => {
            return Err(Unprovable::Early(claim.height));
        }
        Asked::Votes(claim) => Claim::Votes(claim.clone()),
    })
}

fn whole_history(state: &impl State, subject: &Subject, records: u64) -> Vec<Link> {
    query::history(state, subject, 0, usize::try_from(records).unwrap_or(usize::MAX))
}

/// The records at these positions, with what they share there once.
fn batch(
    state: &impl State,
    tip: &Header,
    positions: &BTreeSet<u64>,
) -> Result<RecordsClaim, Unprovable> {
    if positions.is_empty() || positions.len() > BATCH_MAX {
        return Err(Unprovable::TooMuch { what: "the number of records" });
    }
    let mut numbers: BTreeMap<(Height, u32), usize> = BTreeMap::new();
    let mut transactions: Vec<SharedTransaction> = Vec::new();
    let mut whole = Vec::new();
    let mut shown: Vec<Vec<u64>> = Vec::new();
    let mut records = Vec::with_capacity(positions.len());
    // Neighbours in the log are of one transaction, which is read once.
    let mut last: Option<((Height, u32), Header, Transaction)> = None;
    for position in positions {
        let spot = spot(state, *position).expect(WRITTEN);
        if *position >= tip.log_size {
            return Err(Unprovable::Later(*position));
        }
        if let Some(why) = Unprovable::dropped(state, *position) {
            return Err(why);
        }
        let place = (spot.height, spot.tx);
        let (_, header, transaction) = match last.take().filter(|(read, ..)| *read == place) {
            Some(same) => last.insert(same),
            None => last.insert((
                place,
                query::header(state, spot.height).expect(WRITTEN),
                query::transaction(state, spot.height, spot.tx).expect(WRITTEN),
            )),
        };
        let number = *numbers.entry((spot.height, spot.tx)).or_insert_with(|| {
            transactions.push(SharedTransaction {
                header: transaction.header,
                signature: transaction.signature,
                height: header.height,
                time: header.time,
                operation_nodes: Vec::new(),
            });
            whole.push(transaction.operations.iter().map(operation_leaf).collect::<Vec<_>>());
            shown.push(Vec::new());
            transactions.len() - 1
        });
        shown[number].push(spot.index.into());
        records.push(SharedRecord {
            position: *position,
            transaction: u32::try_from(number).expect("a batch is small"),
            index: spot.index,
            operation: transaction.operations[usize::try_from(spot.index).expect(WRITTEN)].clone(),
        });
    }
    for ((transaction, leaves), shown) in transactions.iter_mut().zip(&whole).zip(&shown) {
        transaction.operation_nodes = many::beside_list::<List>(leaves, shown);
    }
    let positions: Vec<u64> = positions.iter().copied().collect();
    let log_nodes = many::beside(&Nodes(state), &positions, tip.log_size).expect(WRITTEN);
    Ok(RecordsClaim { transactions, records, log_nodes })
}

/// Everything upstream of a lot: its records, and those of every input of a record in which it is an output, and so on.
fn upstream(state: &impl State, tip: &Header, lot: &Lot) -> Result<UpstreamClaim, Unprovable> {
    let mut lots: BTreeMap<Lot, LotClaim> = BTreeMap::new();
    let mut positions: BTreeSet<u64> = BTreeSet::new();
    // However many lots a record made, what it made them of is read once.
    let mut followed: BTreeSet<u64> = BTreeSet::new();
    let mut here = BTreeSet::from([lot.clone()]);
    let mut depth = 0;
    while !here.is_empty() {
        if depth > DEPTH_MAX {
            return Err(Unprovable::TooMuch { what: "the number of steps upstream" });
        }
        let mut above = BTreeSet::new();
        for lot in here {
            let subject = Subject::lot(&lot);
            let state_of =
                query::subject(state, &subject).ok_or_else(|| Unprovable::Lot(lot.clone()))?;
            let records = usize::try_from(state_of.records).unwrap_or(usize::MAX);
            if lots.len() >= BATCH_MAX || records > 2 * BATCH_MAX {
                return Err(Unprovable::TooMuch { what: "the number of lots upstream" });
            }
            let history = whole_history(state, &subject, state_of.records);
            for link in &history {
                positions.insert(link.position);
                if positions.len() > BATCH_MAX {
                    return Err(Unprovable::TooMuch { what: "the number of records upstream" });
                }
                if link.part != Part::Output || !followed.insert(link.position) {
                    continue;
                }
                let found = query::record_at(state, link.position);
                let found = found.ok_or_else(|| {
                    Unprovable::dropped(state, link.position)
                        .unwrap_or(Unprovable::Record(link.record))
                })?;
                if let Action::Trace(event) = &found.operation().action {
                    let inputs = event.lots.iter().filter(|(_, part)| *part == Part::Input);
                    above.extend(inputs.map(|(lot, _)| lot.clone()));
                }
            }
            let siblings = map::prove(&Pages(state), &subject.key()).siblings;
            lots.insert(lot, LotClaim { state: state_of, siblings, history });
        }
        above.retain(|lot| !lots.contains_key(lot));
        depth += 1;
        here = above;
    }
    let records = batch(state, tip, &positions)?;
    Ok(UpstreamClaim { lot: lot.clone(), lots: lots.into_values().collect(), records })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Memory, Write};
    use types::{
        AgencyCode, BlockId, Certificate, ChainId, Hash, Round, SecretKey, Timestamp, Validator,
        vote::{Step, Vote},
    };

    /// A block of a height that hands over, or does not, with one signature more than a quorum needs.
    fn block(state: &mut Memory, height: u64, hands_over: bool) {
        let chain = ChainId(Hash([1; 32]));
        let keys: Vec<SecretKey> = (0..4).map(|n| SecretKey::from_seed([n; 32])).collect();
        let header = Header {
            version: 1,
            chain,
            height: Height(height),
            time: Timestamp(height),
            proposer: 0,
            parent: BlockId::default(),
            payload: Hash::ZERO,
            log_size: 0,
            log_root: Hash::ZERO,
            state_root: Hash::ZERO,
            committee: Hash([2; 32]),
            next_committee: Hash([if hands_over { 3 } else { 2 }; 32]),
        };
        let (round, block) = (Round(0), header.id());
        let sign = |(seat, key): (u16, &SecretKey)| {
            let step = Step::Precommit;
            let vote = Vote { height: header.height, round, step, block: Some(block), seat };
            (seat, vote.sign(&chain, key))
        };
        let signatures = (0..).zip(&keys).map(sign).collect();
        let certificate = Certificate { height: header.height, round, block, signatures };
        let seats = keys.iter().map(|key| Validator {
            agency: AgencyCode::new("91350100M000100Y43").unwrap(),
            name: "机构".parse().unwrap(),
            key: key.public(),
        });
        let committee = types::Committee::new(seats.collect()).unwrap();
        let handover = Handover::of(&header, &committee, &committee);
        assert_eq!(handover.is_some(), hands_over);
        let key = height.to_be_bytes().to_vec();
        let write = |column, value| Write { column, key: key.clone(), value: Some(value) };
        state.write(&[
            write(Column::Headers, codec::encode(&header)),
            write(Column::Certificates, codec::encode(&certificate)),
        ]);
        if let Some(handover) = handover {
            state.write(&[write(Column::Handovers, codec::encode(&handover))]);
        }
    }

    #[test]
    fn a_handover_is_of_the_changes_between_what_is_known_and_what_is_proven() {
        let mut state = Memory::default();
        for height in 1..=300 {
            block(&mut state, height, [3, 8, 256].contains(&height));
        }
        for (since, until, heights) in [
            (0, 300, vec![3, 8, 256]),
            (0, 256, vec![3, 8]),
            (0, 3, vec![]),
            (3, 300, vec![3, 8, 256]),
            (4, 257, vec![8, 256]),
            (9, 200, vec![]),
            (257, 300, vec![]),
        ] {
            let hops = handover(&state, Height(since), Height(until)).unwrap();
            let found: Vec<u64> = hops.iter().map(|hop| hop.header.height.0).collect();
            assert_eq!(found, heights, "{since} {until}");
            for hop in hops {
                let seats: Vec<u16> = hop.certificate.signatures.iter().map(|(s, _)| *s).collect();
                assert_eq!((seats, hop.committee.len()), (vec![0, 1, 2], 4), "a quorum, no more");
            }
        }
    }
}
