//! What others heard our own key say: how a validator learns that somebody else signs with its key.

use crate::{
    Effect, Received, Voter,
    receive::{Frame, SyncFrame},
    serve::Question,
};
use consensus::Signed;
use ledger::Rules;
use std::collections::{BTreeMap, BTreeSet};
use types::{
    Certificate, ChainId, Committee, Height, PublicKey, Round, Signature, Timestamp, codec,
    genesis::Timing,
    net::{Channel, Peer, To},
    vote::{Message, Proposal, Step, Vote},
};

/// How many of the last blocks are searched for our signature. A twin that is heard signs nearly all of them; one that
/// is not heard in as many is not heard at all. Of those that a neighbour tells at once, too: whoever tells what nobody asked
/// for, with signatures in our name that are none, makes us check no more than that.
pub const BLOCKS_SEARCHED: u64 = 32;
/// The longest that a start may be put off, milliseconds: a validator votes within five seconds of its start.
const LISTEN_MS_MAX: u64 = 3_500;

/// Our key made a signature that its record does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this validator's key signed a {} at height {height}, round {round}, of which its record knows nothing: another \
     process uses the key, or the record is an older copy of itself. Make sure that no other process has this key; then \
     run `minlian-node recover`, or `minlian-node key sign-state --key FILE --voted-until {}`",
    step_name(*step), highest.plus(1)
)]
pub struct Elsewhere {
    /// For this height.
    pub height: Height,
    /// In this round.
    pub round: Round,
    /// 0 for a proposal, 1 for a prevote, 2 for a precommit.
    pub step: u8,
    /// The highest block that anybody spoke of: the key cannot have voted beyond the height after it.
    pub highest: Height,
}

const fn step_name(step: u8) -> &'static str {
    match step {
        0 => "proposal",
        1 => "prevote",
        _ => "precommit",
    }
}

/// Compares what is heard with what our key has signed.
///
/// Before a validator votes, it listens for a while, and asks its neighbours for their last blocks: a twin that is alive
/// has signed some of them. Afterwards it goes on comparing for as long as it lives. Neighbours may repeat what we said
/// ourselves; that is at or before the end of the record, and is nothing.
#[derive(Debug)]
pub struct Listener {
    chain: ChainId,
    committee: Committee,
    seat: Option<u16>,
    own: PublicKey,
    timing: Timing,
    /// The last thing that this process, or its record, has signed.
    last: Option<Signed>,
    /// Up to this height the key may have signed what is not known.
    floor: Height,
    tip: Height,
    claims: BTreeMap<Peer, Height>,
    /// The highest block of which a neighbour showed that a quorum of our committee agreed on it.
    shown: Height,
    /// Who can be spoken to.
    lines: BTreeSet<Peer>,
    /// Whether somebody answered with blocks.
    told: bool,
}

/// We are connected, and nobody says a word: what is said to this validator goes to another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{lines} validators are connected and none of them says anything to this node: another process with this validator's \
     keys has their ear. Make sure that no other process has these keys, then start this one again"
)]
pub struct Unheard {
    /// How many are connected.
    pub lines: usize,
}

impl Listener {
    /// A listener for this key, over a ledger whose last block is `tip`.
    #[must_use]
    pub fn new(rules: &Rules, voter: &Voter, tip: Height) -> Self {
        let committee = rules.committee().clone();
        Self {
            chain: *rules.chain(),
            seat: committee.index_of(&voter.secret.public()),
            committee,
            timing: rules.timing(),
            own: voter.secret.public(),
            last: voter.signed,
            floor: voter.floor,
            tip,
            claims: BTreeMap::new(),
            shown: Height::GENESIS,
            lines: BTreeSet::new(),
            told: false,
        }
    }

    /// Whether as many were heard as a vote needs beside us, and one of them who could know of a twin. Without, time that
    /// passes proves nothing; and too few to listen to are too few to decide with.
    #[must_use]
    pub fn has_heard(&self) -> bool {
        // One that claims a block and never shows it must not keep a network from its first.
        let empty = self.claims.values().filter(|claim| **claim == Height::GENESIS).count();
        self.unheard() == 0 && (self.told || empty + 1 >= self.committee.quorum())
    }

