//! What a ledger may forget, what it then still shows, and what an audit finds in it.

use super::*;
use crate::{
    SharedMemory,
    audit::{self, MADE_ANEW},
    prove::{self, Asked, Unprovable},
    retention::{BLOCKS_KEPT_MIN, Retention, drop_below, kept_from},
    state::{Column, Write},
};
use types::Subject;

/// 99 blocks, a second apart: a licence or a lot in each, every tenth empty.
fn chain() -> Chain {
    let mut chain = Chain::new();
    for n in 1..100 {
        if n % 10 == 0 {
            let (block, outcome, _) = chain.block(&[]);
            chain.append(block, outcome);
        } else if n % 2 == 0 {
            assert_eq!(chain.does(&format!("1: issue L{n}")), "ok");
        } else {
            assert_eq!(chain.does("0: trace urn:b:lot"), "ok");
        }
    }
    chain
}

fn drop_bodies(state: &mut Memory, first: Height) {
    let (column, before, note) = drop_below(first);
    let gone = state.scan(column, &[], &[], usize::MAX).into_iter().map(|(key, _)| key);
    let gone = gone.filter(|key| key[..] < before[..]);
    let mut writes: Vec<_> = gone.map(|key| Write { column, key, value: None }).collect();
    writes.push(note);
    state.write(&writes);
}

/// What an audit finds, and what it made anew that the ledger has otherwise.
fn audited(chain: &Chain, state: &Memory) -> (audit::Audited, Vec<String>) {
    let (rules, scratch, mut found) = (Rules::new(&genesis()), SharedMemory::default(), Vec::new());
    let write = |writes: &[Write]| {
        scratch.write(writes);
        Ok::<_, core::convert::Infallible>(())
    };
    let audited =
        audit::audit(&rules, state, &scratch, write, |what| found.push(what), |_, _| {}).unwrap();
    if audited.blocks == chain.tip.height.0 {
        for column in MADE_ANEW {
            let all = |state: &dyn Fn(Column) -> Vec<(Vec<u8>, Vec<u8>)>| state(column);
            let here = all(&|column| state.scan(column, &[], &[], usize::MAX));
            if here != all(&|column| scratch.scan(column, &[], &[], usize::MAX)) {
                found.push(format!("{} differs", column.name()));
            }
        }
    }
    (audited, found)
}

#[test]
fn what_is_kept_is_what_keeps_more_and_never_less_than_neighbours_need() {
    let mut chain = chain();
    let day = |days| Retention { keep_days: Some(days), ..Retention::default() };
    let blocks = |count| Retention { keep_blocks: Some(count), ..Retention::default() };
    let most = 99 + 1 - BLOCKS_KEPT_MIN;
    for (retention, first) in [
        (Retention::default(), 1),
        (blocks(u64::MAX), 1),
        (blocks(90), 10),
        (blocks(65), 35),
        (blocks(64), 36),
        (blocks(1), most),
        (blocks(0), most),
        // All of it is of one day; of the last instant is only the last block.
        (day(1), 1),
        (day(u64::MAX), 1),
        (day(0), most),
        (Retention { keep_blocks: Some(70), keep_days: Some(0) }, 30),
        (Retention { keep_blocks: Some(0), keep_days: Some(1) }, 1),
    ] {
        assert_eq!(retention.first_kept(&chain.state), Height(first), "{retention:?}");
    }
    // A block two days later, and one after it.
    chain.tip.time = chain.tip.time.plus(2 * 24 * 60 * 60 * 1000);
    let (block, outcome, _) = chain.block(&[]);
    chain.append(block, outcome);
    assert_eq!(day(3).first_kept(&chain.state), Height(1));
    assert_eq!(day(1).first_kept(&chain.state), Height(most + 1));
    drop_bodies(&mut chain.state, Height(20));
    assert_eq!(kept_from(&chain.state), Height(20));
    assert_eq!(day(3).first_kept(&chain.state), Height(20), "what is gone does not come back");
    assert_eq!(Retention::default().first_kept(&Memory::default()), Height(1));
    assert_eq!(blocks(0).first_kept(&Memory::default()), Height(1));
}

