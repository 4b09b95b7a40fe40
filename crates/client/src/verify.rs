//! The inspector's answer: what a proof file shows, what it does not, and how sure that is. No network, no clock.

use crate::{
    arguments,
    beyond::Beyond,
    console::Console,
    exit::Exit,
    report as page,
    speech::{self, Lang},
};
use proof::{Claim, ForkClaim, Proof, ProofError, RecordsClaim, TrustRoot, Verdict};
use records::Match;
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};
use types::{Digest, Operation, codec};

/// Everything that was found out, before it is put into words.
#[derive(Debug)]
pub(crate) struct Report {
    /// The proof file's name.
    pub(crate) file: String,
    /// Whom the inspector believes; none when that could not be read.
    pub(crate) root: Option<TrustRoot>,
    /// What there is to say.
    pub(crate) finding: Finding,
    /// What was asked and shown beyond the claims.
    pub(crate) beyond: Beyond,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Finding {
    /// Nothing could be checked.
    Nothing(Obstacle),
    /// The proof was checked, and the document, if there is one.
    Checked(Box<Verdict>, Option<Document>),
}

/// What stood in the way of any check.
#[derive(Debug)]
pub(crate) enum Obstacle {
    /// The inspector named no trust root.
    NoRoot,
    /// The trust root cannot be read, or is none.
    Root(String, String),
    /// The proof cannot be read.
    Proof(String),
    /// The document cannot be read.
    Document(String, String),
}

/// The document, held against the proof.
#[derive(Debug)]
pub(crate) struct Document {
    /// Its file's name.
    pub(crate) name: String,
    /// The digest of its bytes.
    pub(crate) digest: Digest,
    /// How it fits.
    pub(crate) fit: Fit,
}

/// How a document fits a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It is the file that was recorded.
    Exact,
    /// It is another file, with the recorded content in it; the digest is of the file that was recorded.
    Content(Digest),
    /// It is neither; the digest is of the file that was recorded.
    No(Digest),
    /// The proof is of no record, so there is no digest to hold it against.
    NoRecord,
    /// The proof does not hold, so there is nothing to hold it against.
    NotEvaluated,
}

/// The answer in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Everything asked is proven.
    Proven,
    /// Something asked is disproven.
    NotProven,
    /// Neither.
    CannotCheck,
}

impl Answer {
    const fn name(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::NotProven => "not-proven",
            Self::CannotCheck => "cannot-check",
        }
    }

    const fn exit(self) -> Exit {
        match self {
            Self::Proven => Exit::Done,
            Self::NotProven => Exit::Negative,
            Self::CannotCheck => Exit::Undecided,
        }
    }
}

/// What `--json` prints, for programs.
const SCHEMA: &str = include_str!("../verify.schema.json");

/// Checks a proof and says what was found.
pub(crate) fn run(what: &arguments::Verify, console: &Console) -> Exit {
    if what.schema {
        return if console.data(SCHEMA.trim_end()).is_err() { Exit::Disk } else { Exit::Done };
    }
    let report = examine(what);
    let exit = report.answer().exit();
    let page = what.report.as_ref().map(|path| (path, page::html(console.lang(), &report).into()));
    let evidence = report.evidence().map(|evidence| proof::encode(&evidence));
    let kept: [Option<(&PathBuf, Vec<u8>)>; 2] = [page, what.evidence.as_ref().zip(evidence)];
    for (path, bytes) in kept.into_iter().flatten() {
        if let Err(why) = fs::write(path, bytes) {
            console.talk(&format!("{}: {why}", path.display()));
            return Exit::Disk;
        }
    }
    if what.quiet {
        return exit;
    }
    let text = if what.json {
        report.json(console.lang()).to_string()
    } else {
        let mut text = speech::report(console.lang(), &report, console.colour());
        if what.explain {
            text.push_str("\n\n");
            text.push_str(&speech::explanation(console.lang(), &report));
        }
        text
    };
    // An answer that did not arrive must not look like one that did.
    if console.data(&text).is_err() { Exit::Disk } else { exit }
}

fn examine(what: &arguments::Verify) -> Report {
    let file = what.proof.iter().map(|path| name(path)).collect::<Vec<_>>().join(", ");
    let nothing = |obstacle| Report {
        file: file.clone(),
        root: None,
        finding: Finding::Nothing(obstacle),
        beyond: Beyond::default(),
    };
    let Some(path) = &what.trust_root else { return nothing(Obstacle::NoRoot) };
    let root = match trust_root(path) {
        Ok(root) => root,
        Err(why) => return nothing(Obstacle::Root(name(path), why)),
    };
    let mut beyond = Beyond::default();
    let finding = check(what, &root, &mut beyond).unwrap_or_else(Finding::Nothing);
    Report { file, root: Some(root), finding, beyond }
}

