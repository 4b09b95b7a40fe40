//! Validators that lie, one by one: what the others say, and that they go on.

use super::*;
use types::{Header, block::BLOCK_BYTES_MAX};

/// What execution says of a block after `disk`.
fn validate<'k>(
    rules: &Rules,
    state: &impl State,
    block: &Block,
    known: impl Fn(&Transaction) -> Option<&'k Verified>,
) -> Result<Outcome, ledger::Invalid> {
    ledger::validate(rules, state, &ledger::tip(rules, state), block, known)
}

/// A proposal of a block as new, signed by a seat.
fn proposes(town: &Town, seat: u16, height: Height, round: Round, block: BlockId) -> Message {
    let proposal = Proposal { height, round, block, valid_round: None, seat };
    Message::Proposal(proposal, proposal.sign(&town.chain, &secret(1, usize::from(seat))))
}

/// Hands a proposal and a body to a node, in this order, as if they came from seat 1.
fn hand(town: &mut Town, n: usize, message: &Message, body: &Block) {
    town.step(n, Event::Received(peer(1), Received::Message(message.clone())));
    town.step(n, Event::Received(peer(1), Received::Block(Box::new(body.clone()))));
}

/// The block that seat 1 would propose first, of these transactions.
fn first_block(town: &Town, transactions: &[Transaction]) -> Block {
    let disk = &town.nodes[0].disk;
    let tip = ledger::tip(&town.rules, disk);
    let txs: Vec<_> =
        transactions.iter().map(|tx| tx.clone().verify(&town.chain).unwrap()).collect();
    let candidates = txs.iter().map(|tx| (tx, codec::encode(tx.get()).len()));
    let (block, _, refused) = ledger::propose(&town.rules, disk, &tip, town.clock(), 1, candidates);
    assert!(refused.is_empty() && block.transactions.len() == transactions.len());
    block
}

/// Three replicas; seat 1, which leads the first round, is played by the test.
fn without_the_leader() -> Town {
    let mut town = Town::asleep();
    [0, 2, 3].into_iter().for_each(|n| town.start(n));
    town
}

/// Who voted for a block, at whatever step.
fn voters(town: &Town, id: BlockId) -> BTreeSet<u16> {
    let votes =
        town.spoken.iter().filter(|((_, step, ..), block)| *step < 2 && **block == Some(id));
    votes.map(|((seat, ..), _)| *seat).collect()
}

/// Every field of a header, each with another value than the right one. A field that is added is missing here, and the
/// compiler says so.
fn mutations(header: Header) -> Vec<(&'static str, Header)> {
    let Header {
        version,
        chain,
        height,
        time,
        proposer,
        parent,
        payload,
        log_size,
        log_root,
        state_root,
        committee,
        next_committee,
    } = header;
    let flip = |hash: Hash| {
        let mut bytes = hash.0;
        bytes[31] ^= 1;
        Hash(bytes)
    };
    vec![
        ("version", Header { version: version + 1, ..header }),
        ("chain", Header { chain: ChainId(flip(chain.0)), ..header }),
        ("height", Header { height: height.next(), ..header }),
        ("height, far", Header { height: Height(u64::MAX), ..header }),
        ("time, before its parent", Header { time: Timestamp(0), ..header }),
        ("time, ahead", Header { time: time.plus(1_000_000), ..header }),
        ("time, at the end of time", Header { time: Timestamp(u64::MAX), ..header }),
        ("proposer, another", Header { proposer: proposer + 1, ..header }),
        ("proposer, none", Header { proposer: u16::MAX, ..header }),
        ("parent", Header { parent: BlockId(flip(parent.0)), ..header }),
        ("payload", Header { payload: flip(payload), ..header }),
        ("log size", Header { log_size: log_size + 1, ..header }),
        ("log root", Header { log_root: flip(log_root), ..header }),
        ("state root", Header { state_root: flip(state_root), ..header }),
        ("committee", Header { committee: flip(committee), ..header }),
        ("next committee", Header { next_committee: flip(next_committee), ..header }),
    ]
}

