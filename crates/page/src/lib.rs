//! The verifier in a browser: bytes that a page hands in, words that it shows.
//!
//! What it offers: [`answer`], and the same over linear memory for whoever loads this as WebAssembly: [`most`] and
//! [`room`] for each thing that is brought, [`check`], and [`answer_at`]. The module imports nothing, so it can reach nothing: no file, no socket, no
//! clock.
//!
//! Invariants: what is brought is used for one check and forgotten; no trust root is known here, so each comes from whoever
//! asks; a module that traps has answered nothing, and the page says so.

use serde_json::{Value, json};
use std::sync::{Mutex, PoisonError};
use verdict::{
    Answer, Brought, Line, html, is_line, plain_name,
    speech::{self, Lang},
};

/// What is brought, by number.
const PARTS: usize = 4;
/// The proof: a file, its armoured form, or frames one after the other.
pub const PROOF: usize = 0;
/// The trust root.
pub const ROOT: usize = 1;
/// The document.
pub const DOCUMENT: usize = 2;
/// How it is asked, as JSON: `lang` and `at`, and the names of files, none of which but `proof` must be there.
pub const ASKED: usize = 3;

/// The most bytes of each part, one more than is read so that what is too long is seen to be.
const BYTES_MAX: [usize; PARTS] = [
    max(proof::ARMOR_BYTES_MAX, proof::PRESENTATION_BYTES_MAX) + 1,
    proof::TRUST_ROOT_BYTES_MAX + 1,
    records::DOCUMENT_BYTES_MAX + 1,
    64 << 10,
];

const fn max(one: usize, other: usize) -> usize {
    if one > other { one } else { other }
}

static BROUGHT: Mutex<[Vec<u8>; PARTS]> = Mutex::new([const { Vec::new() }; PARTS]);
static ANSWER: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Room for a part, zeroed: its address, or 0 when there is no such part or it is longer than any is.
#[expect(unsafe_code, reason = "the name by which a page calls it")]
#[unsafe(no_mangle)]
pub extern "C" fn room(part: usize, bytes: usize) -> usize {
    let mut brought = BROUGHT.lock().unwrap_or_else(PoisonError::into_inner);
    let Some((place, limit)) = brought.get_mut(part).zip(BYTES_MAX.get(part)) else { return 0 };
    if bytes > *limit {
        return 0;
    }
    *place = vec![0; bytes];
    place.as_mut_ptr().addr()
}

/// The most bytes there is room for in a part.
#[expect(unsafe_code, reason = "the name by which a page calls it")]
#[unsafe(no_mangle)]
pub extern "C" fn most(part: usize) -> usize {
    BYTES_MAX.get(part).copied().unwrap_or(0)
}

/// Checks what was brought, forgets it, and tells how long the answer is.
#[expect(unsafe_code, reason = "the name by which a page calls it")]
#[unsafe(no_mangle)]
pub extern "C" fn check() -> usize {
    let brought = {
        let mut brought = BROUGHT.lock().unwrap_or_else(PoisonError::into_inner);
        core::mem::take(&mut *brought)
    };
    let text = answer(&brought).to_string().into_bytes();
    let length = text.len();
    *ANSWER.lock().unwrap_or_else(PoisonError::into_inner) = text;
    length
}

/// Where the answer stands: JSON, in UTF-8.
#[expect(unsafe_code, reason = "the name by which a page calls it")]
#[unsafe(no_mangle)]
pub extern "C" fn answer_at() -> usize {
    ANSWER.lock().unwrap_or_else(PoisonError::into_inner).as_ptr().addr()
}

/// How something is asked.
struct Asked {
    lang: Lang,
    at: Option<types::Timestamp>,
    names: Value,
}

impl Asked {
    fn read(bytes: &[u8]) -> Result<Self, String> {
        let names: Value = serde_json::from_slice(bytes).map_err(|why| why.to_string())?;
        let lang = match names["lang"].as_str() {
            Some("en") => Lang::En,
            Some("zh-CN") => Lang::Zh,
            Some(_) | None => return Err("lang is en or zh-CN".to_owned()),
        };
        let at = match names["at"].as_str() {
            None => None,
            Some(at) => Some(at.parse().map_err(|why| format!("at: {why}"))?),
        };
        Ok(Self { lang, at, names })
    }

