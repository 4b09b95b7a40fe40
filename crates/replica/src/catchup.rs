//! For those who missed it: certified blocks from whoever has them. A height is a claim until it comes with a certificate.
//!
//! Several neighbours are asked for several ranges at once; what comes is checked elsewhere, and executed here in order.
//! Time is counted in ticks of an alarm, so that a clock that is set forward or back neither hurries nor stops anything.

use crate::{
    Effect, Offence, Progress, Replica, Wake,
    certify::{Checked, Ready, Unchecked},
    receive::SyncFrame,
    serve::{ANSWER_BLOCKS, Question},
};
use consensus::Stuck;
use ledger::State;
use std::collections::BTreeMap;
use types::{
    Block, Certificate, Header, Height, Timestamp, codec,
    net::{Channel, Peer, To},
};

/// How long a tick is.
const TICK_MS: u64 = 100;
/// How many ticks we wait for the vote to reach us before we ask for its result.
const HEADSTART: u32 = 3;
/// How many ticks a neighbour may take to answer, before anyone is known to be faster.
const PATIENCE: u32 = 30;
/// The least it is given, however fast others are.
const PATIENCE_MIN: u32 = 10;
/// The most, after it was slow many times: one block over the slowest line.
const PATIENCE_MAX: u32 = 600;
/// Questions under way in all, with answers being checked, and to one neighbour: two, so that its line does not fall idle
/// between them.
const ASKED_MAX: usize = 8;
const ASKED_PER_PEER: usize = 2;
/// How many blocks are asked for at first; then twice as many each time, while answers are quick.
const RANGE_FIRST: u32 = 16;
/// How far ahead of what is executed blocks are fetched, and how many bytes of them are held. What comes next is always
/// asked for.
const AHEAD_BLOCKS: u64 = 2048;
const HELD_BYTES: usize = 16 << 20;
/// How many blocks, or operations, are executed before something else is heard, and the disk is synced.
const BATCH_BLOCKS: usize = 64;
const BATCH_OPERATIONS: usize = 1000;
/// How many seconds a neighbour is not asked: after silence, and after a lie; doubled each time, up to the most.
const SILENCE_PAUSE_S: u64 = 1;
const SILENCE_PAUSE_MAX_S: u64 = 32;
const LIE_PAUSE_S: u64 = 10;
const LIE_PAUSE_MAX_S: u64 = 3600;
/// How many seconds it is believed of a neighbour that it dropped old blocks: it may be given them back.
const DROPPED_S: u64 = 60;

/// How far a node that fetches blocks is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetching {
    /// Where it began.
    pub from: Height,
    /// Where it is.
    pub height: Height,
    /// What its neighbours claim to have; a claim, but of more of them than may be lying.
    pub to: Height,
    /// Blocks a second of late; 0 in the first second.
    pub per_second: u64,
    /// Set if all who are ahead say that they dropped the next block: the first height that one of them keeps.
    pub dropped_below: Option<Height>,
}

impl Fetching {
    /// How many seconds are left at this pace.
    #[must_use]
    pub const fn seconds_left(&self) -> Option<u64> {
        if self.per_second == 0 {
            return None;
        }
        Some(self.to.0.saturating_sub(self.height.0).div_ceil(self.per_second))
    }
}

impl core::fmt::Display for Fetching {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (height, to, rate) =
            (grouped(self.height.0), grouped(self.to.0), grouped(self.per_second));
        write!(f, "catching up: {height} of {to}")?;
        if let Some(kept) = self.dropped_below {
            let (next, kept) = (grouped(self.height.next().0), grouped(kept.0));
            return write!(
                f,
                " (no neighbour here keeps block {next}: they dropped what is older than block {kept}; connect to a validator \
                 that keeps all blocks, or run `minlian-node snapshot restore` with a snapshot of one)"
            );
        }
        match self.seconds_left() {
            Some(left) => write!(f, " ({rate} blocks/s, about {} left)", span(left)),
            None => f.write_str(" (not moving yet)"),
        }
    }
}

/// A number with commas: `12,340`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        _ => format!("{} h", grouped(seconds / 3600)),
    }
}