#[test]
fn a_header_with_any_field_wrong_gets_no_vote_and_stops_nobody() {
    let base = without_the_leader();
    let sound = first_block(&base, &[tx(base.chain, 1, vec![issue(1)])]);
    for (field, header) in mutations(sound.header) {
        let mut town = without_the_leader();
        let bad = Block { header, ..sound.clone() };
        let message = proposes(&town, 1, Height(1), Round(0), bad.id());
        for n in [0, 2, 3] {
            hand(&mut town, n, &message, &bad);
        }
        // Offered again, and again: nothing follows, and it is not executed again.
        let did: Vec<usize> = town.nodes.iter().map(|node| node.did.len()).collect();
        for n in [0, 2, 3] {
            for _ in 0..20 {
                hand(&mut town, n, &message, &bad);
            }
            let spoke = town.nodes[n].did[did[n]..].iter().filter(|effect| {
                matches!(effect, Effect::Sign(_) | Effect::Journal(_) | Effect::Blame(..))
            });
            assert_eq!(spoke.count(), 0, "{field}: node {n} is kept busy");
        }
        assert!(town.reaches(&[0, 2, 3], 2), "{field}: stuck");
        assert_eq!(voters(&town, bad.id()), BTreeSet::new(), "{field}");
        assert!(town.agreed.values().all(|id| *id != bad.id()), "{field}");
        // The first round was the liar's, and the next leader's block is agreed on in the second.
        let certificate = query::certificate(&town.nodes[0].disk, Height(1)).unwrap();
        assert_eq!(certificate.round, Round(1), "{field}: a round costs a round");
    }
    // The same block with nothing wrong is agreed on in the first round.
    let mut town = without_the_leader();
    let message = proposes(&town, 1, Height(1), Round(0), sound.id());
    for n in [0, 2, 3] {
        hand(&mut town, n, &message, &sound);
    }
    assert!(town.reaches(&[0, 2, 3], 1));
    assert_eq!(town.agreed[&Height(1)], sound.id());
}

#[test]
fn a_spoiled_body_does_not_cost_the_block_its_votes() {
    // Ids do not hold signatures: whoever passes a block on can change them under its name, and so can take operations
    // out. Whoever does is blamed; the block is judged by the body of whoever brings it whole, before or after.
    type Spoil = fn(&mut Block);
    let spoils: [(&str, Spoil); 5] = [
        ("another signature", |b| b.transactions[0].signature = b.transactions[1].signature),
        ("other operations", |b| b.transactions[0].operations = vec![issue(9)]),
        ("no operations", |b| b.transactions[0].operations.clear()),
        ("a transaction less", |b| drop(b.transactions.pop())),
        ("too much", |b| b.transactions[0].operations = (0..30).map(issue).collect()),
    ];
    for (name, spoil) in spoils {
        for first in [true, false] {
            let mut town = without_the_leader();
            let txs = [1, 2].map(|n| tx(town.chain, n, vec![issue(n)]));
            let sound = first_block(&town, &txs);
            let mut bad = sound.clone();
            spoil(&mut bad);
            assert_eq!(bad.id(), sound.id());
            let message = proposes(&town, 1, Height(1), Round(0), sound.id());
            for n in [0, 2, 3] {
                // The liar is the neighbour whose name comes first, or last.
                let other = |n: usize| [3, 2].into_iter().find(|m| *m != n).unwrap();
                let bodies = if first {
                    [(peer(other(n)), &bad), (peer(1), &sound)]
                } else {
                    [(peer(1), &sound), (peer(other(n)), &bad)]
                };
                for (from, body) in bodies {
                    town.step(n, Event::Received(from, Received::Block(Box::new(body.clone()))));
                }
                town.step(n, Event::Received(peer(1), Received::Message(message.clone())));
                // It brings it again, and is not listened to about it any more.
                let before = town.blamed.len();
                let again = Received::Block(Box::new(bad.clone()));
                town.step(n, Event::Received(peer(other(n)), again.clone()));
                town.step(n, Event::Received(peer(other(n)), again));
                assert!(town.blamed.len() <= before + 1, "{name}");
            }
            assert!(town.reaches(&[0, 2, 3], 1), "{name}: stuck");
            assert_eq!(town.agreed[&Height(1)], sound.id(), "{name}, first {first}");
            let certificate = query::certificate(&town.nodes[0].disk, Height(1)).unwrap();
            assert_eq!(certificate.round, Round(0), "{name}, first {first}: it cost a round");
            assert!(town.blamed.iter().all(|(_, who, _)| *who != peer(1)), "{name}: the wrong one");
        }
    }
}

