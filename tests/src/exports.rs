//! What `minlian export` writes, read by software that is not ours: `signed_note`, `tlog_tiles` and `coset`.
//!
//! Of ours there are here the first lines of a tlog-proof, which none of them reads, and the message that a witness signs;
//! both from the texts of C2SP.

use coset::{
    CborSerializable as _, CoseSign1, Label, TaggedCborSerializable as _,
    cbor::value::{Integer, Value},
    iana,
};
use ed25519_dalek::{Signature, VerifyingKey};
use signed_note::{Note, StandardVerifier, Verifier, VerifierList, key_id};
use std::collections::BTreeSet;
use tlog_tiles::{Checkpoint, Hash, check_record, record_hash};
use types::{checkpoint::base64, codec};

/// What somebody else's software found in an export.
#[derive(Debug)]
pub struct Seen {
    /// The log's name.
    pub origin: String,
    /// The record's place in it, and how many there are.
    pub place: (u64, u64),
    /// How many of the keys signed as the log.
    pub logs: usize,
    /// How many of the keys signed as witnesses, or a receipt.
    pub witnesses: usize,
}

/// The transport keys of a genesis file's validators, by which exports are signed.
#[must_use]
pub fn transport_keys(genesis: &str) -> Vec<[u8; 32]> {
    let table: toml::Table = genesis.parse().expect("the genesis is TOML");
    let seats = table["validators"].as_array().expect("there are validators");
    seats.iter().map(|seat| key(seat["transport_key"].as_str().expect("it has one"))).collect()
}

/// A key as files spell it, in bytes.
#[must_use]
pub fn key(text: &str) -> [u8; 32] {
    let digits = text.strip_prefix("ed25519:").expect("its algorithm is Ed25519");
    codec::unhex(digits).and_then(|bytes| bytes.try_into().ok()).expect("it has 32 bytes")
}

/// A witness's key, as `signed_note` takes any: C2SP tlog-cosignature on Ed25519.
struct Witness {
    name: String,
    key: VerifyingKey,
}

impl Verifier for Witness {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        key_id(&self.name, &[&[4], self.key.as_bytes().as_slice()].concat())
    }

    fn verify(&self, note: &[u8], signature: &[u8]) -> bool {
        let Some((time, signature)) = signature.split_first_chunk::<8>() else { return false };
        let line = format!("cosignature/v1\ntime {}\n", u64::from_be_bytes(*time));
        strictly(&self.key, &[line.as_bytes(), note].concat(), signature)
    }
}

fn strictly(key: &VerifyingKey, message: &[u8], signature: &[u8]) -> bool {
    Signature::from_slice(signature).is_ok_and(|found| key.verify_strict(message, &found).is_ok())
}

fn text(why: impl std::fmt::Display) -> String {
    why.to_string()
}

/// What others say of an export in a format, named as in `minlian export --to`, of an entry in a log whose validators have these
/// transport keys.
///
/// # Errors
/// What is wrong with it, in their words where they said it.
pub fn read(format: &str, file: &[u8], entry: &[u8], keys: &[[u8; 32]]) -> Result<Seen, String> {
    match format {
        "tlog-proof" => tlog_proof(file, entry, keys),
        "cose" => receipts(file, entry, keys),
        other => Err(format!("nobody here reads {other}")),
    }
}

/// Requires that an export holds for so many signers, that it does for no other entry, and that it has no byte that may change.
pub fn check(format: &str, file: &[u8], entry: &[u8], keys: &[[u8; 32]], signers: usize) -> Seen {
    let seen = read(format, file, entry, keys).expect("others find it sound");
    let logs = if format == "cose" { 0 } else { signers };
    assert_eq!((seen.logs, seen.witnesses), (logs, signers), "{seen:?}");
    let other = [entry, &[0]].concat();
    assert!(read(format, file, &other, keys).is_err(), "another record is not in the log there");
    assert!(read(format, file, entry, &keys[..1]).is_err(), "strangers signed");
    // What stands beside the checkpoint in a tlog-proof is under no signature, and says nothing that is believed.
    let free = file.windows(7).position(|line| line == b"\nindex ").unwrap_or(0);
    for place in free + 1..file.len() {
        let mut changed = file.to_vec();
        // The bit beside would make CBOR's null undefined, which is nothing as well.
        changed[place] ^= 2;
        let found = read(format, &changed, entry, keys);
        assert!(found.is_err(), "{format}, byte {place} of {}: {found:?}", file.len());
    }
    seen
}

/// A C2SP tlog-proof, as `signed_note` and `tlog_tiles` read it.
fn tlog_proof(file: &[u8], entry: &[u8], keys: &[[u8; 32]]) -> Result<Seen, String> {
    let file = std::str::from_utf8(file).map_err(text)?;
    let (head, note) = file.split_once("\n\n").ok_or("there is no checkpoint")?;
    let mut lines = head.lines();
    if lines.next() != Some("c2sp.org/tlog-proof@v1") {
        return Err("it is no tlog-proof".into());
    }
    let mut line = lines.next().unwrap_or_default();
    if line.starts_with("extra ") {
        line = lines.next().unwrap_or_default();
    }
    let index = line.strip_prefix("index ").ok_or("there is no index")?;
    let place: u64 = index.parse().map_err(text)?;
    let path = lines.map(Hash::parse_hash).collect::<Result<Vec<_>, _>>().map_err(text)?;

    let note = Note::from_bytes(note.as_bytes()).map_err(text)?;
    let checkpoint = Checkpoint::from_bytes(note.text()).map_err(text)?;
    let origin = checkpoint.origin();
    let mut known: Vec<Box<dyn Verifier>> = Vec::new();
    for bytes in keys {
        let key = VerifyingKey::from_bytes(bytes).map_err(text)?;
        let typed = [&[1], &bytes[..]].concat();
        let id = key_id(origin, &typed);
        let named = format!("{origin}+{id:08x}+{}", base64(&typed));
        known.push(Box::new(StandardVerifier::new(&named).map_err(text)?));
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        known.push(Box::new(Witness { name: format!("{origin}/{hex}"), key }));
    }
    let (held, unknown) = note.verify(&VerifierList::new(known)).map_err(text)?;
    if !unknown.is_empty() {
        return Err(format!("{} lines are signed by strangers", unknown.len()));
    }
    check_record(&path, checkpoint.size(), *checkpoint.hash(), place, record_hash(entry))
        .map_err(text)?;
    let logs = held.iter().filter(|line| line.name() == origin).count();
    let witnesses = held.len() - logs;
    Ok(Seen { origin: origin.into(), place: (place, checkpoint.size()), logs, witnesses })
}