/// The trust root in a file: a genesis, and perhaps a block saved after it.
pub(crate) fn trust_root(path: &Path) -> Result<TrustRoot, String> {
    let bytes = read(path, proof::TRUST_ROOT_BYTES_MAX).map_err(|why| why.to_string())?;
    let text = String::from_utf8(bytes).map_err(|why| why.to_string())?;
    TrustRoot::from_text(&text).map_err(|why| why.to_string())
}

fn check(
    what: &arguments::Verify,
    root: &TrustRoot,
    beyond: &mut Beyond,
) -> Result<Finding, Obstacle> {
    let bytes = proof_of(&what.proof).map_err(|why| Obstacle::Proof(why.to_string()))?;
    let verdict = if proof::is_presentation(&bytes) {
        match proof::present(&bytes, root) {
            Ok(showing) => {
                beyond.fields = Some(showing.fields);
                // It was read once, or there would be no showing.
                let read = what.explain.then(|| proof::Presentation::decode(&bytes).ok()).flatten();
                beyond.hashes = read.map(|(shown, _)| shown.explain()).unwrap_or_default();
                showing.verdict
            }
            Err(error) => {
                Verdict { steps: Vec::new(), result: Err(proof::Refusal { error, claimed: None }) }
            }
        }
    } else {
        proof::verify(&bytes, root)
    };
    beyond.ask(what.at, &verdict);
    let document = match &what.document {
        None => None,
        Some(path) => {
            let bytes = read(path, records::DOCUMENT_BYTES_MAX)
                .map_err(|why| Obstacle::Document(name(path), why.to_string()))?;
            Some(Document {
                name: name(path),
                digest: Digest::blake3(&bytes),
                fit: fit(&verdict, &bytes),
            })
        }
    };
    Ok(Finding::Checked(Box::new(verdict), document))
}

/// What the files hold, one after the other: several are the frames of one proof.
pub(crate) fn proof_of(files: &[PathBuf]) -> io::Result<Vec<u8>> {
    let limit = proof::ARMOR_BYTES_MAX.max(proof::PRESENTATION_BYTES_MAX);
    let mut all = Vec::new();
    for path in files {
        if !all.is_empty() {
            all.push(b'\n');
        }
        if path.as_os_str() == "-" {
            all.extend(at_most(io::stdin().lock(), limit)?);
        } else {
            all.extend(read(path, limit)?);
        }
        if all.len() > limit {
            break;
        }
    }
    Ok(all)
}

/// At most one byte more than `bytes_max`: enough for whoever reads it to see that it is too long.
pub(crate) fn read(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    at_most(File::open(path)?, bytes_max)
}

fn at_most(from: impl io::Read, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(bytes_max).map_or(u64::MAX, |max| max.saturating_add(1));
    from.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The last part of a path, without anything that could deceive a terminal.
fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    name.chars()
        .map(|c| if speech::is_plain(c) { c } else { char::REPLACEMENT_CHARACTER })
        .collect()
}

fn fit(verdict: &Verdict, document: &[u8]) -> Fit {
    let Some(proven) = verdict.proven() else { return Fit::NotEvaluated };
    let mut best = Fit::NoRecord;
    for operation in proven.get().claims.iter().flat_map(operations) {
        let recorded = operation.commitment.document;
        match (records::matches(operation, document), best) {
            (Match::Exact, _) => return Fit::Exact,
            (Match::Content, _) => best = Fit::Content(recorded),
            (Match::No, Fit::NoRecord) => best = Fit::No(recorded),
            (Match::No, Fit::Exact | Fit::Content(_) | Fit::No(_) | Fit::NotEvaluated) => {}
        }
    }
    best
}

/// The operations that a claim shows whole.
fn operations(claim: &Claim) -> Vec<&Operation> {
    match claim {
        Claim::Record(claim) => vec![&claim.operation],
        Claim::Records(claim) => of_batch(claim),
        Claim::Upstream(claim) => of_batch(&claim.records),
        Claim::Status(_)
        | Claim::Consistency(_)
        | Claim::Fork(_)
        | Claim::Votes(_)
        | Claim::Block
        | Claim::Authority(_) => Vec::new(),
    }
}

fn of_batch(claim: &RecordsClaim) -> Vec<&Operation> {
    claim.records.iter().map(|record| &record.operation).collect()
}