#[test]
fn a_block_one_over_a_limit_gets_no_vote() {
    // Twenty operations are allowed. Nobody's own code builds twenty-one, so the block is put together by hand.
    let mut base = without_the_leader();
    let txs: Vec<_> = (1..=21).map(|n| tx(base.chain, n, vec![issue(n)])).collect();
    let build = |town: &Town, txs: &[Transaction]| {
        let disk = &town.nodes[0].disk;
        let tip = ledger::tip(&town.rules, disk);
        let txs: Vec<_> = txs.iter().map(|tx| tx.clone().verify(&town.chain).unwrap()).collect();
        let mut draft = ledger::Draft::new(&town.rules, disk, &tip, town.clock().plus(1));
        for tx in &txs {
            draft.push(tx, codec::length(tx.get())).unwrap();
        }
        draft.finish(1).0
    };
    for (count, agreed) in [(20, true), (21, false)] {
        let mut town = without_the_leader();
        let block = build(&town, &txs[..count]);
        let message = proposes(&town, 1, Height(1), Round(0), block.id());
        [0, 2, 3].into_iter().for_each(|n| hand(&mut town, n, &message, &block));
        assert!(town.reaches(&[0, 2, 3], 2), "{count} operations: stuck");
        assert_eq!(town.agreed[&Height(1)] == block.id(), agreed, "{count} operations");
    }
    // The same by a byte: genesis allows exactly what three of them take, or a byte less.
    let three = build(&base, &txs[..3]);
    let bytes: usize = txs[..3].iter().map(|tx| codec::encode(tx).len()).sum();
    for (allowed, fits) in [(bytes, true), (bytes - 1, false)] {
        base.genesis.limits.block_bytes_max = u32::try_from(allowed).unwrap();
        let mut block = three.clone();
        let rules = Rules::new(&base.genesis);
        // Another genesis is another chain; what is compared here is the size alone.
        let foreign = validate(&rules, &SharedMemory::default(), &block, |_| None);
        assert!(matches!(foreign, Err(ledger::Invalid::Header { field: "chain" })));
        block.header.chain = *rules.chain();
        block.transactions = (1..=3).map(|n| tx(*rules.chain(), n, vec![issue(n)])).collect();
        block.header.payload = Block::payload(&block.transactions);
        let judged = validate(&rules, &SharedMemory::default(), &block, |_| None);
        let is_size = matches!(judged, Err(ledger::Invalid::Size));
        assert_eq!(is_size, !fits, "{allowed} bytes: {judged:?}");
    }
    // And by frame, before anything is decoded.
    let long = vec![0; BLOCK_BYTES_MAX + 1];
    let refused = receive(&base.chain, Channel::Proposals, &long).unwrap_err();
    assert!(matches!(
        refused,
        Offence::Bytes { error: codec::CodecError::TooLong { found, limit }, .. }
            if found == BLOCK_BYTES_MAX + 1 && limit == BLOCK_BYTES_MAX
    ));
}

/// Goes on over a network that loses what `is_lost`, until all of `nodes` have reached a height.
fn go(
    town: &mut Town,
    nodes: &[usize],
    height: u64,
    is_lost: impl Fn(usize, usize, &Received) -> bool,
) -> bool {
    let deadline = town.now + 60_000;
    while nodes.iter().any(|n| town.height(*n) < height) {
        if town.now > deadline {
            return false;
        }
        if let Some((from, to, channel, bytes)) = town.mail.front()
            && receive(&town.chain, *channel, bytes).is_ok_and(|said| is_lost(*from, *to, &said))
        {
            town.mail.pop_front();
            continue;
        }
        town.advance();
    }
    true
}