    /// The name of a file that was brought; none if it was not.
    fn name(&self, part: &str) -> Option<String> {
        self.names[part].as_str().map(plain_name)
    }
}

/// The answer to what was brought, as the page shows it: what `minlian verify` says in words, as JSON and as a page to print.
#[must_use]
pub fn answer(brought: &[Vec<u8>]) -> Value {
    let part = |number: usize| brought.get(number).map_or(&[][..], Vec::as_slice);
    let asked = match Asked::read(part(ASKED)) {
        Ok(asked) => asked,
        // The page asks wrongly: its mistake, and never an answer about a proof.
        Err(why) => return json!({ "result": "cannot-check", "fault": why }),
    };
    let lang = asked.lang;
    if is_line(part(PROOF))
        && let Some(answer) = line(&asked, part(PROOF), part(ROOT), part(DOCUMENT))
    {
        return answer;
    }
    let given = |name, number| asked.name(name).map(|name| (name, Ok(part(number).to_vec())));
    let report = verdict::examine(Brought {
        file: asked.name("proof").unwrap_or_default(),
        root: given("root", ROOT),
        proof: Ok(part(PROOF)),
        document: given("document", DOCUMENT),
        at: asked.at,
    });
    let (word, mark) = speech::answer(lang, report.answer());
    let steps = speech::steps(lang, &report);
    let (yes, no) = speech::headings_of_meaning(lang);
    let proven = report.answer() == Answer::Proven;
    let (shown, not_shown) = if proven { speech::meaning(lang, &report) } else { <_>::default() };
    json!({
        "result": report.answer().name(),
        "code": report.code(),
        "word": word,
        "mark": mark.name(),
        "subject": speech::about(lang, &report),
        "steps": steps.iter().map(|step| json!({
            "mark": step.mark.name(),
            "sign": step.mark.sign(),
            "title": step.title,
            "text": step.text,
            "code": step.code,
        })).collect::<Vec<_>>(),
        "meaning": if proven { json!([[yes, shown], [no, not_shown]]) } else { json!([]) },
        "reason": if proven { None } else { speech::reason(lang, &report) },
        "foot": speech::foot(lang, &report),
        "text": speech::report(lang, &report, false),
        "json": report.json(lang),
        "html": html::html(lang, &report),
        "explanation": speech::explanation(lang, &report),
    })
}

/// The answer to the proof of a line; none without a trust root, which is told as for every proof.
fn line(asked: &Asked, proof: &[u8], root: &[u8], document: &[u8]) -> Option<Value> {
    asked.name("root")?;
    let root = verdict::trust_root(root.to_vec()).ok()?;
    let line = Line::examine(proof, &root, asked.name("document").map(|_name| document));
    let (answer, code) = line.decide();
    let (word, mark) = speech::answer(asked.lang, answer);
    let text = line.words(asked.lang);
    Some(json!({
        "result": answer.name(),
        "code": code,
        "word": word,
        "mark": mark.name(),
        "steps": [],
        "meaning": [],
        // Its first line is the word.
        "reason": text.split_once('\n').map(|(_word, rest)| rest.trim()),
        "text": text,
        "json": line.json(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_wrongly_is_no_answer_about_a_proof() {
        for asked in ["", "{}", r#"{"lang":"fr"}"#, r#"{"lang":"en","at":"yesterday"}"#] {
            let answer = answer(&[vec![], vec![], vec![], asked.into()]);
            assert_eq!(answer["result"], "cannot-check", "{asked}");
            assert!(answer["fault"].is_string(), "{asked}");
        }
    }

    #[test]
    fn without_a_trust_root_nothing_is_decided() {
        for proof in [b"MLPROOF".to_vec(), b"MLLINE".to_vec(), proof::LINE_MAGIC.to_vec(), vec![]] {
            let asked = br#"{"lang":"en","proof":"a.proof"}"#.to_vec();
            let answer = answer(&[proof, vec![], vec![], asked]);
            assert_eq!(answer["result"], "cannot-check");
            assert_eq!(answer["code"], "V-NO-TRUST-ROOT");
        }
    }

    #[test]
    fn there_is_room_for_what_there_is_and_no_more() {
        assert_eq!(room(PARTS, 1), 0);
        assert_eq!(room(ASKED, (64 << 10) + 1), 0);
        assert_ne!(room(PROOF, 10), 0);
    }
}
