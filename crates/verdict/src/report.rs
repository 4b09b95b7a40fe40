//! The inspector's answer: what a proof file shows, what it does not, and how sure that is.

use crate::{
    beyond::Beyond,
    speech::{self, Lang},
};
use proof::{Claim, ForkClaim, Proof, ProofError, RecordsClaim, TrustRoot, Verdict};
use records::{Marks, Match};
use serde_json::{Value, json};
use types::{Digest, Operation, Timestamp, codec};

/// Everything that was found out, before it is put into words.
#[derive(Debug)]
pub struct Report {
    /// The proof file's name.
    pub file: String,
    /// Whom the inspector believes; none when that could not be read.
    pub root: Option<TrustRoot>,
    /// What there is to say.
    pub finding: Finding,
    /// What was asked and shown beyond the claims.
    pub beyond: Beyond,
}

/// What came of it.
#[derive(Debug)]
pub enum Finding {
    /// Nothing could be checked.
    Nothing(Obstacle),
    /// The proof was checked, and the document, if there is one.
    Checked(Box<Verdict>, Option<Document>),
}

/// What stood in the way of any check.
#[derive(Debug)]
pub enum Obstacle {
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
pub struct Document {
    /// Its file's name.
    pub name: String,
    /// The digest of its bytes.
    pub digest: Digest,
    /// How it fits.
    pub fit: Fit,
    /// Which claims are of a record that was made of this very file: of the others nothing is said by it.
    pub claims: Vec<usize>,
}

/// How a document fits a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It is the file of one record at least.
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
pub enum Answer {
    /// Everything asked is proven.
    Proven,
    /// Something asked is disproven.
    NotProven,
    /// Neither.
    CannotCheck,
}

impl Answer {
    /// Its name, for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::NotProven => "not-proven",
            Self::CannotCheck => "cannot-check",
        }
    }
}

/// What an inspector brings: the bytes of the files, or why they could not be read.
#[derive(Debug)]
pub struct Brought<'b> {
    /// The proof file's name.
    pub file: String,
    /// The trust root's name and text; none when the inspector named none.
    pub root: Option<(String, Result<Vec<u8>, String>)>,
    /// What the proof file holds.
    pub proof: Result<&'b [u8], String>,
    /// The document's name and bytes, if one is to be held against the proof.
    pub document: Option<(String, Result<Vec<u8>, String>)>,
    /// When licences are to be told of as they stood.
    pub at: Option<Timestamp>,
}

/// Checks what was brought.
#[must_use]
pub fn examine(brought: Brought<'_>) -> Report {
    let Brought { file, root, proof, document, at } = brought;
    let (root, finding, beyond) = match read_root(root) {
        Err(obstacle) => (None, Finding::Nothing(obstacle), Beyond::default()),
        Ok(root) => {
            let mut beyond = Beyond::default();
            let finding = check(proof, document, at, &root, &mut beyond);
            (Some(root), finding.unwrap_or_else(Finding::Nothing), beyond)
        }
    };
    Report { file, root, finding, beyond }
}

fn read_root(root: Option<(String, Result<Vec<u8>, String>)>) -> Result<TrustRoot, Obstacle> {
    let Some((name, bytes)) = root else { return Err(Obstacle::NoRoot) };
    bytes.and_then(trust_root).map_err(|why| Obstacle::Root(name, why))
}

/// The trust root that a file holds: a genesis, and perhaps a block saved after it.
///
/// # Errors
/// Why it is none, in English.
pub fn trust_root(bytes: Vec<u8>) -> Result<TrustRoot, String> {
    let text = String::from_utf8(bytes).map_err(|why| why.to_string())?;
    TrustRoot::from_text(&text).map_err(|why| why.to_string())
}

fn check(
    proof: Result<&[u8], String>,
    document: Option<(String, Result<Vec<u8>, String>)>,
    at: Option<Timestamp>,
    root: &TrustRoot,
    beyond: &mut Beyond,
) -> Result<Finding, Obstacle> {
    let bytes = proof.map_err(Obstacle::Proof)?;
    let verdict = if proof::is_presentation(bytes) {
        match proof::present(bytes, root) {
            Ok(showing) => {
                beyond.fields = Some(showing.fields);
                // It was read once, or there would be no showing.
                let read = proof::Presentation::decode(bytes);
                beyond.hashes = read.map(|(shown, _)| shown.explain()).unwrap_or_default();
                showing.verdict
            }
            Err(error) => {
                Verdict { steps: Vec::new(), result: Err(proof::Refusal { error, claimed: None }) }
            }
        }
    } else {
        proof::verify(bytes, root)
    };
    beyond.ask(at, &verdict);
    let document = match document {
        None => None,
        Some((name, Err(why))) => return Err(Obstacle::Document(name, why)),
        Some((name, Ok(bytes))) => {
            let digest = Digest::blake3(&bytes);
            let (fit, claims) = fit(&verdict, &bytes, digest);
            Some(Document { name, digest, fit, claims })
        }
    };
    Ok(Finding::Checked(Box::new(verdict), document))
}