/// A clock this far from the neighbours' median is warned of once a minute, milliseconds.
const CLOCK_OFF_MS: u64 = 500;

#[derive(Debug, Default)]
pub(crate) struct CatchUp {
    /// Questions under way, and those whose time ran out but whose answer would still help.
    asked: Vec<Asked>,
    /// What is being checked elsewhere.
    checking: BTreeMap<u64, Span>,
    next_id: u64,
    /// What follows, checked or not yet checkable.
    held: BTreeMap<Height, (Peer, Held)>,
    held_bytes: usize,
    standings: BTreeMap<Peer, Standing>,
    /// Whether a tick is set.
    is_ticking: bool,
    /// One block behind at this height, for so many ticks.
    waited: (Height, u32),
    /// The fewest ticks an answer took of late.
    best: Option<u32>,
    /// Whom we asked last: among equals the next question goes to somebody else.
    last: Option<Peer>,
    /// Blocks, and operations in them, executed since anything else was heard.
    batch: (usize, usize),
    /// Seconds since the start.
    second: u64,
    pace: Option<Pace>,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    span: Span,
    age: u32,
    /// Its time ran out: the range is asked of somebody else.
    is_overdue: bool,
    /// It holds up what is ready, so somebody else was asked, too.
    is_doubled: bool,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    peer: Peer,
    from: Height,
    count: u32,
}

#[derive(Debug)]
enum Held {
    Ready(Box<Ready>),
    /// Certified, it says, by a committee that we do not know before we are there.
    Raw(Box<(Block, Certificate)>),
}

/// What we think of a neighbour.
#[derive(Clone, Copy, Debug)]
struct Standing {
    /// How many blocks it is asked for.
    range: u32,
    /// How many ticks its last answer took.
    ticks: u32,
    silences: u32,
    lies: u32,
    /// Not asked before this second.
    until: u64,
    /// Below this height it dropped its blocks, so it said; and until when that is believed.
    dropped: (Height, u64),
}

impl Default for Standing {
    fn default() -> Self {
        let dropped = (Height::GENESIS, 0);
        Self { range: RANGE_FIRST, ticks: 0, silences: 0, lies: 0, until: 0, dropped }
    }
}

impl Standing {
    fn was_silent(&mut self, second: u64) {
        let pause = doubled(SILENCE_PAUSE_S, self.silences).min(SILENCE_PAUSE_MAX_S);
        self.silences = self.silences.saturating_add(1);
        self.range = (self.range / 2).max(1);
        self.until = self.until.max(second.saturating_add(pause));
    }

    fn lied(&mut self, second: u64) {
        let pause = doubled(LIE_PAUSE_S, self.lies).min(LIE_PAUSE_MAX_S);
        self.lies = self.lies.saturating_add(1);
        self.range = RANGE_FIRST;
        self.until = self.until.max(second.saturating_add(pause));
    }

    /// The first height it keeps, if it said that it dropped this one.
    fn dropped(&self, height: Height, second: u64) -> Option<Height> {
        let (kept, until) = self.dropped;
        (height < kept && second < until).then_some(kept)
    }

    /// It is given longer each time it was slow: it may be at the end of a thin line. Much longer, if it is the only one that
    /// may have the block; while there is another, whoever is silent for ever must not hold up what comes next.
    fn patience(&self, best: Option<u32>, is_alone: bool) -> u32 {
        let times = self.silences.min(if is_alone { 6 } else { 1 });
        usual_patience(best).saturating_mul(1 << times).min(PATIENCE_MAX)
    }
}

/// How many ticks a neighbour is given that was never slow.
fn usual_patience(best: Option<u32>) -> u32 {
    let best = best.map_or(PATIENCE, |best| best.saturating_mul(4).saturating_add(5));
    best.clamp(PATIENCE_MIN, PATIENCE)
}

fn doubled(base: u64, times: u32) -> u64 {
    base.saturating_mul(1_u64.checked_shl(times).unwrap_or(u64::MAX))
}

/// Where fetching began, and how fast it goes.
#[derive(Clone, Copy, Debug)]
struct Pace {
    from: Height,
    last: Height,
    per_second: Option<u64>,
    /// Seconds in which there was nothing to fetch.
    quiet: u32,
    seconds: u64,
}