    /// How many more neighbours have to say how far they are before as many are heard as a vote needs beside us.
    #[must_use]
    pub fn unheard(&self) -> usize {
        self.committee.quorum().saturating_sub(1 + self.claims.len())
    }

    /// Up to where blocks were agreed on that are not here, if any were: a home that is an older copy of itself knows
    /// nothing of what its key signed for them.
    ///
    /// More neighbours claim to have the block of that height than may be lying; or one has shown the certificate of the
    /// block after it. Whoever signed that one has this one, and they are f+1 honest validators: nobody's vote is missed
    /// up to here.
    #[must_use]
    pub fn decided(&self) -> Option<Height> {
        let mut claims: Vec<Height> = self.claims.values().copied().collect();
        claims.sort_unstable();
        let claimed = claims.iter().rev().nth(self.committee.faults()).copied();
        let decided = claimed.max(self.shown.previous()).unwrap_or_default();
        (decided > self.tip).then_some(decided)
    }

    /// Whether a quorum is connected and not one of them has said even how far it is, which every validator does at once.
    ///
    /// # Errors
    /// If so.
    pub fn is_spoken_to(&self) -> Result<(), Unheard> {
        let lines = self.lines.len();
        let deaf = lines + 1 >= self.committee.quorum() && self.claims.is_empty();
        if deaf { Err(Unheard { lines }) } else { Ok(()) }
    }

    /// How long to listen, milliseconds: as long as a chain with nothing to record takes for its next block, one failed
    /// round included, but not so long that a restart would be felt.
    #[must_use]
    pub fn patience_ms(&self) -> u64 {
        let Timing { propose_ms, vote_ms, idle_ms, .. } = self.timing;
        let round = u64::from(propose_ms).saturating_add(2 * u64::from(vote_ms));
        u64::from(idle_ms).saturating_add(round).min(LISTEN_MS_MAX)
    }

    /// Whether there is nothing to listen for: a key that never signed, on a network of which a quorum has not one block
    /// yet. Whoever has no seat listens, too: if its ledger is old, it may have had one since.
    #[must_use]
    pub fn is_pointless(&self) -> bool {
        let new =
            self.last.is_none() && self.floor == Height::GENESIS && self.tip == Height::GENESIS;
        let empty = self.claims.values().filter(|claim| **claim == Height::GENESIS).count();
        new && empty == self.claims.len() && empty + 1 >= self.committee.quorum()
    }

    /// Another committee decides from now on. What our key said in an older one, under another seat, is not looked for.
    pub fn reseat(&mut self, committee: &Committee) {
        self.seat = committee.index_of(&self.own);
        self.committee.clone_from(committee);
    }

    /// We signed this, and it is in the record.
    pub const fn signed(&mut self, signed: Signed) {
        self.last = Some(signed);
    }

    /// Up to this height whatever is heard may be ours.
    pub fn raise(&mut self, floor: Height) {
        self.floor = self.floor.max(floor);
    }

    /// A neighbour can be spoken to, before we take part: tell it how far we are, so that it tells us.
    pub fn greet(&mut self, peer: Peer, now: Timestamp) -> Effect {
        self.lines.insert(peer);
        Effect::Send(To::One(peer), Channel::Votes, codec::encode(&Frame::Status(self.tip, now)))
    }

    /// Says it again to everybody: what was said first may be lost, and all of them may be listening.
    #[must_use]
    pub fn greet_again(&self, now: Timestamp) -> Vec<Effect> {
        let greeting = codec::encode(&Frame::Status(self.tip, now));
        let greet = |peer| Effect::Send(To::One(peer), Channel::Votes, greeting.clone());
        self.lines.iter().copied().map(greet).collect()
    }

    /// It no longer can.
    pub fn lost(&mut self, peer: Peer) {
        self.lines.remove(&peer);
    }