/// A file's name, without anything that could deceive who reads it.
#[must_use]
pub fn plain_name(name: &str) -> String {
    name.chars()
        .map(|c| if speech::is_plain(c) { c } else { char::REPLACEMENT_CHARACTER })
        .collect()
}

/// How a document fits, and the claims with a record of which it is the file.
fn fit(verdict: &Verdict, document: &[u8], digest: Digest) -> (Fit, Vec<usize>) {
    let Some(proven) = verdict.proven() else { return (Fit::NotEvaluated, Vec::new()) };
    let claims = &proven.get().claims;
    let is_of = |claim: &Claim| {
        operations(claim).iter().any(|operation| operation.commitment.document == digest)
    };
    let exact: Vec<usize> =
        (0..).zip(claims).filter(|(_, claim)| is_of(claim)).map(|(index, _)| index).collect();
    if !exact.is_empty() {
        return (Fit::Exact, exact);
    }
    let (marks, mut best) = (Marks::of(document), Fit::NoRecord);
    for operation in claims.iter().flat_map(operations) {
        let recorded = operation.commitment.document;
        match (marks.matches(operation), best) {
            (Match::Exact | Match::Content, _) => best = Fit::Content(recorded),
            (Match::No, Fit::NoRecord) => best = Fit::No(recorded),
            (Match::No, Fit::Exact | Fit::Content(_) | Fit::No(_) | Fit::NotEvaluated) => {}
        }
    }
    (best, Vec::new())
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
    pub fn answer(&self) -> Answer {
        self.decide().0
    }

    /// The code of what stands in the way of a proof.
    pub fn code(&self) -> Option<&'static str> {
        self.decide().1
    }

    /// The proof as it is, or as the file says.
    pub fn proof(&self) -> Option<&Proof> {
        let Finding::Checked(verdict, _) = &self.finding else { return None };
        match &verdict.result {
            Ok(proven) => Some(proven.get()),
            Err(refusal) => refusal.claimed.as_deref(),
        }
    }

    /// Why the proof does not hold.
    pub fn error(&self) -> Option<&ProofError> {
        match &self.finding {
            Finding::Nothing(_) => None,
            Finding::Checked(verdict, _) => verdict.error(),
        }
    }

    /// Evidence that the validators certified two blocks of one height: this file's, and the one that was saved.
    #[must_use]
    pub fn evidence(&self) -> Option<Proof> {
        let (Some(ProofError::Fork { height, found, .. }), Some(proof), Some(root)) =
            (self.error(), self.proof(), &self.root)
        else {
            return None;
        };
        let hops = proof.handover.iter().map(|hop| (&hop.header, &hop.certificate));
        let earlier = proof.claims.iter().filter_map(|claim| {
            let Claim::Consistency(claim) = claim else { return None };
            Some((&claim.header, &claim.certificate))
        });
        let mut blocks = hops.chain(earlier).chain([(&proof.header, &proof.certificate)]);
        let (header, certificate) = blocks.find(|(header, _)| header.id() == *found)?;
        let other = ForkClaim { header: *header, certificate: certificate.clone() };
        let known = root.known(*height)?;
        Some(Proof { claims: vec![Claim::Fork(Box::new(other))], ..known })
    }

    /// The claim that the answer is about first: the one of whose record the document is the file, if one was given.
    #[must_use]
    pub fn first(&self) -> usize {
        let shown = match &self.beyond.fields {
            Some(Ok(shown)) => Some(shown.claim),
            Some(Err(_)) | None => None,
        };
        let of_file = self.document().and_then(|document| document.claims.first().copied());
        of_file.or(shown).unwrap_or(0)
    }

    /// Where the subjects of the claims stand, for programs: of each claim of a status, if all is proven.
    fn states(&self) -> Vec<Value> {
        let claims = self.proof().map_or(&[][..], |proof| &proof.claims);
        let state = |(index, claim): (usize, &Claim)| {
            let claim = claim.status()?;
            let state = claim.state.as_ref();
            Some(json!({
                "claim": index,
                "subject": claim.subject.to_string(),
                "present": state.is_some(),
                "status": state.map(|state| state.status),
                "effective_from": state.map(|state| state.effective_from),
            }))
        };
        (0..).zip(claims).filter_map(state).collect()
    }

    /// The document, if one was given and read.
    pub const fn document(&self) -> Option<&Document> {
        match &self.finding {
            Finding::Nothing(_) => None,
            Finding::Checked(_, document) => document.as_ref(),
        }
    }

    /// The same for programs. Names and codes never change; sentences are in `lang`.
    #[must_use]
    pub fn json(&self, lang: Lang) -> Value {
        let proven = self.answer() == Answer::Proven;
        let (shown, not_shown) =
            if proven { speech::meaning(lang, self) } else { Default::default() };
        let header = self.proof().filter(|_| proven).map(|proof| &proof.header);
        json!({
            "result": self.answer().name(),
            "code": self.code(),
            "subject": speech::about(lang, self),
            "steps": speech::steps(lang, self).iter().map(|step| json!({
                "check": step.check,
                "claim": step.claim,
                "outcome": step.mark.name(),
                "code": step.code,
                "detail": step.text,
            })).collect::<Vec<_>>(),
            "states": if proven { self.states() } else { Vec::new() },
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