impl Pace {
    const fn at(tip: Height) -> Self {
        Self { from: tip, last: tip, per_second: None, quiet: 0, seconds: 0 }
    }
}

impl CatchUp {
    fn is_active(&self) -> bool {
        self.asked.iter().any(|asked| !asked.is_overdue)
            || !self.checking.is_empty()
            || !self.held.is_empty()
    }

    /// Whether the block of this height is here, ready to be executed.
    pub(crate) fn is_ready(&self, height: Height) -> bool {
        matches!(self.held.get(&height), Some((_, Held::Ready(_))))
    }

    /// Whether so many were executed in a row that somebody else should be heard.
    const fn is_batch_full(&self) -> bool {
        self.batch.0 >= BATCH_BLOCKS || self.batch.1 >= BATCH_OPERATIONS
    }

    /// Bytes of blocks that are held.
    #[cfg(test)]
    pub(crate) const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    fn take(&mut self, height: Height) -> Option<Ready> {
        // What is below was overtaken by a vote.
        let mut rest = self.held.split_off(&height);
        core::mem::swap(&mut self.held, &mut rest);
        for (_, held) in rest.into_values() {
            self.held_bytes -= held.bytes();
        }
        if !self.is_ready(height) {
            return None;
        }
        match self.held.remove(&height)? {
            (_, Held::Ready(ready)) => {
                self.held_bytes -= ready.bytes;
                Some(*ready)
            }
            (_, Held::Raw(_)) => None,
        }
    }

    fn hold(&mut self, peer: Peer, height: Height, held: Held) {
        let bytes = held.bytes();
        if let Some((_, old)) = self.held.insert(height, (peer, held)) {
            self.held_bytes -= old.bytes();
        }
        self.held_bytes += bytes;
    }

    /// The first heights from `next` on, up to `end`, that are neither here nor under way, and how many there are until
    /// the next that is. An answer that holds everything up does not count as under way for somebody else.
    fn gap(&self, next: Height, end: Height) -> Option<(Height, u64)> {
        let under_way = self
            .asked
            .iter()
            .filter(|asked| !asked.is_overdue && !self.holds_up(asked, next))
            .map(|asked| asked.span);
        let mut taken: Vec<(Height, Height)> = under_way
            .chain(self.checking.values().copied())
            .map(|span| (span.from, span.from.plus(span.count.into())))
            .chain(self.held.keys().map(|height| (*height, height.plus(1))))
            .collect();
        taken.sort_unstable();
        let mut from = next;
        for (start, after) in taken {
            if start > from {
                return (from <= end).then(|| (from, start.min(end.plus(1)).0 - from.0));
            }
            from = from.max(after);
        }
        (from <= end).then(|| (from, end.0 - from.0 + 1))
    }

    fn holds_up(&self, asked: &Asked, next: Height) -> bool {
        let slow = self.best.is_some_and(|best| asked.age > best.saturating_mul(2).max(2) + 2);
        !asked.is_doubled && slow && asked.span.from <= next && !self.held.is_empty()
    }
}

impl Held {
    fn bytes(&self) -> usize {
        match self {
            Self::Ready(ready) => ready.bytes,
            Self::Raw(pair) => codec::length(&pair.0),
        }
    }
}

impl<S: State> Replica<S> {
    /// A neighbour says it has blocks up to `height`.
    pub(crate) fn claimed(&mut self, peer: Peer, height: Height, effects: &mut Vec<Effect>) {
        if let Some(claim) = self.peers.get_mut(&peer) {
            *claim = height;
        }
        if self.catchup.pace.is_none() && self.highest() > self.tip.height.plus(1) {
            self.catchup.pace = Some(Pace::at(self.tip.height));
        }
        if height > self.tip.height && !self.catchup.is_ticking {
            // One block behind is the usual case, and the vote is probably on its way.
            let is_usual = height == self.tip.height.plus(1);
            self.tick_in(if is_usual { TICK_MS } else { 1 }, effects);
        }
    }

    fn tick_in(&mut self, delay_ms: u64, effects: &mut Vec<Effect>) {
        self.catchup.is_ticking = true;
        effects.push(Effect::Set(Wake::CatchUp, delay_ms));
    }

