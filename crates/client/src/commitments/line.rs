//! One line of a batch: proven from the file that was kept, and checked without any network.

use super::{
    Book, Recorded,
    tree::{self, LINE_BYTES},
};
use crate::{
    arguments,
    console::Console,
    exit::{Exit, Stop},
    speech::{self, say},
    verify as verifier,
};
use client::ClientError;
use proof::{CHUNK, Claim, LINE_MAGIC, LineProof, path_in_chunks};
use serde_json::json;
use std::{
    fs::{self, File},
    io::{Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};
use types::{
    Hash,
    merkle::{self, Rfc6962},
};
use verdict::{Answer, Line};

/// Proves one line of a batch that was submitted from here.
///
/// # Errors
/// When there is no such line, the file was changed, or the batch's own proof cannot be had.
pub(crate) async fn prove(what: &arguments::ProveLine, console: &Console) -> Result<Exit, Stop> {
    let lang = console.lang();
    let usage = |why: String| Stop::says(Exit::Usage, why);
    let Some(book) = Book::open(&what.file)? else {
        let (file, book) = (what.file.display(), Book::path(&what.file));
        return Err(usage(format!(
            "{file} was not submitted from here: there is no {}",
            book.display()
        )));
    };
    let Some(recorded) = &book.recorded else {
        let file = what.file.display();
        return Err(usage(format!(
            "{file} is not recorded yet; run `minlian submit --commitments {file}` to its end"
        )));
    };
    if what.number == 0 || what.number > book.lines {
        let (number, lines) = (what.number, book.lines);
        return Err(usage(format!("line {number} of a batch of {lines}; lines count from 1")));
    }
    let index = what.number - 1;
    let (line, path) = way(&what.file, &book, index)?;
    let proof = batch_proof(what, recorded, console).await?;
    let bytes = proof::encode_line(&LineProof { line, index, path, proof });
    fs::write(&what.out, &bytes).map_err(|why| Stop::file(&what.out, why))?;
    let (file, size) = (what.out.display().to_string(), bytes.len());
    if what.json {
        let row = json!({
            "file": file, "bytes": size, "line": what.number, "digest": line,
            "record": recorded.record, "chain": recorded.chain,
        });
        console.data(&row.to_string())?;
    } else {
        let number = what.number;
        console.talk(&say!(
            lang,
            "line {number} ({line}) is proven by {file}, {size} bytes; check it with `minlian verify`",
            "第 {number} 行（{line}）的证明已写入 {file}，{size} 字节；可用 `minlian verify` 核验"
        ));
    }
    Ok(Exit::Done)
}

/// A line and its way to the root, from the piece of the file it stands in.
fn way(file: &Path, book: &Book, index: u64) -> Result<(Hash, Vec<Hash>), Stop> {
    let fault = |why| Stop::file(file, why);
    let changed = || {
        let file = file.display();
        Stop::says(Exit::Undecided, format!("{file} is not the file that was submitted"))
    };
    let place = |number: u64| usize::try_from(number).map_err(|_large| changed());
    let size = u64::try_from(CHUNK).unwrap_or(u64::MAX);
    let (at, within) = (place(index / size)?, place(index % size)?);
    let length = place(size.min(book.lines - index / size * size))?;
    let width = u64::try_from(LINE_BYTES).unwrap_or(u64::MAX);
    let mut source = File::open(file).map_err(fault)?;
    source.seek(SeekFrom::Start(index / size * size * width)).map_err(fault)?;
    let mut piece = Vec::new();
    let most = u64::try_from(length * LINE_BYTES).unwrap_or(u64::MAX);
    source.take(most).read_to_end(&mut piece).map_err(fault)?;
    if piece.len() % LINE_BYTES == LINE_BYTES - 1 {
        piece.push(b'\n');
    }
    let lines = tree::lines(&piece).map_err(|_line| changed())?;
    let leaves: Vec<Hash> = lines.iter().map(proof::line_leaf).collect();
    if lines.len() != length || Some(&merkle::root::<Rfc6962>(&leaves)) != book.chunks.get(at) {
        return Err(changed());
    }
    let line = *lines.get(within).ok_or_else(changed)?;
    Ok((line, path_in_chunks(&lines, within, &book.chunks, at)))
}

/// The proof of the batch itself: kept beside the file once it was had, so that further lines need no node.
async fn batch_proof(
    what: &arguments::ProveLine,
    recorded: &Recorded,
    console: &Console,
) -> Result<Vec<u8>, Stop> {
    let kept = kept(&what.file);
    if let Ok(bytes) = fs::read(&kept)
        && shows(&bytes, recorded)
    {
        return Ok(bytes);
    }
    let Some(node) = &what.node else {
        let kept = kept.display();
        return Err(Stop::says(
            Exit::Usage,
            format!("--node is needed once: the batch's own proof is not in {kept} yet"),
        ));
    };
    let client = console.client(node)?;
    let Some(bytes) = client.record_proof(&recorded.record).await? else {
        let (url, record) = (client.url(), recorded.record);
        return Err(Stop::says(Exit::Negative, format!("{url} has no record {record}")));
    };
    if !shows(&bytes, recorded) {
        let url = client.url().to_owned();
        return Err(
            ClientError::Strange { url, why: "the proof is of something else".into() }.into()
        );
    }
    fs::write(&kept, &bytes).map_err(|why| Stop::file(&kept, why))?;
    Ok(bytes)
}

/// Whether a proof is that of a batch, on the chain on which it was recorded: its record has one name on all of them.
fn shows(bytes: &[u8], recorded: &Recorded) -> bool {
    let Ok(proof) = proof::decode(bytes) else { return false };
    let [Claim::Record(claim)] = proof.claims.as_slice() else { return false };
    (proof.chain, claim.entry.record) == (recorded.chain, recorded.record)
}

fn kept(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".batch.proof");
    file.with_file_name(name)
}