#[test]
fn a_leader_that_speaks_to_two_of_three_costs_no_height() {
    for left_out in [0, 2, 3] {
        let mut town = Town::new();
        let lost = |from: usize, to: usize, said: &Received| {
            let is_proposal = matches!(said, Received::Message(Message::Proposal(..)));
            from == 1 && to == left_out && (is_proposal || matches!(said, Received::Block(_)))
        };
        // Seat 1 leads heights 1 and 5; the one left out fetches them, and leads its own.
        let from = town.now;
        assert!(go(&mut town, &[0, 1, 2, 3], 6, lost), "without {left_out}");
        let disk = &town.nodes[left_out].disk;
        for height in 1..=6 {
            let certificate = query::certificate(disk, Height(height)).unwrap();
            let header = query::header(disk, Height(height)).unwrap();
            // What the other three saw is decided at once. One that fetches what it was not shown may come late to a round
            // of its own.
            let is_behind = height % 4 == u64::try_from(left_out).unwrap();
            assert!(
                certificate.round <= Round(u32::from(is_behind)),
                "height {height}, {left_out}"
            );
            if certificate.round == Round(0) {
                assert_eq!(u64::from(header.proposer), height % 4);
            }
        }
        assert!(town.now - from < 10_000, "{} ms for six heights", town.now - from);
    }
}

#[test]
fn withholding_by_f_costs_time_and_by_one_more_the_chain_but_never_a_fork() {
    let mut town = Town::new();
    assert!(town.reaches(&[0, 1, 2, 3], 2));
    let votes = |who: &'static [usize]| {
        move |from: usize, _: usize, said: &Received| {
            let is_vote = matches!(said, Received::Message(Message::Vote(..)));
            let is_certificate = matches!(
                said,
                Received::Message(Message::Polka { .. } | Message::RoundChange { .. })
            );
            who.contains(&from) && (is_vote || is_certificate)
        }
    };
    // One of four says nothing: the others go on.
    assert!(go(&mut town, &[0, 1, 2], 6, votes(&[3])));
    // Two say nothing: nothing is decided, for as long as one waits, and nobody is accused.
    let height = (0..4).map(|n| town.height(n)).max().unwrap();
    assert!(!go(&mut town, &[0, 1, 2, 3], height + 2, votes(&[2, 3])));
    let now = (0..4).map(|n| town.height(n)).max().unwrap();
    assert!(now <= height + 1, "two of four decide: {height}, then {now}");
    let rounds = town.nodes[0].replica.as_ref().unwrap().status().round.unwrap();
    assert!(rounds < Round(1000), "{rounds:?}: rounds follow one another without waiting");
    // They speak again: it goes on, unattended.
    assert!(town.reaches(&[0, 1, 2, 3], now + 3));
    for node in &town.nodes {
        assert!(!node.did.iter().any(|effect| matches!(effect, Effect::Accuse(_))));
    }
}

#[test]
fn the_second_face_is_convicted_though_it_is_seen_when_the_height_is_over() {
    let mut town = Town::new();
    assert!(town.reaches(&[0, 1, 2, 3], 1));
    // Seat 3 voted at height 1; a second vote of its key comes to node 0 now, three times, by way of another.
    let second =
        Vote { height: Height(1), round: Round(0), step: Step::Precommit, block: None, seat: 3 };
    let message = Message::Vote(second, second.sign(&town.chain, &secret(1, 3)));
    let heard = Event::Received(peer(2), Received::Message(message));
    for _ in 0..3 {
        town.step(0, heard.clone());
    }
    let accused: Vec<_> = town.nodes[0]
        .did
        .iter()
        .filter_map(
            |effect| if let Effect::Accuse(evidence) = effect { Some(evidence) } else { None },
        )
        .collect();
    assert_eq!(accused.len(), 1, "once");
    let place = accused[0].convicts(&town.chain, town.rules.committee());
    assert_eq!(place, Some((Height(1), Round(0), 2, 3)));
    assert!(town.reaches(&[0, 1, 2, 3], 3));
}