    /// What to ask a neighbour who says something new of its height: its last blocks, with their certificates.
    #[must_use]
    pub fn ask(&mut self, peer: Peer, received: &Received) -> Option<Effect> {
        if let Received::Tell(_, blocks) = received
            && let Some((_, certificate)) = blocks.last()
        {
            self.told = true;
            if certificate.height > self.shown
                && certificate.verify(&self.chain, &self.committee).is_ok()
            {
                self.shown = certificate.height;
            }
        }
        let Received::Status(height, _) = received else { return None };
        let known = self.claims.insert(peer, *height);
        // A question may be lost, as may its answer, while two that dial each other agree on one line.
        let asked = self.told && known.is_some_and(|known| known >= *height);
        if *height == Height::GENESIS || asked {
            return None;
        }
        let recent = Height(height.0.saturating_sub(BLOCKS_SEARCHED));
        let signed = self.last.map_or(self.floor, |last| last.height.max(self.floor));
        let from = recent.max(signed).min(*height).max(Height::GENESIS.next());
        let question = Question { from, count: u32::try_from(BLOCKS_SEARCHED).unwrap_or(u32::MAX) };
        let question = codec::encode(&SyncFrame::Ask(question));
        Some(Effect::Send(To::One(peer), Channel::Sync, question))
    }

    /// What a neighbour said, if it proves that our key signed what our record does not have.
    ///
    /// # Errors
    /// The proof: a signature of our own, checked here.
    pub fn hear(&self, received: &Received) -> Result<(), Elsewhere> {
        match received {
            Received::Message(message) => self.message(message),
            Received::Tell(_, blocks) => {
                let searched = usize::try_from(BLOCKS_SEARCHED).unwrap_or(usize::MAX);
                let last = blocks.iter().rev().take(searched);
                last.rev().try_for_each(|(_, certificate)| self.certified(certificate))
            }
            Received::Status(..)
            | Received::Block(_)
            | Received::Transactions(_)
            | Received::Ask(_) => Ok(()),
        }
    }

    /// What a certificate says of us.
    ///
    /// # Errors
    /// As [`Listener::hear`].
    pub fn certified(&self, certificate: &Certificate) -> Result<(), Elsewhere> {
        let (height, round, block) =
            (certificate.height, certificate.round, Some(certificate.block));
        // One that says two things in our name is no certificate, and every entry would cost a check.
        let ours = certificate.signatures.iter().find(|(seat, _)| Some(*seat) == self.seat);
        let Some((seat, signature)) = ours else { return Ok(()) };
        let step = Step::Precommit;
        self.vote(Vote { height, round, step, block, seat: *seat }, signature)
    }

    fn message(&self, message: &Message) -> Result<(), Elsewhere> {
        let ours = |seat: u16| Some(seat) == self.seat;
        match message {
            Message::Vote(vote, signature) if ours(vote.seat) => self.vote(*vote, signature),
            Message::Proposal(proposal, signature) if ours(proposal.seat) => {
                self.proposal(proposal, signature)
            }
            Message::Vote(..) | Message::Proposal(..) => Ok(()),
            Message::Polka { height, round, block, signatures } => {
                let (height, round, block) = (*height, *round, Some(*block));
                let step = Step::Prevote;
                let first = signatures.iter().find(|(seat, _)| ours(*seat));
                first.map_or(Ok(()), |(seat, signature)| {
                    self.vote(Vote { height, round, step, block, seat: *seat }, signature)
                })
            }
            Message::RoundChange { height, round, votes, .. } => {
                let (height, round) = (*height, *round);
                // A prevote and a precommit are all that one seat can have in it.
                votes.iter().filter(|(seat, ..)| ours(*seat)).take(2).try_for_each(
                    |(seat, step, block, signature)| {
                        let (step, block, seat) = (*step, *block, *seat);
                        self.vote(Vote { height, round, step, block, seat }, signature)
                    },
                )
            }
        }
    }

    fn vote(&self, vote: Vote, signature: &Signature) -> Result<(), Elsewhere> {
        let step = match vote.step {
            Step::Prevote => 1,
            Step::Precommit => 2,
        };
        let good = || vote.check(&self.chain, &self.committee, signature).is_ok();
        self.compare((vote.height, vote.round, step), signature, good)
    }

