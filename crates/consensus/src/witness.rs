//! What each seat was heard to say, so that whoever says two things is convicted, however late the second is heard.
//!
//! The core finds some of this itself: what it hears twice within a height, of rounds it has not let go, three times a
//! seat. A validator that runs twice speaks to each side of a split network, and the other side hears it when the height
//! is long decided. So what was said is kept here, of the height under way, the one before it, and the next.

use crate::{Evidence, Place};
use std::collections::{BTreeMap, BTreeSet};
use types::{
    Height, Signature,
    vote::{Message, Proposal, Step, Vote},
};

/// How many places of one seat are kept for each height: more rounds than a network has that is not broken.
const PLACES_PER_SEAT: usize = 60;
/// How many heights after they are over.
const HEIGHTS: u64 = 1;

/// A thing said under a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Vote(Vote, Signature),
    Proposal(Proposal, Signature),
}

impl Said {
    /// What a message says in its own name. Certificates speak in the names of others.
    pub(crate) const fn of(message: &Message) -> Option<Self> {
        match message {
            Message::Vote(vote, signature) => Some(Self::Vote(*vote, *signature)),
            Message::Proposal(proposal, signature) => Some(Self::Proposal(*proposal, *signature)),
            Message::Polka { .. } | Message::RoundChange { .. } => None,
        }
    }

    pub(crate) const fn place(&self) -> Place {
        match self {
            Self::Vote(vote, _) => {
                let step = match vote.step {
                    Step::Prevote => 1,
                    Step::Precommit => 2,
                };
                (vote.height, vote.round, step, vote.seat)
            }
            Self::Proposal(proposal, _) => (proposal.height, proposal.round, 0, proposal.seat),
        }
    }

    /// Both, if they are two things said in one place.
    fn against(self, other: Self) -> Option<Evidence> {
        match (self, other) {
            (Self::Vote(one, a), Self::Vote(two, b)) if one != two => {
                Some(Evidence::Votes([(one, a), (two, b)]))
            }
            (Self::Proposal(one, a), Self::Proposal(two, b)) if one != two => {
                Some(Evidence::Proposals([(one, a), (two, b)]))
            }
            // Places tell votes and proposals apart.
            (Self::Vote(..) | Self::Proposal(..), Self::Vote(..) | Self::Proposal(..)) => None,
        }
    }
}

/// What is remembered of it.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    said: BTreeMap<(Height, u16), BTreeMap<Place, Said>>,
    convicted: BTreeSet<Place>,
}

impl Witness {
    /// Whether there is anything to learn from this, if its signature is good: then it is worth checking.
    pub(crate) fn is_news(&self, said: &Said) -> bool {
        let place = said.place();
        let of_seat = self.said.get(&(place.0, place.3));
        match of_seat.and_then(|places| places.get(&place)) {
            Some(first) => first.against(*said).is_some() && !self.convicted.contains(&place),
            None => of_seat.is_none_or(|places| places.len() < PLACES_PER_SEAT),
        }
    }

    /// Whether something was said there.
    pub(crate) fn knows(&self, said: &Said) -> bool {
        let place = said.place();
        self.said.get(&(place.0, place.3)).is_some_and(|places| places.contains_key(&place))
    }

    /// Remembers this, whose signature was checked. Evidence, once a place, if something else was said there.
    pub(crate) fn note(&mut self, said: Said) -> Option<Evidence> {
        if !self.is_news(&said) {
            return None;
        }
        let place = said.place();
        let places = self.said.entry((place.0, place.3)).or_default();
        let Some(first) = places.get(&place) else {
            places.insert(place, said);
            return None;
        };
        self.convicted.insert(place);
        first.against(said)
    }

    /// Whether what is said of this height is listened to, when `at` is under way.
    pub(crate) const fn covers(at: Height, height: Height) -> bool {
        height.0 <= at.0 && at.0 - height.0 <= HEIGHTS
    }

    /// Forgets what is long past.
    pub(crate) fn begin(&mut self, at: Height) {
        let is_kept = |height: Height| height > at || Self::covers(at, height);
        self.said.retain(|(height, _), _| is_kept(*height));
        self.convicted.retain(|(height, ..)| is_kept(*height));
    }

    /// Forgets everything: the seats have other holders.
    pub(crate) fn clear(&mut self) {
        self.said.clear();
        self.convicted.clear();
    }
}