#[test]
fn what_is_kept_is_proven_as_before_and_what_is_not_is_refused_by_name() {
    let whole = chain();
    let mut pruned = whole.clone();
    drop_bodies(&mut pruned.state, Height(36));
    let ids: Vec<_> =
        (0..whole.tip.log.size()).map(|at| query::record_at(&whole.state, at).unwrap()).collect();
    let (mut shown, mut refused) = (0, 0);
    for found in &ids {
        let (id, height, position) = (found.entry.record, found.entry.height, found.entry.position);
        let ask = |chain: &Chain, asked: &[Asked]| {
            prove::asked(&chain.rules, &chain.state, Height::GENESIS, asked)
        };
        for asked in [Asked::Record(id), Asked::Records(vec![id])] {
            let found = ask(&pruned, std::slice::from_ref(&asked));
            if height < Height(36) {
                let why = Unprovable::Dropped { position, height, kept: Height(36), first: 32 };
                assert_eq!(found, Err(why));
                refused += 1;
            } else {
                assert_eq!(found, ask(&whole, &[asked]));
                assert!(found.is_ok());
                shown += 1;
            }
        }
        assert_eq!(query::record(&pruned.state, &id).is_some(), height >= Height(36));
        assert_eq!(query::dropped(&pruned.state, position).is_some(), height < Height(36));
        // Histories, states, and the log at any height need no body.
        let subject: Subject = "lot:urn:b:lot".parse().unwrap();
        for asked in [Asked::Subject(subject), Asked::Consistency(Height(height.0.min(98)))] {
            assert_eq!(ask(&pruned, std::slice::from_ref(&asked)), ask(&whole, &[asked]));
        }
    }
    assert!(shown > 0 && refused > 0, "{shown} {refused}");
    for height in 1..100 {
        let found = query::block(&pruned.state, Height(height));
        assert_eq!(found.is_some(), height >= 36);
        assert!(query::header(&pruned.state, Height(height)).is_some());
        assert!(query::certificate(&pruned.state, Height(height)).is_some());
    }
    let document = ids[0].operation().commitment.document;
    assert_eq!(query::by_document(&pruned.state, &document, 0, 9), [0]);
    let lot = "urn:b:lot".parse().unwrap();
    let upstream =
        prove::asked(&pruned.rules, &pruned.state, Height::GENESIS, &[Asked::Upstream(lot)]);
    assert!(matches!(upstream, Err(Unprovable::Dropped { .. })), "{upstream:?}");
}

#[test]
fn a_ledger_without_old_bodies_goes_on_as_the_others_do() {
    let (mut whole, mut pruned) = (chain(), chain());
    drop_bodies(&mut pruned.state, Height(36));
    for line in ["1: suspend L2", "1: issue L2", "0: trace urn:b:lot", "1: renew L200 L4"] {
        assert_eq!(pruned.does(line), whole.does(line), "{line}");
        assert_eq!(pruned.tip, whole.tip);
    }
}

#[test]
fn an_audit_finds_nothing_in_a_sound_ledger_and_what_is_wrong_in_another() {
    let chain = chain();
    let (all, found) = audited(&chain, &chain.state);
    assert_eq!(found, Vec::<String>::new());
    assert_eq!((all.blocks, all.bodies, all.records), (99, 99, chain.tip.log.size()));
    let mut state = chain.state.clone();
    drop_bodies(&mut state, Height(36));
    let (all, found) = audited(&chain, &state);
    assert_eq!(found, Vec::<String>::new());
    assert_eq!((all.blocks, all.bodies, all.records), (99, 64, chain.tip.log.size()));

    // Any value of any column changed in any way, or taken away, is noticed.
    for column in Column::ALL {
        let pairs = state.scan(column, &[], &[], usize::MAX);
        let marks = |key: &[u8]| column == Column::Meta && key == b"dropped";
        let step = (pairs.len() / 7).max(1);
        for (key, value) in pairs.iter().filter(|(key, _)| !marks(key)).step_by(step) {
            let mut bad: Vec<Option<Vec<u8>>> = vec![None];
            if let Some(last) = value.len().checked_sub(1) {
                for at in [0, last / 2, last] {
                    let mut changed = value.clone();
                    changed[at] ^= 1;
                    bad.push(Some(changed));
                }
            }
            for value in bad {
                // A tip that is gone or another is another ledger's: the store refuses it before anything is asked.
                if column == Column::Meta && key == b"tip" {
                    continue;
                }
                let mut broken = state.clone();
                broken.write(&[Write { column, key: key.clone(), value: value.clone() }]);
                let (_, found) = audited(&chain, &broken);
                assert!(!found.is_empty(), "{} {key:02x?} {value:02x?}", column.name());
            }
        }
        // And what should not be there.
        for key in [&[0xFE; 12][..], &[0xFE; 40]] {
            let mut broken = state.clone();
            broken.write(&[Write { column, key: key.to_vec(), value: Some(vec![1]) }]);
            let (_, found) = audited(&chain, &broken);
            assert!(!found.is_empty() || column == Column::Meta, "{} {key:02x?}", column.name());
        }
    }
    let body = chain.state.scan(Column::Bodies, &[], &[], 1).remove(0);
    let mut broken = state;
    broken.write(&[Write { column: Column::Bodies, key: body.0, value: Some(body.1) }]);
    let (_, found) = audited(&chain, &broken);
    assert!(found[0].contains("should not be there"), "{found:?}");
}