    fn proposal(&self, proposal: &Proposal, signature: &Signature) -> Result<(), Elsewhere> {
        let good = || proposal.check(&self.chain, &self.committee, signature).is_ok();
        self.compare((proposal.height, proposal.round, 0), signature, good)
    }

    /// The signature is checked last: nearly everything heard of us is what we said.
    fn compare(
        &self,
        place: (Height, Round, u8),
        signature: &Signature,
        good: impl FnOnce() -> bool,
    ) -> Result<(), Elsewhere> {
        let (height, round, step) = place;
        let known = height <= self.floor
            || self.last.is_some_and(|last| {
                place < last.place() || (place == last.place() && *signature == last.signature)
            });
        if known || !good() {
            return Ok(());
        }
        let claimed = self.claims.values().copied().max().unwrap_or_default();
        Err(Elsewhere { height, round, step, highest: claimed.max(height).max(self.tip) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{BlockId, Hash, SecretKey};

    /// A committee of four, of which we are seat 2.
    fn genesis() -> (types::Genesis, Vec<SecretKey>) {
        (crate::tests::genesis(), (0..4).map(|n| crate::tests::secret(1, n)).collect())
    }

    fn block(n: u8) -> BlockId {
        BlockId(Hash([n; 32]))
    }

    fn vote(height: u64, round: u32, step: Step, n: u8, seat: u16) -> Vote {
        Vote { height: Height(height), round: Round(round), step, block: Some(block(n)), seat }
    }

    /// Says one thing to a listener whose record ends with a prevote for block 1 at height 10, round 2.
    fn check(said: Vote, by: u16, expected: &str) {
        let (genesis, secrets) = genesis();
        let chain = genesis.chain();
        let last = vote(10, 2, Step::Prevote, 1, 2);
        let signature = last.sign(&chain, &secrets[2]);
        let signed = Signed {
            height: last.height,
            round: last.round,
            step: 1,
            block: last.block,
            signature,
        };
        let voter = Voter { signed: Some(signed), ..Voter::new(secrets[2].clone()) };
        let listener = Listener::new(&Rules::new(&genesis), &voter, Height(9));
        let signature = said.sign(&chain, &secrets[usize::from(by)]);
        let (height, round, seat) = (said.height, said.round, said.seat);
        let ways = [
            Some(Message::Vote(said, signature)),
            (said.step == Step::Prevote).then(|| Message::Polka {
                height,
                round,
                block: said.block.unwrap(),
                signatures: vec![(seat, signature)],
            }),
            Some(Message::RoundChange {
                height,
                round,
                skip: true,
                votes: vec![(seat, said.step, said.block, signature)],
            }),
        ];
        for message in ways.into_iter().flatten() {
            let found = match listener.hear(&Received::Message(message.clone())) {
                Ok(()) => "ours".to_owned(),
                Err(Elsewhere { height, round, step, .. }) => format!("{height} {round} {step}"),
            };
            assert_eq!(found, expected, "{message:?}");
        }
        let certificate = Certificate {
            height,
            round,
            block: said.block.unwrap(),
            signatures: vec![(seat, signature)],
        };
        if said.step == Step::Precommit {
            let found = listener.certified(&certificate);
            assert_eq!(found.is_ok(), expected == "ours", "{certificate:?}");
        }
    }

    #[test]
    fn what_is_beyond_the_record_was_said_by_somebody_else() {
        use Step::{Precommit, Prevote};
        for (said, by, expected) in [
            // The end of the record, and what lies before it.
            (vote(10, 2, Prevote, 1, 2), 2, "ours"),
            (vote(10, 1, Precommit, 7, 2), 2, "ours"),
            (vote(9, 9, Precommit, 7, 2), 2, "ours"),
            // The same place with other content, and what lies behind it.
            (vote(10, 2, Prevote, 7, 2), 2, "10 2 1"),
            (vote(10, 2, Precommit, 1, 2), 2, "10 2 2"),
            (vote(10, 3, Prevote, 1, 2), 2, "10 3 1"),
            (vote(11, 0, Precommit, 1, 2), 2, "11 0 2"),
            (vote(u64::MAX - 1, 0, Precommit, 1, 2), 2, "18446744073709551614 0 2"),
            // Of others, and forged.
            (vote(11, 0, Precommit, 1, 1), 1, "ours"),
            (vote(11, 0, Precommit, 1, 2), 1, "ours"),
        ] {
            check(said, by, expected);
        }
    }

    #[test]
    fn below_the_floor_anything_may_be_ours() {
        let (genesis, secrets) = genesis();
        let voter = Voter { floor: Height(20), ..Voter::new(secrets[2].clone()) };
        let mut listener = Listener::new(&Rules::new(&genesis), &voter, Height(0));
        let hear = |listener: &Listener, height| {
            let said = vote(height, 0, Step::Prevote, 1, 2);
            let signature = said.sign(&genesis.chain(), &secrets[2]);
            listener.hear(&Received::Message(Message::Vote(said, signature))).is_ok()
        };
        assert!(hear(&listener, 20) && !hear(&listener, 21));
        listener.raise(Height(21));
        assert!(hear(&listener, 21) && !hear(&listener, 22));
        listener.raise(Height(5));
        assert!(hear(&listener, 21), "a floor is never lowered");
    }

    #[test]
    fn a_connected_quorum_that_says_nothing_speaks_to_somebody_else() {
        let (genesis, secrets) = genesis();
        let mut listener =
            Listener::new(&Rules::new(&genesis), &Voter::new(secrets[2].clone()), Height(4));
        assert!(!listener.has_heard());
        for (n, deaf) in [(1, false), (2, true), (3, true)] {
            listener.greet(Peer([n; 32]), Timestamp(0));
            assert_eq!(listener.is_spoken_to().is_err(), deaf, "{n} lines");
        }
        listener.lost(Peer([3; 32]));
        listener.lost(Peer([2; 32]));
        assert!(listener.is_spoken_to().is_ok(), "one line is no quorum");
        assert_eq!(listener.greet_again(Timestamp(1)).len(), 1, "who is there is told again");
        listener.greet(Peer([2; 32]), Timestamp(0));
        assert!(listener.ask(Peer([1; 32]), &Received::Status(Height(9), Timestamp(0))).is_some());
        assert!(listener.is_spoken_to().is_ok());
        assert!(!listener.has_heard(), "its blocks have not come");
        assert!(listener.ask(Peer([1; 32]), &Received::Tell(Height(1), Vec::new())).is_none());
        assert!(!listener.has_heard(), "no blocks are no answer");
    }

    /// The certificate of a block that these seats agreed on.
    fn certificate(height: u64, seats: &[u16]) -> Certificate {
        let (genesis, secrets) = genesis();
        let sign = |seat: u16| {
            let vote = vote(height, 0, Step::Precommit, 1, seat);
            (seat, vote.sign(&genesis.chain(), &secrets[usize::from(seat)]))
        };
        Certificate {
            height: Height(height),
            round: Round(0),
            block: block(1),
            signatures: seats.iter().copied().map(sign).collect(),
        }
    }

    /// What a neighbour answers who has one block, and this certificate of it.
    fn told(certificate: Certificate) -> Received {
        let (genesis, _) = genesis();
        let (rules, disk) = (Rules::new(&genesis), ledger::SharedMemory::default());
        let tip = ledger::tip(&rules, &disk);
        let now = Timestamp(0);
        let block = ledger::propose(&rules, &disk, &tip, now, 0, core::iter::empty()).0;
        Received::Tell(certificate.height, vec![(block, certificate)])
    }

    /// A neighbour says something.
    fn say(listener: &mut Listener, neighbour: u8, what: &Received) {
        drop(listener.ask(Peer([neighbour; 32]), what));
    }

    #[test]
    fn a_vote_needs_a_quorum_to_be_heard_first() {
        let (genesis, secrets) = genesis();
        let mut listener =
            Listener::new(&Rules::new(&genesis), &Voter::new(secrets[2].clone()), Height(4));
        for (n, unheard) in [(1, 1), (2, 0), (3, 0)] {
            say(&mut listener, n, &Received::Status(Height(4), Timestamp(0)));
            assert_eq!(listener.unheard(), unheard);
            assert!(!listener.has_heard(), "no blocks have come");
        }
        let mut listener =
            Listener::new(&Rules::new(&genesis), &Voter::new(secrets[2].clone()), Height(4));
        say(&mut listener, 1, &told(certificate(4, &[0, 1, 3])));
        say(&mut listener, 1, &Received::Status(Height(4), Timestamp(0)));
        assert!(!listener.has_heard(), "one is not enough, whatever it shows");
        say(&mut listener, 3, &Received::Status(Height(4), Timestamp(0)));
        assert!(listener.has_heard());
    }

    #[test]
    fn what_others_agreed_on_without_this_home_is_not_voted_on_again() {
        // Over a ledger of ten blocks: what three neighbours claim, whose certificate of which block is shown, and up to
        // where nothing is voted on.
        let all: &[u16] = &[0, 1, 3];
        for (claims, shown, decided) in [
            // All are as far as we are, or behind.
            (&[10, 10, 10][..], None, None),
            (&[9, 3, 0], None, None),
            (&[], None, None),
            // One may lie, and its claim alone is worth nothing; two may not.
            (&[u64::MAX / 2, 10, 10], None, None),
            (&[90], None, None),
            (&[u64::MAX / 2, 50, 10], None, Some(50)),
            (&[90, 91, 92], None, Some(91)),
            // The block under vote when we went away: decided since, and to be fetched.
            (&[11, 11, 10], None, Some(11)),
            // Others who came back as old as we did do not hide what one can show.
            (&[90, 10, 10], Some((90, all)), Some(89)),
            (&[10, 10], Some((12, all)), Some(11)),
            // What only one may have is decided again if that one dies: we may be needed for it.
            (&[11, 10, 10], Some((11, all)), None),
            // No certificate: too few, or not of this committee.
            (&[90, 10, 10], Some((90, &[0, 1])), None),
            (&[90, 10, 10], Some((90, &[0, 1, 1])), None),
        ] {
            let (genesis, secrets) = genesis();
            let voter = Voter::new(secrets[2].clone());
            let mut listener = Listener::new(&Rules::new(&genesis), &voter, Height(10));
            for (n, claim) in (1..).zip(claims) {
                say(&mut listener, n, &Received::Status(Height(*claim), Timestamp(0)));
            }
            if let Some((height, seats)) = shown {
                say(&mut listener, 1, &told(certificate(height, seats)));
            }
            assert_eq!(listener.decided(), decided.map(Height), "{claims:?} {shown:?}");
        }
    }

    #[test]
    fn a_network_without_blocks_is_not_listened_to() {
        let (genesis, secrets) = genesis();
        let new = Voter::new(secrets[2].clone());
        let mut listener = Listener::new(&Rules::new(&genesis), &new, Height(0));
        assert!(!listener.is_pointless(), "nobody has spoken");
        assert!(listener.ask(Peer([1; 32]), &Received::Status(Height(0), Timestamp(0))).is_none());
        assert!(!listener.is_pointless(), "one is no quorum");
        assert!(listener.ask(Peer([2; 32]), &Received::Status(Height(0), Timestamp(0))).is_none());
        assert!(listener.is_pointless());
        assert!(listener.ask(Peer([3; 32]), &Received::Status(Height(7), Timestamp(0))).is_some());
        assert!(!listener.is_pointless(), "somebody has a block: a copied key may have signed it");
        assert!(
            listener.ask(Peer([3; 32]), &Received::Status(Height(7), Timestamp(0))).is_some(),
            "asked already, and not answered"
        );
        assert!(
            listener.has_heard(),
            "whoever claims a block and never shows one keeps nobody from beginning"
        );
        assert!(listener.patience_ms() > 0 && listener.patience_ms() <= LISTEN_MS_MAX);

        let mut used =
            Listener::new(&Rules::new(&genesis), &Voter { floor: Height(1), ..new }, Height(0));
        for n in 1..4 {
            assert!(used.ask(Peer([n; 32]), &Received::Status(Height(0), Timestamp(0))).is_none());
        }
        assert!(!used.is_pointless(), "this key has a past");
    }
}