#[test]
fn a_block_gives_the_same_roots_whatever_waits_and_however_many_execute_it() {
    // Four replicas are given the same transactions, each in another order; whoever leads, the others execute its block.
    let mut town = Town::asleep();
    let txs: Vec<_> = (1..=12).map(|n| tx(town.chain, n, vec![issue(n), issue(100 + n)])).collect();
    (0..4).for_each(|n| town.start(n));
    for n in 0..4 {
        for at in 0..txs.len() {
            // 5 is prime to 12: another order for each node, none of them sorted.
            let index = (at * [1, 5, 7, 11][n] + 3 * n) % txs.len();
            town.submit(n, txs[index].clone());
        }
    }
    assert!(town.reaches(&[0, 1, 2, 3], 4));
    let tips: BTreeSet<_> = town
        .nodes
        .iter()
        .map(|node| {
            let header = query::header(&node.disk, Height(4)).unwrap();
            (header.state_root, header.log_root, header.log_size)
        })
        .collect();
    assert_eq!(tips.len(), 1);
    assert_eq!(tips.first().unwrap().2, 24);
    // Every block again from genesis: by one thread that knows every signature, and by eight that know none.
    let blocks: Vec<(Block, types::Certificate)> = (1..=4)
        .map(Height)
        .map(|h| {
            let disk = &town.nodes[0].disk;
            (query::block(disk, h).unwrap(), query::certificate(disk, h).unwrap())
        })
        .collect();
    let (genesis, chain) = (&town.genesis, town.chain);
    let replay = |knows: bool| {
        let (rules, mut memory) = (Rules::new(genesis), ledger::Memory::default());
        for (block, certificate) in blocks.clone() {
            let verified: Vec<_> =
                block.transactions.iter().map(|tx| tx.clone().verify(&chain).unwrap()).collect();
            let known = |tx: &Transaction| {
                knows.then(|| verified.iter().find(|mine| mine.get() == tx).unwrap())
            };
            let outcome = validate(&rules, &memory, &block, known).unwrap();
            let certified =
                types::Certified::verify(block, certificate, &chain, rules.committee()).unwrap();
            memory.write(ledger::commit(certified, outcome).writes());
        }
        memory
    };
    let once = replay(true);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| replay(false))).collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), once, "every key of the state");
        }
    });
    // And what the other nodes hold is this too.
    for node in &town.nodes[1..] {
        let header = query::header(&node.disk, Height(4)).unwrap();
        assert_eq!(header, query::header(&once, Height(4)).unwrap());
    }
}

#[test]
fn a_node_whose_execution_differs_stops_itself_and_says_where() {
    // A quorum agrees on a block with another state after it than node 3 finds, as if three of four ran another version.
    let mut town = Town::asleep();
    town.start(3);
    let (disk, rules) = (town.nodes[3].disk.clone(), Rules::new(&town.genesis));
    let tip = ledger::tip(&rules, &disk);
    let known = [1, 2].map(|n| tx(town.chain, n, vec![issue(n)]).verify(&town.chain).unwrap());
    let candidates = known.iter().map(|tx| (tx, codec::encode(tx.get()).len()));
    let sound = ledger::propose(&rules, &disk, &tip, town.clock(), 1, candidates);
    let mut agreed = sound.0;
    let ours = agreed.header.state_root;
    agreed.header.state_root = Hash([7; 32]);
    let id = agreed.id();
    let message = proposes(&town, 1, Height(1), Round(0), id);
    // It is not voted for here: a divergence shows as a vote for nothing first.
    hand(&mut town, 3, &message, &agreed);
    assert_eq!(voters(&town, id), BTreeSet::new());
    // The height is decided without it, and the block comes by its certificate.
    let signatures = [0, 1, 2].map(|seat: u16| {
        let (height, round, step) = (Height(1), Round(0), Step::Precommit);
        let vote = Vote { height, round, step, block: Some(id), seat };
        (seat, vote.sign(&town.chain, &secret(1, usize::from(seat))))
    });
    let certificate = types::Certificate {
        height: Height(1),
        round: Round(0),
        block: id,
        signatures: signatures.to_vec(),
    };
    types::Certified::verify(agreed.clone(), certificate, &town.chain, rules.committee()).unwrap();
    let stuck =
        town.nodes[3].replica.as_ref().unwrap().execute(&agreed, &[]).unwrap_err().to_string();
    let change = &sound.1.changes()[0];
    for part in [
        "at height 1",
        "state root",
        &ours.to_string(),
        &Hash([7; 32]).to_string(),
        &change.key.to_string(),
        &change.digest.to_string(),
    ] {
        assert!(stuck.contains(part), "{part} is not in: {stuck}");
    }
    // Two such accounts name the key where they part.
    let ours = sound.1.changes().to_vec();
    assert_eq!(ledger::first_difference(&ours, &ours), None);
    let mut theirs = ours.clone();
    theirs[0].digest = Hash([9; 32]);
    assert_eq!(ledger::first_difference(&ours, &theirs), Some(ours[0].key));
    assert_eq!(ledger::first_difference(&ours, &[]), Some(ours[0].key));
}