    /// A tick is over: those who took too long are left for others.
    pub(crate) fn tick(&mut self, effects: &mut Vec<Effect>) {
        self.catchup.is_ticking = false;
        let (best, second) = (self.catchup.best, self.catchup.second);
        let mut silent = Vec::new();
        for asked in &mut self.catchup.asked {
            asked.age = asked.age.saturating_add(1);
            let span = asked.span;
            let standings = &self.catchup.standings;
            let has = |peer: &Peer| {
                standings.get(peer).is_none_or(|it| it.dropped(span.from, second).is_none())
            };
            let may_have = |(peer, claim): (&Peer, &Height)| {
                *peer != span.peer && *claim >= span.from && has(peer)
            };
            let is_alone = !self.peers.iter().any(may_have);
            let standing = self.catchup.standings.entry(span.peer).or_default();
            if !asked.is_overdue && asked.age >= standing.patience(best, is_alone) {
                asked.is_overdue = true;
                silent.push(asked.span.peer);
            }
        }
        silent.dedup();
        for peer in silent {
            self.catchup.standings.entry(peer).or_default().was_silent(second);
            effects.push(Effect::Blame(peer, Offence::Silence));
        }
        // A late answer may still come; one of each neighbour, and not for ever.
        self.catchup.asked.retain(|asked| asked.age <= 2 * PATIENCE_MAX);
        self.look_behind(effects);
    }

    /// A second is over.
    pub(crate) fn second(&mut self, effects: &mut Vec<Effect>) {
        self.catchup.second = self.catchup.second.saturating_add(1);
        let (tip, is_behind) = (self.tip.height, self.highest() > self.tip.height.plus(1));
        let is_active = self.catchup.is_active() || is_behind;
        self.catchup.pace = match self.catchup.pace {
            Some(pace) => {
                let quiet = if is_active { 0 } else { pace.quiet + 1 };
                let gained = tip.0.saturating_sub(pace.last.0);
                let per_second = Some(pace.per_second.map_or(gained, |rate| (rate + gained) / 2));
                let seconds = pace.seconds + 1;
                (quiet < 3).then_some(Pace { last: tip, per_second, quiet, seconds, ..pace })
            }
            None => is_behind.then_some(Pace::at(tip)),
        };
        if let Some(fetching) = self.fetching()
            && self.catchup.pace.is_some_and(|pace| pace.seconds % 5 == 1)
        {
            if fetching.dropped_below.is_some() {
                tracing::warn!("{fetching}");
            } else {
                tracing::info!("{fetching}");
            }
        }
        if let Some(offset) = self.clocks.offset().filter(|it| it.distance_ms() > CLOCK_OFF_MS)
            && self.catchup.second.is_multiple_of(60)
        {
            let (ahead_ms, neighbours) = (offset.ahead_ms, offset.neighbours);
            tracing::warn!(
                ahead_ms,
                neighbours,
                "this clock is not that of the neighbours: check NTP"
            );
        }
        if !self.catchup.is_ticking {
            self.look_behind(effects);
        }
    }

    /// How far we are, while we are behind.
    pub(crate) fn fetching(&self) -> Option<Fetching> {
        let (height, to) = (self.tip.height, self.highest());
        if to <= height.plus(1) {
            return None;
        }
        let (from, per_second) =
            self.catchup.pace.map_or((height, 0), |pace| (pace.from, pace.per_second.unwrap_or(0)));
        Some(Fetching { from, height, to, per_second, dropped_below: self.dropped_below() })
    }

    /// The first height that anybody keeps, if all who are ahead say that they dropped the next one.
    fn dropped_below(&self) -> Option<Height> {
        let (next, second) = (self.tip.height.next(), self.catchup.second);
        let ahead = self.peers.iter().filter(|(_, claim)| **claim >= next);
        let kept: Option<Vec<Height>> = ahead
            .map(|(peer, _)| self.catchup.standings.get(peer)?.dropped(next, second))
            .collect();
        kept?.into_iter().min()
    }

    pub(crate) fn catchup_lost(&mut self, peer: Peer, effects: &mut Vec<Effect>) {
        self.catchup.asked.retain(|asked| asked.span.peer != peer);
        self.look_behind(effects);
    }

