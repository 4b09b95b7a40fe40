//! The time between a start and the first word: listening for our own key, and waiting for room.

use super::{Ask, Body, Ended, Forward, Heard, Submission, WAITING_BYTES, restored};
use crate::clock;
use ledger::Rejection;
use replica::{Elsewhere, Event, Received};
use std::{collections::VecDeque, time::Duration};
use tokio::sync::mpsc;
use types::{Height, net::Peer};

/// How often it is looked whether the time is over.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often neighbours are greeted again until one of them has answered.
const GREET_EVERY: Duration = Duration::from_secs(1);
/// How long a connected quorum may say nothing. Each of them says how far it is at once, and again every second.
const DEAF_MS: u64 = 15_000;
/// How many events are kept for later. What is more is let go, as if the line were cut, and fetched later.
const HELD_MAX: usize = 4096;

/// What a validator does when it hears its own key say what its record does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listening {
    /// Listen before the first vote, and stop if somebody else uses the key.
    First,
    /// Vote at once; stop all the same when somebody else is heard to use the key.
    WhileVoting,
    /// Vote never, and let the record take in what the key is heard to have signed: its ledger and record are replaced.
    Only,
}

/// What came during the silence.
#[derive(Debug, Default)]
pub(super) struct Held {
    events: VecDeque<Heard>,
    /// What they take up of the room for what waits.
    bytes: usize,
    submissions: VecDeque<Submission>,
}

impl Held {
    /// Keeps an event, if there is room. Of each neighbour's line the last news is always kept and what came before it is
    /// not, or a line that comes and goes for days would have no bound.
    fn keep(&mut self, (event, room): Heard) {
        let line = line_of(&event);
        if line.is_some() {
            self.events.retain(|(other, _)| line_of(other) != line);
        }
        let bytes = room.as_ref().map_or(0, |room| room.num_permits());
        // Half of the room stays free, or the answer that ends the silence would find none.
        let fits = self.events.len() < HELD_MAX && self.bytes + bytes <= WAITING_BYTES / 2;
        if line.is_some() || fits {
            self.bytes += bytes;
            self.events.push_back((event, room));
        }
    }
}

/// The neighbour whose line this is news of.
fn line_of(event: &Event) -> Option<Peer> {
    match event {
        Event::Connected(peer) | Event::Lost(peer) => Some(*peer),
        Event::Submitted(..)
        | Event::Received(..)
        | Event::Elapsed(_)
        | Event::Committed(_)
        | Event::Checked(_) => None,
    }
}