/// COSE receipts, as `coset` and `tlog_tiles` read them.
fn receipts(file: &[u8], entry: &[u8], keys: &[[u8; 32]]) -> Result<Seen, String> {
    let all =
        Value::from_slice(file).map_err(text)?.into_array().map_err(|_other| "it is no array")?;
    let (mut signers, mut places) = (BTreeSet::new(), BTreeSet::new());
    for receipt in all {
        let receipt = receipt.into_bytes().map_err(|_other| "a receipt is no byte string")?;
        let receipt = CoseSign1::from_tagged_slice(&receipt).map_err(text)?;
        let header = &receipt.protected.header;
        if header.alg != Some(coset::Algorithm::Assigned(iana::Algorithm::EdDSA)) {
            return Err("the algorithm is not EdDSA".into());
        }
        let of = |label: i64| {
            let found = header.rest.iter().find(|(name, _)| *name == Label::Int(label));
            found.map(|(_, value)| value)
        };
        // The verifiable data structure (395) RFC9162_SHA256 (1), and in the claims (15) the issuer (1).
        if of(395) != Some(&Value::from(1)) {
            return Err("the log is of another structure".into());
        }
        let issuer = of(15).and_then(Value::as_map).and_then(|claims| {
            claims.iter().find(|(name, _)| *name == Value::from(1))?.1.as_text()
        });
        let issuer = issuer.ok_or("there is no issuer")?;
        let [size, index, path] = inclusion(&receipt)?;
        let number = |value: Value| -> Option<u64> {
            value.into_integer().ok().and_then(|number: Integer| u64::try_from(number).ok())
        };
        let (size, index) =
            number(size).zip(number(index)).ok_or("the size or the index is no number")?;
        let path: Option<Vec<Hash>> = path.into_array().ok().and_then(|path| {
            path.into_iter()
                .map(|one| Some(Hash(one.into_bytes().ok()?.try_into().ok()?)))
                .collect()
        });
        let root = climbed(&path.ok_or("there is no path")?, size, index, record_hash(entry))?;
        let key = keys.iter().find(|key| key[..] == header.key_id).ok_or("a stranger signed")?;
        let key = VerifyingKey::from_bytes(key).map_err(text)?;
        if receipt.payload.is_some() {
            return Err("the payload is not left out".into());
        }
        receipt.verify_detached_signature(&root.0, b"", |signature, message| {
            let held = strictly(&key, message, signature);
            held.then_some(()).ok_or("a signature does not verify")
        })?;
        signers.insert(header.key_id.clone());
        places.insert((index, size, issuer.to_owned()));
    }
    let mut places = places.into_iter();
    let (Some((index, size, origin)), None) = (places.next(), places.next()) else {
        return Err("the receipts are of several logs, or there are none".into());
    };
    Ok(Seen { origin, place: (index, size), logs: 0, witnesses: signers.len() })
}

/// The one inclusion proof (-1) among the proofs (396) in the unprotected header.
fn inclusion(receipt: &CoseSign1) -> Result<[Value; 3], &'static str> {
    let proofs = receipt.unprotected.rest.iter().find(|(label, _)| *label == Label::Int(396));
    let proofs = proofs.and_then(|(_, proofs)| proofs.as_map()).ok_or("there are no proofs")?;
    let found = proofs.iter().find(|(kind, _)| *kind == Value::from(-1));
    let found = found.and_then(|(_, all)| all.as_array()).ok_or("there is no inclusion proof")?;
    let [Value::Bytes(one)] = &found[..] else { return Err("there is not one inclusion proof") };
    let parts = Value::from_slice(one).map_err(|_other| "the inclusion proof is no CBOR")?;
    let parts = parts.into_array().map_err(|_other| "the inclusion proof is no array")?;
    parts.try_into().map_err(|_other| "the inclusion proof has not three parts")
}

/// The root that a path leads to. `tlog_tiles` only says whether it leads to one that is named, as a receipt does not; so
/// the root is made here from its hashes, and then it is asked.
fn climbed(path: &[Hash], size: u64, index: u64, leaf: Hash) -> Result<Hash, String> {
    if index >= size {
        return Err("the index is beyond the log".into());
    }
    // RFC 9162 section 2.1.3.2.
    let (mut place, mut last, mut root) = (index, size - 1, leaf);
    for hash in path {
        if place & 1 == 1 || place == last {
            root = tlog_tiles::node_hash(*hash, root);
            while place & 1 == 0 && place != 0 {
                (place, last) = (place >> 1, last >> 1);
            }
        } else {
            root = tlog_tiles::node_hash(root, *hash);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    check_record(&path.to_vec(), size, root, index, leaf).map_err(text)?;
    Ok(root)
}