    /// Asks those who claim to be ahead for what is missing, as much as may be under way.
    pub(crate) fn look_behind(&mut self, effects: &mut Vec<Effect>) {
        let tip = self.tip.height;
        // Those who may not be asked are not listened to either.
        let believed = |peer: &Peer| {
            self.catchup.standings.get(peer).is_none_or(|it| it.until <= self.catchup.second)
        };
        let claims = self.peers.iter().filter(|(peer, _)| believed(peer));
        let claim = claims.map(|(_, claim)| *claim).max().unwrap_or_default();
        if claim <= tip {
            self.catchup.asked.retain(|asked| asked.span.from > tip);
            if self.catchup.asked.iter().any(|asked| !asked.is_overdue) && !self.catchup.is_ticking
            {
                self.tick_in(TICK_MS, effects);
            }
            return;
        }
        if claim == tip.plus(1) && !self.catchup.is_active() {
            let (at, ticks) = self.catchup.waited;
            self.catchup.waited = (tip, if at == tip { ticks + 1 } else { 1 });
            if self.catchup.waited.1 <= HEADSTART {
                if !self.catchup.is_ticking {
                    self.tick_in(TICK_MS, effects);
                }
                return;
            }
        }
        while self.ask(effects) {}
        let is_under_way = self.catchup.asked.iter().any(|asked| !asked.is_overdue);
        if is_under_way && !self.catchup.is_ticking {
            self.tick_in(TICK_MS, effects);
        }
    }

    /// Asks one neighbour for the first range that is missing. False if there is nothing to ask, or nobody.
    fn ask(&mut self, effects: &mut Vec<Effect>) -> bool {
        let next = self.tip.height.next();
        let catchup = &self.catchup;
        // What it gave and is not yet checked counts: it may be a lie.
        let busy = |peer: &Peer| {
            let asked = catchup.asked.iter().filter(|a| a.span.peer == *peer && !a.is_overdue);
            asked.count() + catchup.checking.values().filter(|span| span.peer == *peer).count()
        };
        let under_way = catchup.asked.iter().filter(|asked| !asked.is_overdue).count();
        if under_way + catchup.checking.len() >= ASKED_MAX {
            return false;
        }
        let Some((from, room)) = catchup.gap(next, next.plus(AHEAD_BLOCKS - 1)) else {
            return false;
        };
        if from > next && catchup.held_bytes >= HELD_BYTES {
            return false;
        }
        let standing = |peer: &Peer| catchup.standings.get(peer).copied().unwrap_or_default();
        let chosen = self
            .peers
            .iter()
            .filter(|(peer, claim)| {
                **claim >= from
                    && busy(peer) < ASKED_PER_PEER
                    && standing(peer).until <= catchup.second
                    && standing(peer).dropped(from, catchup.second).is_none()
                    // Whoever holds everything up is not asked for the same again.
                    && !catchup.asked.iter().any(|a| a.span.peer == **peer && a.span.from == from && !a.is_overdue)
            })
            .min_by_key(|(peer, _)| {
                let Standing { ticks, silences, lies, .. } = standing(peer);
                (busy(peer), lies, silences, ticks, Some(**peer) <= catchup.last, **peer)
            });
        let Some((peer, claim)) = chosen.map(|(peer, claim)| (*peer, *claim)) else { return false };
        let wanted = u64::from(standing(&peer).range.min(ANSWER_BLOCKS))
            .min(room)
            .min(claim.0.saturating_sub(from.0).saturating_add(1));
        let count = u32::try_from(wanted).unwrap_or(ANSWER_BLOCKS);
        for asked in &mut self.catchup.asked {
            if asked.span.from == from {
                asked.is_doubled = true;
            }
        }
        // Of what is overdue, the last of each neighbour is remembered.
        self.catchup.asked.retain(|asked| {
            !(asked.is_overdue && asked.span.peer == peer && asked.span.from == from)
        });
        self.catchup.asked.push(Asked {
            span: Span { peer, from, count },
            age: 0,
            is_overdue: false,
            is_doubled: false,
        });
        let overdue = |asked: &Asked| asked.is_overdue && asked.span.peer == peer;
        if self.catchup.asked.iter().filter(|asked| overdue(asked)).count() > 1
            && let Some(oldest) = self.catchup.asked.iter().position(overdue)
        {
            self.catchup.asked.remove(oldest);
        }
        self.catchup.last = Some(peer);
        let question = SyncFrame::Ask(Question { from, count });
        effects.push(Effect::Send(To::One(peer), Channel::Sync, codec::encode(&question)));
        true
    }