impl Report {
    /// The answer, and the code of what stands in its way.
    fn decide(&self) -> (Answer, Option<&'static str>) {
        match &self.finding {
            Finding::Nothing(obstacle) => (Answer::CannotCheck, Some(obstacle.code())),
            Finding::Checked(verdict, document) => match verdict.error() {
                Some(error) if error.is_undecided() => (Answer::CannotCheck, Some(error.code())),
                Some(error) => (Answer::NotProven, Some(error.code())),
                None => match document.as_ref().map(|document| document.fit) {
                    None | Some(Fit::Exact) => match self.beyond.code() {
                        None => (Answer::Proven, None),
                        Some((true, code)) => (Answer::NotProven, Some(code)),
                        Some((false, code)) => (Answer::CannotCheck, Some(code)),
                    },
                    Some(Fit::Content(_) | Fit::No(_)) => {
                        (Answer::NotProven, Some("V-DOC-MISMATCH"))
                    }
                    Some(Fit::NoRecord | Fit::NotEvaluated) => {
                        (Answer::CannotCheck, Some("V-DOC-NO-RECORD"))
                    }
                },
            },
        }
    }

    /// The answer in one word.
    pub(crate) fn answer(&self) -> Answer {
        self.decide().0
    }

    /// The code of what stands in the way of a proof.
    pub(crate) fn code(&self) -> Option<&'static str> {
        self.decide().1
    }

    /// The proof as it is, or as the file says.
    pub(crate) fn proof(&self) -> Option<&Proof> {
        let Finding::Checked(verdict, _) = &self.finding else { return None };
        match &verdict.result {
            Ok(proven) => Some(proven.get()),
            Err(refusal) => refusal.claimed.as_deref(),
        }
    }

    /// Why the proof does not hold.
    pub(crate) fn error(&self) -> Option<&ProofError> {
        match &self.finding {
            Finding::Nothing(_) => None,
            Finding::Checked(verdict, _) => verdict.error(),
        }
    }

    /// Evidence that the validators certified two blocks of one height: this file's, and the one that was saved.
    fn evidence(&self) -> Option<Proof> {
        let (Some(ProofError::Fork { .. }), Some(proof), Some(root)) =
            (self.error(), self.proof(), &self.root)
        else {
            return None;
        };
        let saved = root.saved()?;
        let other = ForkClaim { header: proof.header, certificate: proof.certificate.clone() };
        (proof.header.height == saved.header.height)
            .then(|| Proof { claims: vec![Claim::Fork(Box::new(other))], ..saved })
    }

    /// The document, if one was given and read.
    pub(crate) const fn document(&self) -> Option<&Document> {
        match &self.finding {
            Finding::Nothing(_) => None,
            Finding::Checked(_, document) => document.as_ref(),
        }
    }

    /// The same for programs. Names and codes never change; sentences are in `lang`.
    fn json(&self, lang: Lang) -> Value {
        let proven = self.answer() == Answer::Proven;
        let (shown, not_shown) =
            if proven { speech::meaning(lang, self) } else { Default::default() };
        let header = self.proof().filter(|_| proven).map(|proof| &proof.header);
        json!({
            "result": self.answer().name(),
            "code": self.code(),
            "subject": self.proof().map(|proof| speech::headline(lang, proof)),
            "steps": speech::steps(lang, self).iter().map(|step| json!({
                "check": step.check,
                "claim": step.claim,
                "outcome": step.mark.name(),
                "code": step.code,
                "detail": step.text,
            })).collect::<Vec<_>>(),
            "beyond": if proven { self.beyond.json() } else { Value::Null },
            "claims": shown,
            "not_claimed": not_shown,
            "as_of": header.map(|header| json!({ "height": header.height, "time": header.time })),
            "trust_root": self.root.as_ref().map(|root| json!({ "name": root.name(), "chain": root.chain() })),
            "detail": speech::reason(lang, self),
        })
    }
}

impl Obstacle {
    const fn code(&self) -> &'static str {
        match self {
            Self::NoRoot => "V-NO-TRUST-ROOT",
            Self::Root(..) => "V-BAD-TRUST-ROOT",
            Self::Proof(_) => "V-UNREADABLE",
            Self::Document(..) => "V-DOC-UNREADABLE",
        }
    }
}

/// The first and last bytes of a digest, for people.
pub(crate) fn short(digest: &Digest) -> String {
    let digits = codec::hex(&digest.bytes);
    format!("{}…{}", &digits[..6], &digits[58..])
}

#[cfg(test)]
mod tests;