impl Body {
    /// Says nothing until it is known that nobody else speaks with our key, and there is room to remember what we say.
    /// Gives what came meanwhile; nothing if the node is told to stop.
    ///
    /// The replica is restored but not heard: what it wants to say first waits, as does all that it would answer.
    pub(super) async fn keep_quiet(
        &mut self,
        asked: &mut mpsc::Receiver<Ask>,
        heard: &mut mpsc::Receiver<Heard>,
        urgent: &mut mpsc::Receiver<Heard>,
    ) -> Result<Option<Held>, Ended> {
        let (mut held, mut deaf_until) = (Held::default(), None);
        let until = match self.listening {
            Listening::First => clock::after(self.listener.patience_ms()),
            Listening::WhileVoting | Listening::Only => clock::instant(),
        };
        let mut greeted_at = clock::instant();
        loop {
            if !self.listener.has_heard() && greeted_at.elapsed() >= GREET_EVERY {
                greeted_at = clock::instant();
                let greetings = self.listener.greet_again(clock::now());
                greetings.into_iter().for_each(|greeting| self.effects_now(greeting));
            }
            let late = clock::instant() >= until;
            let heard_enough = self.listening != Listening::First || self.listener.has_heard();
            let over = (late && heard_enough) || self.listener.is_pointless();
            match self.listener.is_spoken_to() {
                Err(unheard) if self.listening == Listening::First => {
                    let until = deaf_until.get_or_insert_with(|| clock::after(DEAF_MS));
                    if clock::instant() >= *until {
                        return Err(unheard.into());
                    }
                }
                Ok(()) | Err(_) => deaf_until = None,
            }
            self.silence = (!over).then(|| {
                let why =
                    "listening whether another process uses this validator's key, before it votes";
                match self.listener.unheard() {
                    0 => why.to_owned(),
                    more => format!("{why}; it waits for {more} more of its neighbours to speak"),
                }
            });
            self.publish_status();
            if over && self.room.shortage().is_none() {
                if self.listening == Listening::First {
                    self.hold_back()?;
                }
                return Ok(Some(held));
            }
            tokio::select! {
                biased;
                Some(event) = urgent.recv() => self.overhear(event, &mut held)?,
                Some(event) = heard.recv() => self.overhear(event, &mut held)?,
                Some(ask) = asked.recv() => match ask {
                    // Whom nobody answers takes it for undecided, and of these it is known that they were not taken.
                    Ask::Submit(lot, _) if late || self.room.shortage().is_some() => {
                        for (_, answer) in lot {
                            answer.send(Err(Rejection::Full)).unwrap_or(());
                        }
                    }
                    Ask::Submit(lot, _) => held.submissions.extend(lot),
                    Ask::Watch(id, answer) => self.watch(id, answer),
                    Ask::IsPending(id, answer) => answer.send(self.is_waiting(&id)).unwrap_or(()),
                    Ask::Stop(done) => {
                        done.send(()).unwrap_or(());
                        return Ok(None);
                    }
                },
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// If others have agreed on blocks that are not here, leaves those to them. Whether this home was away, or is an older
    /// copy of itself, cannot be told; and what its key signed lately stands in the blocks that were just searched, so what
    /// it signed before them lies below.
    fn hold_back(&mut self) -> Result<(), Ended> {
        let Some(decided) = self.listener.decided() else { return Ok(()) };
        // The record first: whatever is found of this key below is no surprise from now on, over restarts too.
        self.signatures.raise(decided).map_err(Ended::Record)?;
        self.listener.raise(decided);
        self.voter.floor = self.voter.floor.max(decided);
        let tip = self.replica.height();
        let until = self.silent_until.as_ref().map_or(decided, |(until, _)| decided.max(*until));
        let why = format!(
            "its neighbours have more blocks than the {tip} that are here, and if this is an older copy of this validator, its \
             key has voted on them"
        );
        tracing::warn!(%until, %why, "follows without voting");
        self.silent_until = Some((until, why));
        // It was heard by nobody yet, and has heard nothing.
        let journal =
            if self.store.distrusted_blocks()? == 0 { self.store.replay()? } else { Vec::new() };
        let (replica, effects) =
            restored(&self.genesis, self.voter.clone(), &self.store, &journal)?;
        (self.replica, self.effects) = (replica, effects.into());
        Ok(())
    }

    fn overhear(&mut self, (event, room): Heard, held: &mut Held) -> Result<(), Ended> {
        match &event {
            Event::Connected(peer) => {
                let greeting = self.listener.greet(*peer, clock::now());
                self.effects_now(greeting);
            }
            Event::Lost(peer) => self.listener.lost(*peer),
            // Who listens like us asks like us. The answer is what is on the disk, and nothing follows from it.
            Event::Received(peer, Received::Ask(question)) => {
                self.effects_now(self.replica.tell(*peer, *question));
                return Ok(());
            }
            Event::Received(peer, received) => {
                self.compare(received)?;
                if let Some(question) = self.listener.ask(*peer, received) {
                    self.effects_now(question);
                }
                if matches!(received, Received::Tell(..)) {
                    // The answer to our question, not to the replica's.
                    return Ok(());
                }
            }
            Event::Submitted(..) | Event::Elapsed(_) | Event::Committed(_) | Event::Checked(_) => {}
        }
        held.keep((event, room));
        Ok(())
    }

    /// Does what the listener wants, which never waits for what the replica wants.
    fn effects_now(&self, effect: replica::Effect) {
        if let replica::Effect::Send(to, channel, bytes) = effect {
            self.network.send(to, channel, bytes.into());
        }
    }

    /// Gives the replica what came during the silence.
    pub(super) fn catch_up_with(&mut self, held: Held) -> Result<(), Ended> {
        for (event, _room) in held.events {
            self.feed(event)?;
        }
        for (tx, answer) in held.submissions {
            // Behind what was accepted before, on which it may build.
            self.forward.push_back(Forward::held(tx, answer));
        }
        Ok(())
    }

    /// Ends one that votes without having listened, when it is connected and nobody says a word to it for as long as one
    /// that listens would bear: its neighbours hear a twin, and take nothing from it. It does no harm yet; it would speak
    /// up, with a ledger and a record that are its own, when the twin falls silent.
    pub(super) fn notice(&mut self, event: &Event) -> Result<(), Ended> {
        if self.listening != Listening::WhileVoting {
            return Ok(());
        }
        match event {
            // The replica greets and asks by itself.
            Event::Connected(peer) => drop(self.listener.greet(*peer, clock::now())),
            Event::Lost(peer) => self.listener.lost(*peer),
            Event::Received(peer, received) => drop(self.listener.ask(*peer, received)),
            Event::Submitted(..) | Event::Elapsed(_) | Event::Committed(_) | Event::Checked(_) => {}
        }
        match self.listener.is_spoken_to() {
            Err(unheard) => {
                let until = *self.deaf_until.get_or_insert_with(|| clock::after(DEAF_MS));
                if clock::instant() >= until { Err(unheard.into()) } else { Ok(()) }
            }
            Ok(()) => {
                self.deaf_until = None;
                Ok(())
            }
        }
    }

    /// Compares what a neighbour said with what our key has signed.
    pub(super) fn compare(&mut self, received: &Received) -> Result<(), Ended> {
        // Only a certificate of a height that is over can be heard again and again; each raises the floor at most once.
        while let Err(elsewhere) = self.listener.hear(received) {
            self.elsewhere(elsewhere)?;
        }
        Ok(())
    }

    /// Our key spoke, and it was not us.
    pub(super) fn elsewhere(&mut self, elsewhere: Elsewhere) -> Result<(), Ended> {
        match self.listening {
            Listening::First | Listening::WhileVoting => Err(Ended::Elsewhere(elsewhere)),
            Listening::Only => {
                let Elsewhere { height, round, .. } = elsewhere;
                tracing::warn!(%height, %round, "this key signed what its record does not have; the record takes it in");
                self.signatures.raise(height).map_err(Ended::Record)?;
                self.listener.raise(height);
                Ok(())
            }
        }
    }

    /// Why this validator does not vote though it could, if that is so.
    pub(super) fn why_silent(&self) -> Option<String> {
        self.silence.clone().or_else(|| {
            let (until, why) = self.silent_until.as_ref()?;
            (self.replica.height() < *until)
                .then(|| format!("follows without voting until block {until} is committed: {why}"))
        })
    }
}

/// Up to which height a validator must not vote though its record says nothing else, and why.
pub(super) fn silent_until(
    tip: Height,
    distrusted_blocks: u64,
    signed: Height,
) -> Option<(Height, String)> {
    if distrusted_blocks > 0 {
        let why = "the journal beside the ledger is damaged, or newer than the ledger, so this validator may have \
                   forgotten what it signed; check the disk"
            .to_owned();
        return Some((tip.plus(distrusted_blocks).max(signed), why));
    }
    (signed > tip.next()).then(|| {
        let why = format!(
            "the ledger here ends at block {tip}, and this key may have signed up to height {signed}. If every validator \
             lost its ledger, put a backup of one in its place: a network is never begun anew by itself"
        );
        (signed, why)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Timestamp;

    /// `+1` is that peer 1 is connected, `-1` that it is lost, `=1` that it says something.
    fn event(word: &str) -> Event {
        let peer = Peer([word[1..].parse().unwrap(); 32]);
        match &word[..1] {
            "+" => Event::Connected(peer),
            "-" => Event::Lost(peer),
            _says => Event::Received(peer, Received::Status(Height(7), Timestamp(0))),
        }
    }

    fn check(came: &str, kept: &str) {
        let mut held = Held::default();
        came.split(' ').for_each(|word| held.keep((event(word), None)));
        let found = held.events.iter().map(|(event, _)| format!("{event:?}"));
        let wanted = kept.split(' ').map(|word| format!("{:?}", event(word)));
        assert_eq!(found.collect::<Vec<_>>(), wanted.collect::<Vec<_>>(), "{came}");
    }

    #[test]
    fn of_a_line_that_comes_and_goes_the_last_news_is_kept() {
        for (came, kept) in [
            ("+1 =1 +2 =2 -1", "=1 +2 =2 -1"),
            ("+1 -1 +1 -1 +1", "+1"),
            ("+1 =1 -1 =1 +1 =1", "=1 =1 +1 =1"),
            ("+1 +2 -2 -1 +3", "-2 -1 +3"),
        ] {
            check(came, kept);
        }
    }

    #[test]
    fn a_full_room_still_takes_the_news_of_lines() {
        let mut held = Held::default();
        (0..=HELD_MAX).for_each(|_| held.keep((event("=1"), None)));
        assert_eq!(held.events.len(), HELD_MAX);
        for word in ["+1", "+2", "-2"].repeat(100) {
            held.keep((event(word), None));
        }
        assert_eq!(held.events.len(), HELD_MAX + 2);
        let last = held.events.iter().rev().take(2).map(|(event, _)| line_of(event));
        assert_eq!(last.collect::<Vec<_>>(), [Some(Peer([2; 32])), Some(Peer([1; 32]))]);
    }
}