    /// The blocks we asked for, so the neighbour says. What costs nothing is looked at here, the rest elsewhere.
    pub(crate) fn told(
        &mut self,
        peer: Peer,
        from: Height,
        blocks: Vec<(Block, Certificate)>,
        effects: &mut Vec<Effect>,
    ) {
        let is_below = |asked: &Asked| asked.span.peer == peer && asked.span.from < from;
        if blocks.is_empty() && self.catchup.asked.iter().any(is_below) {
            // It is ahead, and says honestly that it cannot help: others are asked at once.
            self.catchup.asked.retain(|asked| !is_below(asked));
            let until = self.catchup.second.saturating_add(DROPPED_S);
            self.catchup.standings.entry(peer).or_default().dropped = (from, until);
            return self.look_behind(effects);
        }
        let question = |asked: &Asked| asked.span.peer == peer && asked.span.from == from;
        let Some(at) = self.catchup.asked.iter().position(question) else {
            // An answer to what we no longer ask is no offence, and no help.
            return;
        };
        let Asked { span, age, .. } = self.catchup.asked.remove(at);
        if blocks.is_empty() {
            self.catchup.standings.entry(peer).or_default().was_silent(self.catchup.second);
            self.disbelieve(peer, span.from, "no blocks", effects);
            return;
        }
        let mut due = span.from;
        for (block, _) in &blocks {
            let Header { chain, height, .. } = block.header;
            if height != due || due >= span.from.plus(span.count.into()) {
                let fault = format!("block {height} where {due} was due");
                return self.liar(peer, span.from, &fault, effects);
            }
            if chain != *self.rules.chain() {
                let fault = format!("block {height} is of another chain");
                return self.liar(peer, span.from, &fault, effects);
            }
            due = due.next();
        }
        let got = u32::try_from(blocks.len()).unwrap_or(u32::MAX);
        let standing = self.catchup.standings.entry(peer).or_default();
        standing.ticks = age;
        // Whoever is quick is asked for more, and whoever gives less for as much as it gives.
        if got < span.count {
            standing.range = got.max(1);
        } else if age <= PATIENCE_MIN / 2 {
            standing.range =
                span.count.max(standing.range / 2).saturating_mul(2).min(ANSWER_BLOCKS);
        }
        self.catchup.best = Some(self.catchup.best.map_or(age, |best| best.min(age)));
        self.check(Span { peer, from: span.from, count: got }, blocks, effects);
        self.look_behind(effects);
    }

    fn check(&mut self, span: Span, blocks: Vec<(Block, Certificate)>, effects: &mut Vec<Effect>) {
        let id = self.catchup.next_id;
        self.catchup.next_id += 1;
        self.catchup.checking.insert(id, span);
        let (chain, committee) = (*self.rules.chain(), self.rules.committee().clone());
        effects.push(Effect::Check(Box::new(Unchecked { id, chain, committee, blocks })));
    }

