//! A record's proof for other people's verifiers: a C2SP tlog-proof, or COSE receipts, signed by a quorum of the validators.

use crate::{
    arguments,
    console::Console,
    exit::{Exit, Stop},
    speech, verify,
};
use client::{
    Client,
    api::{Ask, CheckpointView, Named, ProofRequest},
};
use proof::{Claim, Proof, RecordClaim, TrustRoot};
use std::{collections::BTreeMap, fs};
use types::{
    Committee, Height, PublicKey, Subject,
    checkpoint::{Checkpoint, Form, base64, cbor},
    codec,
    subject::Facts,
};

/// Checks a proof, has its block's log signed by the validators, and writes it in another format.
///
/// # Errors
/// When the proof does not hold, too few validators sign, or the file cannot be written.
pub(crate) async fn run(what: &arguments::Export, console: &Console) -> Result<Exit, Stop> {
    let lang = console.lang();
    let usage = |why: String| Stop::says(Exit::Usage, why);
    let root = verify::trust_root(&what.trust_root).map_err(|why| {
        usage(format!("{} is not a trust root: {why}", what.trust_root.display()))
    })?;
    let limit = proof::ARMOR_BYTES_MAX.max(proof::PROOF_BYTES_MAX);
    let bytes = verify::read(&what.proof, limit).map_err(|why| Stop::file(&what.proof, why))?;
    let file = what.proof.display().to_string();
    let proven = match proof::verify(&bytes, &root).result {
        Ok(proven) => proven.into_inner(),
        Err(refusal) => {
            console.talk(&speech::not_exported(lang, &file, refusal.error.code()));
            return Ok(if refusal.error.is_undecided() { Exit::Undecided } else { Exit::Negative });
        }
    };
    let record = proven.claims.iter().find_map(|claim| {
        let Claim::Record(claim) = claim else { return None };
        Some(&**claim)
    });
    let Some(record) = record else {
        return Err(usage(format!(
            "{file} is not the proof of a single record: only such are exported"
        )));
    };
    let height = proven.header.height;
    let committee = root.committee_of(&proven).ok_or_else(|| {
        usage(format!("the committee of block {height} does not follow from the trust root"))
    })?;
    let keys = transport_keys(console, &root, &proven, &committee, &what.node).await?;
    let checkpoint = Checkpoint::of(&proven.header);
    let mut signed: BTreeMap<PublicKey, CheckpointView> = BTreeMap::new();
    let mut silent = Vec::new();
    for url in &what.node {
        let client = console.client(url)?;
        match client.checkpoint(height).await {
            Ok(Some(view)) if holds(&checkpoint, &view, &keys) => {
                signed.insert(view.key, view);
            }
            Ok(Some(_)) => {
                silent.push(format!("{url}: not a signature of a validator of block {height}"));
            }
            Ok(None) => silent.push(format!("{url}: has no block {height}")),
            Err(why) => silent.push(format!("{url}: {why}")),
        }
    }
    let (found, wanted) = (signed.len(), committee.quorum());
    if found < wanted {
        console.talk(&speech::too_few_sign(lang, found, wanted, &silent));
        return Ok(Exit::Network);
    }
    let written = match what.to {
        arguments::Format::TlogProof => tlog_proof(&checkpoint, record, &signed).into_bytes(),
        arguments::Format::Cose => receipts(&checkpoint, record, &signed),
    };
    fs::write(&what.out, &written).map_err(|why| Stop::file(&what.out, why))?;
    let out = what.out.display().to_string();
    if what.json {
        let keys: Vec<&PublicKey> = signed.keys().collect();
        let row = serde_json::json!({
            "file": out,
            "bytes": written.len(),
            "origin": checkpoint.origin(),
            "leaf": codec::hex(&codec::encode(&record.entry)),
            "height": height,
            "keys": keys,
        });
        console.data(&row.to_string())?;
    } else {
        console.talk(&speech::exported(lang, &out, written.len(), found, committee.size()));
    }
    Ok(Exit::Done)
}

/// The transport keys of those who sit in the committee of the proof's block: from genesis, or from the network's own state,
/// which the proof shows or one of the nodes proves.
async fn transport_keys(
    console: &Console,
    root: &TrustRoot,
    proof: &Proof,
    committee: &Committee,
    nodes: &[String],
) -> Result<Vec<PublicKey>, Stop> {
    let seats =
        root.genesis().validators.iter().map(|seat| (seat.consensus_key, seat.transport_key));
    let mut known: BTreeMap<PublicKey, PublicKey> = seats.chain(shown(proof)).collect();
    for url in nodes {
        if committee.seats().all(|(_, seat)| known.contains_key(&seat.key)) {
            break;
        }
        known.extend(asked(root, &console.client(url)?).await);
    }
    Ok(committee.seats().filter_map(|(_, seat)| known.get(&seat.key).copied()).collect())
}