/// Whether a file is the proof of a line.
pub(crate) fn is_line(path: &Path) -> bool {
    let mut first = [0; LINE_MAGIC.len()];
    File::open(path).and_then(|mut file| file.read_exact(&mut first)).is_ok()
        && first == *LINE_MAGIC
}

/// Checks the proof of a line and says what was found. No network, no clock.
pub(crate) fn verify(what: &arguments::Verify, console: &Console) -> Exit {
    let lang = console.lang();
    let cannot = |code: &str, why: &str| {
        let text = if what.json {
            json!({"result": "cannot-check", "code": code, "detail": why}).to_string()
        } else {
            format!("{}  {code}\n  {why}", speech::answer(lang, Answer::CannotCheck).0)
        };
        if !what.quiet && console.data(&text).is_err() { Exit::Disk } else { Exit::Undecided }
    };
    if what.at.is_some() || what.report.is_some() || what.evidence.is_some() || what.explain {
        console.talk(&say!(
            lang,
            "--at, --report, --evidence and --explain are not for the proof of a line",
            "单行证明不支持 --at、--report、--evidence 与 --explain"
        ));
        return Exit::Usage;
    }
    let Some(root) = &what.trust_root else {
        return cannot("V-NO-TRUST-ROOT", "name your trust root with --trust-root");
    };
    let root = match verifier::trust_root(root) {
        Ok(root) => root,
        Err(why) => return cannot("V-BAD-TRUST-ROOT", &why),
    };
    let bytes = match verifier::proof_of(&what.proof) {
        Ok(bytes) => bytes,
        Err(why) => return cannot("V-UNREADABLE", &why.to_string()),
    };
    let document = match what
        .document
        .as_ref()
        .map(|path| verifier::read(path, records::DOCUMENT_BYTES_MAX))
    {
        None => None,
        Some(Ok(bytes)) => Some(bytes),
        Some(Err(why)) => return cannot("V-DOC-UNREADABLE", &why.to_string()),
    };
    let found = Line::examine(&bytes, &root, document.as_deref());
    if !what.quiet {
        let text = if what.json { found.json().to_string() } else { found.words(lang) };
        // An answer that did not arrive must not look like one that did.
        if console.data(&text).is_err() {
            return Exit::Disk;
        }
    }
    verifier::exit_of(found.decide().0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixture::{HOME, Ledger, genesis},
        speech::Lang,
    };
    use types::Timestamp;

    #[test]
    fn what_is_asked_of_a_line_and_has_no_answer_is_refused() {
        let console = Console::open(Some(Lang::En));
        for (at, wanted) in [(None, Exit::Undecided), (Some(Timestamp(1)), Exit::Usage)] {
            let what = arguments::Verify {
                proof: vec!["no-such.line".into()],
                trust_root: None,
                document: None,
                at,
                report: None,
                explain: false,
                schema: false,
                evidence: None,
                json: false,
                quiet: true,
            };
            assert_eq!(verify(&what, &console), wanted, "{at:?}");
        }
    }

    #[test]
    fn what_is_kept_of_another_chain_is_not_the_proof() {
        let of = |salt: u8| Ledger::new(&genesis(salt), salt, &[0, 1, 2, 3]).record();
        let (here, elsewhere) = (of(HOME), of(60));
        let Claim::Record(claim) = &here.claims[0] else { panic!("the proof of a record") };
        let recorded = Recorded {
            chain: here.chain,
            agency: claim.transaction.agency,
            series: "urn:x:series".parse().unwrap(),
            record: claim.entry.record,
            tx: claim.entry.tx,
            height: None,
            position: None,
        };
        assert!(shows(&proof::encode(&here), &recorded));
        let Claim::Record(claim) = &elsewhere.claims[0] else { panic!("the proof of a record") };
        assert_eq!(claim.entry.record, recorded.record, "one document has one name everywhere");
        assert!(!shows(&proof::encode(&elsewhere), &recorded));
    }
}