    /// What became of the blocks that were checked.
    pub(crate) fn checked(
        &mut self,
        now: Timestamp,
        checked: Checked,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Stuck> {
        let Checked { id, ready, rest, fault } = checked;
        let Some(Span { peer, from, .. }) = self.catchup.checking.remove(&id) else {
            return Ok(());
        };
        let next = self.tip.height.next();
        let good = from.plus(u64::try_from(ready.len()).unwrap_or(0));
        for ready in ready {
            let height = ready.height();
            if height >= next && !self.catchup.is_ready(height) {
                self.catchup.hold(peer, height, Held::Ready(Box::new(ready)));
            }
        }
        let mut fault = fault;
        for (block, certificate) in rest {
            let height = block.header.height;
            if height == next && !self.catchup.is_ready(height) {
                fault = Some(format!("block {height} is not of the committee that decides it"));
                break;
            }
            if height > next && !self.catchup.held.contains_key(&height) {
                self.catchup.hold(peer, height, Held::Raw(Box::new((block, certificate))));
            }
        }
        match fault {
            Some(fault) => self.liar(peer, good, &fault, effects),
            None => {
                let standing = self.catchup.standings.entry(peer).or_default();
                (standing.silences, standing.lies) = (standing.silences / 2, standing.lies);
            }
        }
        if matches!(self.progress, Progress::Committing(_)) {
            return Ok(());
        }
        self.settle_or_decide(now, effects)
    }

    /// A claim that does not come with blocks is no longer believed.
    fn disbelieve(&mut self, peer: Peer, from: Height, why: &str, effects: &mut Vec<Effect>) {
        let known = from.previous().unwrap_or_default().max(self.tip.height);
        self.peers.entry(peer).and_modify(|claim| *claim = (*claim).min(known));
        effects.push(Effect::Blame(peer, Offence::CatchUp(why.to_owned())));
        self.look_behind(effects);
    }

    /// A neighbour gave us what no honest one gives: all it was asked for is asked of others, now.
    fn liar(&mut self, peer: Peer, from: Height, fault: &str, effects: &mut Vec<Effect>) {
        self.catchup.standings.entry(peer).or_default().lied(self.catchup.second);
        self.catchup.asked.retain(|asked| asked.span.peer != peer);
        self.disbelieve(peer, from, fault, effects);
    }

    /// Commits the next block that is ready, or asks for more. Says whether there is more to be done before we rest.
    pub(crate) fn follow(&mut self, effects: &mut Vec<Effect>) -> Result<bool, Stuck> {
        let next = self.deciding();
        if self.catchup.is_ready(next) && self.catchup.is_batch_full() {
            // Whoever speaks to us is heard in between.
            self.catchup.batch = (0, 0);
            effects.push(Effect::Set(Wake::Follow, 1));
            self.look_behind(effects);
            return Ok(true);
        }
        if let Some(ready) = self.catchup.take(next) {
            let Ready { certified, transactions, .. } = ready;
            let (blocks, operations) = &mut self.catchup.batch;
            *blocks += 1;
            *operations += transactions.iter().map(|tx| tx.get().operations.len()).sum::<usize>();
            let outcome = self.execute(certified.block(), &transactions)?;
            self.commit(certified, outcome, effects);
            return Ok(true);
        }
        self.catchup.batch = (0, 0);
        self.check_next(effects);
        self.look_behind(effects);
        Ok(false)
    }

    /// What came before its committee was known is checked when we are there.
    fn check_next(&mut self, effects: &mut Vec<Effect>) {
        let mut next = self.deciding();
        let (mut blocks, mut from) = (Vec::new(), None);
        while let Some((peer, Held::Raw(_))) = self.catchup.held.get(&next)
            && from.is_none_or(|first| first == *peer)
        {
            let peer = *peer;
            if let Some((_, held)) = self.catchup.held.remove(&next) {
                self.catchup.held_bytes -= held.bytes();
                if let Held::Raw(pair) = held {
                    blocks.push(*pair);
                }
            }
            from = Some(peer);
            next = next.next();
        }
        if let Some(peer) = from {
            let count = u32::try_from(blocks.len()).unwrap_or(u32::MAX);
            self.check(Span { peer, from: self.deciding(), count }, blocks, effects);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_waited_for_long_while_another_could_be_asked() {
        let patience = |silences, best, is_alone| {
            Standing { silences, ..Standing::default() }.patience(best, is_alone)
        };
        for (silences, best, alone, among) in [
            (0, None, 30, 30),
            (1, None, 60, 60),
            (2, None, 120, 60),
            (9, None, PATIENCE_MAX, 60),
            (9, Some(0), PATIENCE_MAX, 20),
            (9, Some(100), PATIENCE_MAX, 60),
        ] {
            assert_eq!(patience(silences, best, true), alone, "{silences} {best:?}");
            assert_eq!(patience(silences, best, false), among, "{silences} {best:?}");
        }
    }
}