/// The consensus and transport keys of all members that a proof shows of the network's state.
fn shown(proof: &Proof) -> impl Iterator<Item = (PublicKey, PublicKey)> {
    let facts = proof.claims.iter().filter_map(|claim| {
        let Facts::Network(facts) = &claim.status()?.state.as_ref()?.facts else { return None };
        Some(facts)
    });
    // Those who decide now, and those who will: whoever is found in the committee in question is meant.
    let members = facts.flat_map(|facts| facts.members_from(Height::GENESIS));
    members.map(|member| (member.validator.key, member.transport_key))
}

/// The same from a node, if what it says holds. One that says nothing, or what does not hold, is passed over: another may.
async fn asked(root: &TrustRoot, client: &Client) -> Vec<(PublicKey, PublicKey)> {
    let since = root.checkpoint().map_or(Height::GENESIS, |saved| saved.header().height);
    let ask = vec![Ask::Subject(Named(Subject::network()))];
    let request = ProofRequest { since, at: None, ask };
    let Ok(Some(bytes)) = client.prove(&request).await else { return Vec::new() };
    let Ok(proven) = proof::verify(&bytes, root).result else { return Vec::new() };
    shown(&proven.into_inner()).collect()
}

/// Whether a node signed this very checkpoint, in every form, with a key of a validator.
fn holds(checkpoint: &Checkpoint, view: &CheckpointView, keys: &[PublicKey]) -> bool {
    let signed = [
        (Form::Note, &view.note),
        (Form::Cosignature, &view.cosignature),
        (Form::Receipt, &view.receipt),
    ];
    keys.contains(&view.key)
        && signed.iter().all(|(form, found)| checkpoint.check(*form, &view.key, found).is_ok())
}

/// The text of C2SP tlog-proof: the entry as extra data, its path, the checkpoint with the log's signature and those of its
/// witnesses. Every validator signs as both: whoever checks it chooses whom to believe.
fn tlog_proof(
    checkpoint: &Checkpoint,
    record: &RecordClaim,
    signed: &BTreeMap<PublicKey, CheckpointView>,
) -> String {
    let mut text = format!(
        "c2sp.org/tlog-proof@v1\nextra {}\nindex {}\n",
        base64(&codec::encode(&record.entry)),
        record.entry.position
    );
    for hash in &record.log_path {
        text.push_str(&base64(hash.as_bytes()));
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&checkpoint.note());
    text.push('\n');
    for (key, view) in signed {
        text.push_str(&checkpoint.line(Form::Note, key, &view.note));
    }
    for (key, view) in signed {
        text.push_str(&checkpoint.line(Form::Cosignature, key, &view.cosignature));
    }
    text
}

/// An array of receipts (RFC 9942), one by each validator: what the COSE header parameter 394 holds. The statement is the
/// encoded entry, the payload, left out, the root.
fn receipts(
    checkpoint: &Checkpoint,
    record: &RecordClaim,
    signed: &BTreeMap<PublicKey, CheckpointView>,
) -> Vec<u8> {
    let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
    let string = |bytes: &mut Vec<u8>, string: &[u8]| {
        cbor(bytes, 2, count(string.len()));
        bytes.extend_from_slice(string);
    };
    let mut inclusion = Vec::new();
    cbor(&mut inclusion, 4, 3);
    cbor(&mut inclusion, 0, checkpoint.size);
    cbor(&mut inclusion, 0, record.entry.position);
    cbor(&mut inclusion, 4, count(record.log_path.len()));
    for hash in &record.log_path {
        string(&mut inclusion, hash.as_bytes());
    }
    let mut all = Vec::new();
    cbor(&mut all, 4, count(signed.len()));
    for (key, view) in signed {
        // Tag 18, COSE_Sign1: protected, unprotected { 396: { -1: [ proof ] } }, no payload, signature.
        let mut receipt = vec![0xd2, 0x84];
        string(&mut receipt, &checkpoint.protected(key));
        receipt.push(0xa1);
        cbor(&mut receipt, 0, 396);
        receipt.extend_from_slice(&[0xa1, 0x20, 0x81]);
        string(&mut receipt, &inclusion);
        receipt.push(0xf6);
        string(&mut receipt, view.receipt.as_bytes());
        string(&mut all, &receipt);
    }
    all
}
