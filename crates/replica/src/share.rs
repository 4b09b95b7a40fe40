//! Step 4 of a record's life: on to everyone else's pool, a few in one message.

use crate::{Effect, Wake};
use types::{
    Verified, codec,
    net::{Channel, To},
    transaction::TRANSACTION_BYTES_MAX,
};

/// How long the first of them waits for others, milliseconds: less than a height takes.
const WAIT_MS: u64 = 3;
/// How many bytes are passed on together, but for one transaction that is longer.
const BYTES_MAX: usize = 64 << 10;
/// How many transactions.
const COUNT_MAX: u64 = 200;

/// Transactions that were admitted here and not passed on yet, as a message spells them.
#[derive(Debug, Default)]
pub(crate) struct Unshared {
    count: u64,
    bytes: Vec<u8>,
}

impl Unshared {
    /// Takes a transaction's canonical bytes, to be passed on within [`WAIT_MS`], or `at_once`.
    pub(crate) fn add(&mut self, transaction: &[u8], at_once: bool, effects: &mut Vec<Effect>) {
        const { assert!(BYTES_MAX <= TRANSACTION_BYTES_MAX, "a message may be so long") };
        if self.bytes.len() + transaction.len() > BYTES_MAX {
            self.flush(effects);
        }
        if self.count == 0 && !at_once {
            effects.push(Effect::Set(Wake::Share, WAIT_MS));
        }
        self.count += 1;
        self.bytes.extend_from_slice(transaction);
        if at_once || self.count >= COUNT_MAX || self.bytes.len() >= BYTES_MAX {
            self.flush(effects);
        }
    }

    /// Passes on what there is.
    pub(crate) fn flush(&mut self, effects: &mut Vec<Effect>) {
        if self.count == 0 {
            return;
        }
        // A list is spelled as its length and its members, one after the other.
        let mut frame = codec::encode(&core::mem::take(&mut self.count));
        frame.append(&mut self.bytes);
        effects.push(Effect::Cancel(Wake::Share));
        effects.push(Effect::Send(To::Everyone, Channel::Transactions, frame));
    }
}

/// A message of the first that wait, with their lengths, for one who may not have heard of them.
pub(crate) fn first<'a>(waiting: impl Iterator<Item = (&'a Verified, usize)>) -> Option<Vec<u8>> {
    let (mut some, mut bytes) = (Vec::new(), 0);
    for (tx, length) in waiting {
        bytes += length;
        if bytes > BYTES_MAX && !some.is_empty() {
            break;
        }
        some.push(tx.get());
    }
    (!some.is_empty()).then(|| codec::encode(&some))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(effects: &[Effect]) -> Vec<&[u8]> {
        let sent = effects.iter().filter_map(|effect| {
            let Effect::Send(To::Everyone, Channel::Transactions, frame) = effect else {
                return None;
            };
            Some(frame.as_slice())
        });
        sent.collect()
    }

    #[test]
    fn nothing_that_waits_is_no_message() {
        assert_eq!(first(core::iter::empty()), None);
    }

    #[test]
    fn a_message_is_spelled_as_the_list_it_is() {
        let words: Vec<u64> = (0..=COUNT_MAX).collect();
        let (mut unshared, mut effects) = (Unshared::default(), Vec::new());
        for word in &words {
            unshared.add(&codec::encode(word), false, &mut effects);
        }
        unshared.flush(&mut effects);
        let (full, rest) = words.split_at(200);
        assert_eq!(frames(&effects), [codec::encode(&full), codec::encode(&rest)]);
        let alarms = effects.iter().filter(|e| matches!(e, Effect::Set(Wake::Share, WAIT_MS)));
        assert_eq!(alarms.count(), 2, "one for the first of each message");
    }

    #[test]
    fn what_is_long_or_urgent_does_not_wait() {
        let message = |only: &[u8]| [&1u64.to_le_bytes()[..], only].concat();
        let (mut unshared, mut effects) = (Unshared::default(), Vec::new());
        unshared.add(&[1], true, &mut effects);
        assert_eq!(frames(&effects), [message(&[1])]);
        unshared.add(&[2], false, &mut effects);
        unshared.add(&vec![3; BYTES_MAX], false, &mut effects);
        assert_eq!(frames(&effects)[1..], [message(&[2]), message(&vec![3; BYTES_MAX])]);
        unshared.flush(&mut effects);
        assert_eq!(frames(&effects).len(), 3, "nothing is left");
    }
}
