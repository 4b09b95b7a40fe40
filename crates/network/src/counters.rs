//! What went in, out and missing.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use types::net::Channel;

use crate::config::ByChannel;

/// What has been counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages, by channel.
    pub traffic: ByChannel<Traffic>,
    /// Connections of peers that are not admitted.
    pub refused: u64,
    /// Connections turned away because there were too many.
    pub crowded: u64,
    /// Connections with peers of another chain or protocol version.
    pub foreign: u64,
    /// Peers disconnected because they broke the protocol.
    pub offences: u64,
    /// Peers disconnected because they did not read.
    pub stalled: u64,
    /// Connections closed because nothing was heard on them.
    pub silent: u64,
    /// Times that a peer was shut out for a while: for an offence, for a flood, or for what the node reported.
    pub penalties: u64,
    /// Connections refused because the peer is shut out.
    pub barred: u64,
}

/// What one channel carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Messages received.
    pub messages_in: u64,
    /// Bytes received, without framing.
    pub bytes_in: u64,
    /// Messages handed to the transport.
    pub messages_out: u64,
    /// Bytes handed to the transport, without framing.
    pub bytes_out: u64,
    /// Messages we were asked to send and did not.
    pub dropped: u64,
    /// Messages after which a peer was read more slowly, because it had said more than it may.
    pub slowed: u64,
}

/// The counters while they count.
#[derive(Default)]
pub(crate) struct Tally {
    traffic: ByChannel<Meter>,
    pub(crate) refused: AtomicU64,
    pub(crate) crowded: AtomicU64,
    pub(crate) foreign: AtomicU64,
    pub(crate) offences: AtomicU64,
    pub(crate) stalled: AtomicU64,
    pub(crate) silent: AtomicU64,
    pub(crate) penalties: AtomicU64,
    pub(crate) barred: AtomicU64,
}

#[derive(Default)]
struct Meter {
    messages_in: AtomicU64,
    bytes_in: AtomicU64,
    messages_out: AtomicU64,
    bytes_out: AtomicU64,
    dropped: AtomicU64,
    slowed: AtomicU64,
}

impl Tally {
    pub(crate) fn received(&self, channel: Channel, bytes: usize) {
        let meter = self.traffic.of(channel);
        meter.messages_in.fetch_add(1, Relaxed);
        meter.bytes_in.fetch_add(wide(bytes), Relaxed);
    }

    pub(crate) fn sent(&self, channel: Channel, bytes: usize) {
        let meter = self.traffic.of(channel);
        meter.messages_out.fetch_add(1, Relaxed);
        meter.bytes_out.fetch_add(wide(bytes), Relaxed);
    }

    pub(crate) fn dropped(&self, channel: Channel, messages: usize) {
        self.traffic.of(channel).dropped.fetch_add(wide(messages), Relaxed);
    }

    pub(crate) fn slowed(&self, channel: Channel) {
        self.traffic.of(channel).slowed.fetch_add(1, Relaxed);
    }

    pub(crate) fn read(&self) -> Counters {
        Counters {
            traffic: ByChannel::each(|channel| {
                let meter = self.traffic.of(channel);
                Traffic {
                    messages_in: meter.messages_in.load(Relaxed),
                    bytes_in: meter.bytes_in.load(Relaxed),
                    messages_out: meter.messages_out.load(Relaxed),
                    bytes_out: meter.bytes_out.load(Relaxed),
                    dropped: meter.dropped.load(Relaxed),
                    slowed: meter.slowed.load(Relaxed),
                }
            }),
            refused: self.refused.load(Relaxed),
            crowded: self.crowded.load(Relaxed),
            foreign: self.foreign.load(Relaxed),
            offences: self.offences.load(Relaxed),
            stalled: self.stalled.load(Relaxed),
            silent: self.silent.load(Relaxed),
            penalties: self.penalties.load(Relaxed),
            barred: self.barred.load(Relaxed),
        }
    }
}

/// Counts one more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

/// A size as a count; no machine we run on has wider sizes.
pub(crate) fn wide(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}
