//! What `accepted` promises, shown with real processes that are killed: on the disk of the node that said it, proposed
//! again after a restart, and in the end committed, expired or refused, never unknown.

#![cfg(test)]

use client::{
    ClientError, Wait,
    api::{Fate, Receipt},
};
use std::collections::BTreeMap;
use tests::{
    Network,
    faults::{EVERYONE, eventually},
    licence, say,
};
use tokio::task::JoinSet;
use types::{Height, Transaction, TxId};

const TRANSACTIONS: usize = 200;
/// How many applications submit at once.
const APPLICATIONS: usize = 20;

/// Leaves one validator alone, without a quorum.
fn alone(network: &Network, others: &[&str]) {
    for name in others {
        network.testnet(&["kill", name]);
    }
}

/// What a node says of a transaction that it accepted; it may not answer yet, but it must not have forgotten.
async fn fate(network: &Network, validator: u16, id: &TxId) -> Option<Receipt> {
    let receipt = network.client(validator).transaction(id).await.ok()?;
    Some(receipt.unwrap_or_else(|| panic!("v{validator} accepted {id}, and no longer knows it")))
}

/// Submits transactions, so many at a time, each of which has to be accepted.
async fn accepted(network: &Network, validator: u16, txs: &[Transaction]) -> Vec<Receipt> {
    let mut receipts = Vec::new();
    for some in txs.chunks(APPLICATIONS) {
        let mut answers = JoinSet::new();
        for tx in some {
            let (client, tx) = (network.client(validator), tx.clone());
            answers.spawn(async move { client.submit(&tx, Wait::Accepted).await });
        }
        for answer in answers.join_all().await {
            let receipt = answer.expect("there is room for it");
            assert_eq!(receipt.status, Fate::Accepted, "nobody could commit it");
            receipts.push(receipt);
        }
    }
    receipts.sort_by_key(|receipt| receipt.tx);
    receipts
}

/// Records something, at a node that may be listening for its own key still.
async fn commit(network: &Network, validator: u16, name: &str) {
    let tx = network.sign(&network.signer("issuer"), vec![licence(name)]).await;
    eventually("it is committed", async || {
        let receipt = network.client(validator).submit(&tx, Wait::Committed).await.ok()?;
        (receipt.status == Fate::Committed).then_some(())
    })
    .await;
}

/// How often each transaction is in the chain, up to a height.
async fn in_chain(network: &Network, validator: u16, up_to: Height) -> BTreeMap<TxId, usize> {
    let client = network.client(validator);
    let mut counts = BTreeMap::new();
    for height in 1..=up_to.0 {
        let block = client.block(Height(height)).await.unwrap().expect("it has it");
        for id in block.transactions {
            *counts.entry(id).or_default() += 1;
        }
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_without_a_quorum_is_committed_once_after_every_process_was_killed() {
    let network = Network::up();
    let deadline = network.node_status(4).await.valid_until_max;
    let (signer, chain) = (network.signer("issuer"), network.chain());
    let sign = |n: usize| {
        let operations = vec![licence(&format!("accepted-{n}"))];
        signer.sign(chain, deadline, operations).unwrap()
    };
    let txs: Vec<_> = (0..TRANSACTIONS).map(sign).collect();
    alone(&network, &["v1", "v2", "v3"]);
    accepted(&network, 4, &txs).await;
    let said = network.counted(4, "minlian_transactions_accepted_total").await;
    let syncs = network.counted(4, "minlian_accepted_seconds_count").await;
    say(&format!("{said} accepted from {APPLICATIONS} applications at once with {syncs} syncs"));
    assert_eq!(said, TRANSACTIONS as u64);
    assert!(syncs <= said, "one sync may serve several and never less than one");
    // The same again is the same again, and costs no sync.
    let again = accepted(&network, 4, &txs[..3]).await;
    assert_eq!(again, accepted(&network, 4, &txs[..3]).await);
    assert_eq!(network.counted(4, "minlian_accepted_seconds_count").await, syncs);

    // Twice, so that what was recalled once is remembered still.
    for _ in 0..2 {
        network.testnet(&["kill", "v4"]);
        network.testnet(&["start", "v4"]);
        for tx in [&txs[0], &txs[TRANSACTIONS - 1]] {
            let receipt =
                eventually("v4 answers", async || fate(&network, 4, &tx.id()).await).await;
            assert_eq!(receipt.status, Fate::Accepted, "{receipt:?}");
        }
    }
    network.kill_all();
    network.go_on();

    let mut last = Height::GENESIS;
    for tx in &txs {
        let receipt = eventually("it is committed", async || {
            let receipt = fate(&network, 4, &tx.id()).await?;
            assert_ne!(receipt.status, Fate::Refused, "{receipt:?}");
            (receipt.status == Fate::Committed).then_some(receipt)
        })
        .await;
        last = last.max(receipt.height.unwrap());
        let again = network.client(4).submit(tx, Wait::Accepted).await.unwrap();
        assert_eq!(again, receipt, "the same submission has the same receipt");
    }
    let common = network.agreed(&EVERYONE, last).await.header.height;
    let counts = in_chain(&network, 1, common).await;
    for tx in &txs {
        assert_eq!(counts.get(&tx.id()), Some(&1), "{}", tx.id());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_and_expired_while_its_node_was_dead_is_told_as_expired() {
    let network = Network::up();
    let (signer, chain) = (network.signer("issuer"), network.chain());
    alone(&network, &["v1", "v2", "v3"]);
    // Nothing is decided from here on. A vote that was under way may still decide a block or two later.
    let height = network.node_status(4).await.height;
    let deadline = Height(height.0 + 4);
    let tx = signer.sign(chain, deadline, vec![licence("too late")]).unwrap();
    let id = tx.id();
    accepted(&network, 4, std::slice::from_ref(&tx)).await;
    network.testnet(&["kill", "v4"]);
    for name in ["v1", "v2", "v3"] {
        network.testnet(&["start", name]);
    }
    for n in 0_u64.. {
        commit(&network, 1, &format!("meanwhile-{n}")).await;
        if network.node_status(1).await.height > deadline {
            break;
        }
    }
    assert_eq!(network.client(1).transaction(&id).await.unwrap(), None, "it never left v4");
    // The second time it is remembered as it was told; there is nothing to judge again.
    let mut told = Vec::new();
    for _ in 0..2 {
        network.testnet(&["start", "v4"]);
        let receipt = eventually("it is told as expired", async || {
            let receipt = fate(&network, 4, &id).await?;
            assert_ne!(receipt.status, Fate::Committed, "{receipt:?}");
            (receipt.status == Fate::Refused).then_some(receipt)
        })
        .await;
        assert_eq!(receipt.code.as_deref(), Some("E-TX-EXPIRED"), "{receipt:?}");
        told.push(receipt);
        let again = eventually("v4 takes submissions", async || {
            match network.client(4).submit(&tx, Wait::Accepted).await {
                Err(ClientError::Busy { .. }) => None,
                answer => Some(answer),
            }
        })
        .await;
        let Err(ClientError::Problem(problem)) = &again else { panic!("{again:?}") };
        assert_eq!(problem.code, "E-TX-EXPIRED");
        // What follows its refusal on the disk shows that the refusal is there.
        commit(&network, 4, &format!("after-{}", told.len())).await;
        network.testnet(&["kill", "v4"]);
    }
    assert_eq!(told[0], told[1]);
}
