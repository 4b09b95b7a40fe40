//! Trust roots: whom an inspector believes, and how far they have followed the chain. No network, no clock.

use crate::{
    arguments::{self, TrustAct},
    console::Console,
    exit::{Exit, Stop},
    speech, verify,
};
use client::keystore;
use proof::TrustRoot;
use serde_json::json;
use std::{
    fs::{self, File},
    path::Path,
};

/// Shows, exports or advances a trust root.
///
/// # Errors
/// When a file cannot be read or written, or is no trust root.
pub(crate) fn run(what: &arguments::Trust, console: &Console) -> Result<Exit, Stop> {
    match &what.act {
        TrustAct::Show { root } => show(&open(root)?, what.json, console),
        TrustAct::Export { root, out, genesis } => {
            let root = open(root)?;
            let text = if *genesis { root.genesis().to_toml() } else { root.to_text() };
            keep(out, &text)?;
            show(&open(out)?, what.json, console)
        }
        TrustAct::Advance { root, proof, out } => {
            let root = open(root)?;
            let bytes = verify::read(proof, proof::ARMOR_BYTES_MAX)
                .map_err(|why| Stop::file(proof, why))?;
            let verdict = proof::verify(&bytes, &root);
            let Some(proven) = verdict.proven() else {
                let error = verdict.error();
                let undecided = error.is_some_and(proof::ProofError::is_undecided);
                let exit = if undecided { Exit::Undecided } else { Exit::Negative };
                let code = error.map_or("", proof::ProofError::code);
                let file = proof.display().to_string();
                return Err(Stop::says(exit, speech::not_advanced(console.lang(), &file, code)));
            };
            let advanced =
                root.advance(proven.get()).map_err(|why| Stop::new(Exit::Negative, why))?;
            keep(out, &advanced.to_text())?;
            show(&advanced, what.json, console)
        }
    }
}

fn open(path: &Path) -> Result<TrustRoot, Stop> {
    verify::trust_root(path).map_err(|why| {
        Stop::says(Exit::Undecided, format!("{} is not a trust root: {why}", path.display()))
    })
}

/// Replaces a file as a whole, and returns when it is durable: a trust root that is half written would be none.
fn keep(path: &Path, text: &str) -> Result<(), Stop> {
    // Behind the whole name: beside `root.txt` there may be a `root.new` that is somebody's.
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let write = || {
        fs::write(&beside, text)?;
        File::open(&beside)?.sync_all()?;
        fs::rename(&beside, path)?;
        keystore::sync_directory(path)
    };
    write().map_err(|why| Stop::file(path, why))
}

fn show(root: &TrustRoot, as_json: bool, console: &Console) -> Result<Exit, Stop> {
    let text = if as_json {
        let committees = root.committees().map(|(from, committee)| {
            let seats = committee.seats().map(
                |(_, seat)| json!({ "agency": seat.agency, "name": seat.name, "key": seat.key }),
            );
            json!({
                "from": from,
                "digest": committee.digest(),
                "quorum": committee.quorum(),
                "seats": seats.collect::<Vec<_>>(),
            })
        });
        let saved = root.checkpoint().map(|saved| {
            let header = saved.header();
            json!({ "height": header.height, "time": header.time, "block": header.id() })
        });
        json!({
            "name": root.name(),
            "chain": root.chain(),
            "committees": committees.collect::<Vec<_>>(),
            "saved": saved,
        })
        .to_string()
    } else {
        speech::trust_root(console.lang(), root)
    };
    console.data(&text)?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixture::{Folder, HOME, Ledger, genesis},
        speech::Lang,
    };

    #[test]
    fn a_trust_root_is_advanced_by_what_holds_and_by_nothing_else() {
        let folder = Folder::new("trust");
        let console = Console::open(Some(Lang::En));
        let root = folder.write("root.toml", genesis(HOME).to_toml());
        let record = Ledger::new(&genesis(HOME), HOME, &[0, 1, 3]).record();
        let proof = folder.write("record.proof", proof::encode(&record));
        let foreign = Ledger::new(&genesis(60), 60, &[0, 1, 2, 3]).record();
        let foreign = folder.write("foreign.proof", proof::encode(&foreign));
        let (out, neighbour) =
            (folder.path().join("advanced.txt"), folder.write("advanced.new", ""));
        let advance = |root: &Path, proof: &Path| {
            let act = TrustAct::Advance {
                root: root.to_owned(),
                proof: proof.to_owned(),
                out: out.clone(),
            };
            run(&arguments::Trust { act, json: false }, &console)
        };
        assert_eq!(advance(&root, &foreign).unwrap_err().exit, Exit::Negative);
        assert_eq!(advance(&root, &root).unwrap_err().exit, Exit::Undecided);
        assert!(!out.exists(), "nothing was learned");
        assert_eq!(advance(&root, &proof).unwrap(), Exit::Done);
        assert!(neighbour.exists(), "it is another's file");
        let advanced = verify::trust_root(&out).unwrap();
        assert_eq!(advanced.checkpoint().map(|saved| *saved.header()), Some(record.header));
        // The same block again is told to be the very one; another of its height is a fork, and leaves evidence.
        let mut other = record;
        other.header.log_root.0[0] ^= 1;
        let twin = Ledger::certified(&genesis(HOME), HOME, &[0, 1, 2], other.header);
        let twin = folder.write("twin.proof", proof::encode(&twin));
        let evidence = folder.path().join("evidence.proof");
        let verify = |proof: &Path, root: &Path| arguments::Verify {
            proof: vec![proof.to_owned()],
            trust_root: Some(root.to_owned()),
            document: None,
            at: None,
            report: None,
            explain: false,
            schema: false,
            evidence: Some(evidence.clone()),
            json: false,
            quiet: true,
        };
        assert_eq!(verify::run(&verify(&proof, &out), &console), Exit::Done);
        assert!(!evidence.exists());
        assert_eq!(verify::run(&verify(&twin, &root), &console), Exit::Done, "alone it holds");
        assert_eq!(verify::run(&verify(&twin, &out), &console), Exit::Negative);
        let kept = proof::decode(&fs::read(&evidence).unwrap()).unwrap();
        assert!(matches!(kept.claims[..], [proof::Claim::Fork(_)]));
        let root = verify::trust_root(&root).unwrap();
        assert_eq!(kept.verify(&root).error(), None, "evidence stands without what is saved");
        // And what is exported is the genesis again.
        let genesis_only = folder.path().join("genesis.toml");
        let act = TrustAct::Export { root: out, out: genesis_only.clone(), genesis: true };
        assert_eq!(run(&arguments::Trust { act, json: true }, &console).unwrap(), Exit::Done);
        assert_eq!(verify::trust_root(&genesis_only).unwrap(), root);
        for lang in [Lang::En, Lang::Zh] {
            let said = speech::trust_root(lang, &advanced);
            assert!(said.contains("2,119") && said.contains(&root.chain().to_string()), "{said}");
        }
    }
}
