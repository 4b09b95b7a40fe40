//! One operation at a time, submitted by the command as an agency's clerk would.

use crate::{Network, program};
use serde_json::Value;
use std::{cell::Cell, fs, path::Path};

/// Where documents are handed in: each is a file of its own, and waits until it is committed.
#[derive(Debug)]
pub struct Desk<'a> {
    net: &'a Network,
    number: Cell<u32>,
}

impl<'a> Desk<'a> {
    /// A desk with nothing on it.
    #[must_use]
    pub const fn new(net: &'a Network) -> Self {
        Self { net, number: Cell::new(0) }
    }

    /// The network it hands things in to, by its second validator.
    #[must_use]
    pub const fn network(&self) -> &'a Network {
        self.net
    }

    /// Submits an operation with one of the network's keys: the exit code, and the receipt or the refusal.
    pub fn say(&self, key: &str, operation: &Value) -> (i32, Value) {
        self.number.set(self.number.get() + 1);
        let at = |kind: &str| self.net.scratch().join(format!("act-{}.{kind}", self.number.get()));
        let [file, receipts, rejected] = ["ndjson", "receipts", "rejected"].map(at);
        fs::write(&file, format!("{operation}\n")).expect("there is room for a line");
        let text =
            |path: &Path| path.to_str().expect("temporary files have plain names").to_owned();
        let ran = program::minlian(&[
            "submit",
            &text(&file),
            "--wait",
            "committed",
            "--node",
            &self.net.url(2),
            "--key",
            &text(&self.net.key(key)),
            "--receipts",
            &text(&receipts),
            "--rejected",
            &text(&rejected),
        ]);
        let read = |file: &Path| -> Option<Value> {
            let text = fs::read_to_string(file).unwrap_or_default();
            text.lines().next().and_then(|line| serde_json::from_str(line).ok())
        };
        let row = read(&receipts).or_else(|| read(&rejected));
        assert!(row.is_some(), "{}{}", ran.stdout, ran.stderr);
        (ran.code, row.expect("it was just looked at"))
    }

    /// The same, which must be committed; the receipt.
    pub fn done(&self, key: &str, operation: &Value) -> Value {
        let (code, row) = self.say(key, operation);
        assert_eq!(code, 0, "{operation}: {row}");
        row
    }

    /// The same, which must be refused for this reason.
    pub fn refused(&self, key: &str, operation: &Value, want: &str) {
        let (code, row) = self.say(key, operation);
        assert_eq!((code, row["code"].as_str()), (1, Some(want)), "{operation}: {row}");
    }
}
