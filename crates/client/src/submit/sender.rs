//! From prepared records to receipts: signed in batches, admitted in order, followed until they are decided.

use super::{
    books::{Row, Settled, Standing},
    source::{Item, Rejected},
};
use crate::{
    arguments::Wait,
    exit::{Exit, Stop},
};
use client::{
    Client, ClientError, Patience, Pause, Signer,
    api::{Fate, Problem, Receipt, Recorded},
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use types::{ChainId, Height, RecordId, TxId};

/// How often a transaction that was accepted and then dropped is handed in again.
const ATTEMPTS_MAX: usize = 10;

/// How often a transaction whose deadline the node does not like is signed again.
const DEADLINES_MAX: usize = 5;

/// How often one looks for a record that is on its way.
const LOOK: Duration = Duration::from_millis(500);

/// Hears of every pause, and of its end.
pub(super) type Pausing = Box<dyn Fn(Option<&Pause>) + Send + Sync>;

/// Hands in records for one signer, at one node.
pub(super) struct Sender {
    pub(super) client: Client,
    pub(super) signer: Arc<Signer>,
    pub(super) chain: ChainId,
    /// The furthest deadline a transaction may have, when it was last asked for.
    pub(super) horizon: Mutex<Height>,
    pub(super) patience: Patience,
    pub(super) wait: Wait,
    /// The file's name.
    pub(super) file: String,
    pub(super) pausing: Pausing,
}

/// What a node made of some records that stood one after another.
#[derive(Debug)]
pub(super) enum Part {
    /// They are in its pool, as this transaction.
    Accepted(TxId, Vec<Item>),
    /// They are on the ledger.
    Decided(Receipt, Vec<Item>),
    /// This one was refused.
    Refused(Box<Item>, Problem),
}

impl Sender {
    /// Hands in records that stand one after another. A record that is refused is refused alone: those around it go in.
    pub(super) async fn admit(&self, items: Vec<Item>) -> Result<Vec<Part>, Stop> {
        let (mut work, mut parts) = (VecDeque::from([items]), Vec::new());
        while let Some(items) = work.pop_front() {
            match self.offer(&items).await? {
                Ok(receipt) => match receipt.status {
                    Fate::Accepted => parts.push(Part::Accepted(receipt.tx, items)),
                    Fate::Committed | Fate::Recorded => parts.push(Part::Decided(receipt, items)),
                    Fate::Refused => self.divide(items, refusal(receipt), &mut work, &mut parts),
                },
                Err(problem) => self.divide(items, problem, &mut work, &mut parts),
            }
        }
        Ok(parts)
    }

    /// Finds the record that is at fault. Only a refusal of that record alone counts against it.
    fn divide(
        &self,
        mut items: Vec<Item>,
        problem: Problem,
        work: &mut VecDeque<Vec<Item>>,
        parts: &mut Vec<Part>,
    ) {
        if items.len() == 1 {
            parts.extend(items.pop().map(|item| Part::Refused(Box::new(item), problem)));
            return;
        }
        let (from, to) = match named(&problem).filter(|index| *index < items.len()) {
            Some(index) => (index, index + 1),
            None => (items.len() / 2, items.len()),
        };
        let after = items.split_off(to);
        let there = items.split_off(from);
        for piece in [after, there, items] {
            if !piece.is_empty() {
                work.push_front(piece);
            }
        }
    }

    /// Signs records together and hands them in: the receipt, or why the node refuses these very records.
    async fn offer(&self, items: &[Item]) -> Result<Result<Receipt, Problem>, Stop> {
        for _ in 0..DEADLINES_MAX {
            let operations = items.iter().map(|item| item.operation.clone()).collect();
            let valid_until = *self.horizon();
            let tx = self.signer.sign(self.chain, valid_until, operations)?;
            let answer = self
                .patience
                .ask(
                    |pause| (self.pausing)(Some(pause)),
                    || self.client.submit(&tx, client::Wait::Accepted),
                )
                .await;
            (self.pausing)(None);
            let problem = match answer {
                Ok(receipt) if receipt.status == Fate::Refused => refusal(receipt),
                Ok(receipt) => return Ok(Ok(receipt)),
                // What was not done in time was not refused: it may even be on its way.
                Err(why) if why.is_passing() => return Err(why.into()),
                Err(ClientError::Problem(problem)) => problem,
                Err(why) => return Err(why.into()),
            };
            match problem.code.as_str() {
                "E-TX-EXPIRED" | "E-TX-HORIZON" => self.look_ahead().await?,
                // Not about these records: every other one would be refused for the same reason.
                "E-TX-CHAIN" | "E-TX-VERSION" | "E-TX-SIGNATURE" | "E-AUTH-KEY"
                | "E-AUTH-AGENCY" => {
                    return Err(ClientError::Problem(problem).into());
                }
                _ => return Ok(Err(problem)),
            }
        }
        Err(Stop::says(Exit::Network, "the node finds every deadline either past or too far ahead"))
    }

    /// Asks how far ahead a deadline may lie now.
    pub(super) async fn look_ahead(&self) -> Result<(), Stop> {
        let status = self.patience.ask(|_| {}, || self.client.status()).await?;
        if status.chain != self.chain {
            let why = format!("the node is now on another chain, {}", status.chain.0.short());
            return Err(Stop::says(Exit::Undecided, why));
        }
        *self.horizon() = status.valid_until_max;
        Ok(())
    }

    fn horizon(&self) -> MutexGuard<'_, Height> {
        // A number is whole whoever panicked while holding it.
        self.horizon.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What becomes of the parts, in their order, however long it takes.
    pub(super) async fn follow(&self, parts: Vec<Part>) -> Result<Vec<Settled>, Stop> {
        let (mut work, mut settled) = (VecDeque::from(parts), Vec::new());
        let mut attempts = 0;
        while let Some(part) = work.pop_front() {
            let (tx, items) = match part {
                Part::Accepted(tx, items) => (tx, items),
                Part::Decided(receipt, items) => {
                    settled.extend(self.decided(&receipt, &items).await?);
                    continue;
                }
                Part::Refused(item, problem) => {
                    settled.push(Settled::Rejected(self.rejected(&item, &problem)));
                    continue;
                }
            };
            if self.wait == Wait::Accepted {
                settled.extend(items.iter().map(|item| self.accepted(item, tx)));
                continue;
            }
            match self.client.settled(&tx, &self.patience).await? {
                Some(receipt) if receipt.status != Fate::Refused => {
                    settled.extend(self.decided(&receipt, &items).await?);
                }
                // Dropped: its deadline passed, the node lost it, or another record came first. It is judged anew.
                Some(_) | None => {
                    attempts += 1;
                    if attempts > ATTEMPTS_MAX {
                        let why = format!(
                            "transaction {} is accepted and dropped, over and over",
                            tx.0.short()
                        );
                        return Err(Stop::says(Exit::Network, why));
                    }
                    self.look_ahead().await?;
                    for part in self.admit(items).await?.into_iter().rev() {
                        work.push_front(part);
                    }
                }
            }
        }
        Ok(settled)
    }

    /// The receipts of records that are on the ledger.
    async fn decided(&self, receipt: &Receipt, items: &[Item]) -> Result<Vec<Settled>, Stop> {
        let fits = receipt.records.len() == items.len()
            && receipt
                .records
                .iter()
                .zip(items)
                .all(|(there, item)| there.record == self.record(item));
        if !fits {
            let url = self.client.url().to_owned();
            let why = "its receipt is of other records than were handed in".into();
            return Err(ClientError::Strange { url, why }.into());
        }
        let mut known = BTreeMap::new();
        let mut settled = Vec::with_capacity(items.len());
        for (there, item) in receipt.records.iter().zip(items) {
            let new = receipt.status == Fate::Committed
                && receipt.height.is_some()
                && there.height == receipt.height;
            settled.push(Settled::Receipt(if new {
                self.row(item, receipt.tx, there.height, there.position, Standing::Committed)
            } else {
                let (tx, there) = self.locate(there.record, &mut known).await?;
                self.row(item, tx, there.height, there.position, Standing::Recorded)
            }));
        }
        Ok(settled)
    }

    /// Where a record is that was handed in before. One look finds all that came with it.
    async fn locate(
        &self,
        record: RecordId,
        known: &mut BTreeMap<RecordId, (TxId, Recorded)>,
    ) -> Result<(TxId, Recorded), Stop> {
        if let Some(found) = known.get(&record) {
            return Ok(*found);
        }
        let mut waited = Duration::ZERO;
        let view = loop {
            let found = self.patience.ask(|_| {}, || self.client.record(&record)).await?;
            if let Some(view) = found {
                break view;
            }
            // An earlier run has handed it in, and it waits for its block.
            if waited > self.patience.total {
                let why = format!(
                    "record {} was handed in before, and is not committed yet",
                    record.0.short()
                );
                return Err(Stop::says(Exit::Network, why));
            }
            tokio::time::sleep(LOOK).await;
            waited += LOOK;
        };
        let there = Recorded { record, position: Some(view.position), height: Some(view.height) };
        known.insert(record, (view.tx, there));
        let all = self.patience.ask(|_| {}, || self.client.transaction(&view.tx)).await?;
        for other in all.into_iter().flat_map(|receipt| receipt.records) {
            if other.height == Some(view.height) && other.position.is_some() {
                known.entry(other.record).or_insert((view.tx, other));
            }
        }
        Ok((view.tx, there))
    }

    fn record(&self, item: &Item) -> RecordId {
        item.operation.record(self.signer.agency())
    }

    fn row(
        &self,
        item: &Item,
        tx: TxId,
        height: Option<Height>,
        position: Option<u64>,
        status: Standing,
    ) -> Row {
        let (file, record) = (self.file.clone(), self.record(item));
        let (line, at, label) = (item.line, item.at.clone(), item.label.clone());
        Row { file, line, at, record, tx, height, position, status, label }
    }

    fn accepted(&self, item: &Item, tx: TxId) -> Settled {
        Settled::Receipt(self.row(item, tx, None, None, Standing::Accepted))
    }

    fn rejected(&self, item: &Item, problem: &Problem) -> Rejected {
        let Problem { code, detail, .. } = problem;
        // It was judged alone, so which of the transaction's operations it was says nothing.
        let message = detail.strip_prefix("operation 0: ").unwrap_or(detail).to_owned();
        let (file, code) = (self.file.clone(), code.clone());
        Rejected { file, line: item.line, at: item.at.clone(), code, message, zh: None }
    }
}

/// A refusal that came as a receipt, as a problem.
fn refusal(receipt: Receipt) -> Problem {
    Problem {
        kind: "about:blank".into(),
        title: "Refused".into(),
        status: 422,
        code: receipt.code.unwrap_or_else(|| "E-REFUSED".into()),
        detail: receipt.detail.unwrap_or_else(|| "the node refuses it and does not say why".into()),
    }
}

/// Which operation a refusal names. A hint where to look first, and nothing more.
fn named(problem: &Problem) -> Option<usize> {
    problem.detail.strip_prefix("operation ")?.split_once(':')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_may_name_the_operation() {
        let named = |detail: &str| {
            named(&Problem {
                kind: String::new(),
                title: String::new(),
                status: 422,
                code: String::new(),
                detail: detail.into(),
            })
        };
        assert_eq!(named("operation 3: licence:1 already exists"), Some(3));
        assert_eq!(named("the key is not enrolled"), None);
        assert_eq!(named("operation x: y"), None);
    }
}
