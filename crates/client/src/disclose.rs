//! Showing some fields of a document and no others: salts for them, and presentations made of them.

use crate::{
    arguments,
    console::Console,
    exit::{Exit, Stop},
    speech::{self, Lang, say},
    verify,
};
use client::keystore;
use proof::Presentation;
use records::{DOCUMENT_BYTES_MAX, SaltedFields};
use serde_json::{Map, Value, json};
use std::{fs, io::ErrorKind, path::Path};
use types::{
    Digest, Subject, codec,
    fields::{Field, SALT_BYTES_MIN},
    operation::Action,
};
use verdict::{FIELD_NAMES, called};

/// The directory's name of a field.
fn directory(name: &str) -> &str {
    FIELD_NAMES.iter().find(|(en, _)| en.eq_ignore_ascii_case(name)).map_or(name, |(_, zh)| zh)
}

/// Gives every field of every licence in a document a salt of its own.
///
/// # Errors
/// When the document cannot be read, is too large, or is none, or the file to write is there already.
pub(crate) fn salt(what: &arguments::Salt, console: &Console) -> Result<Exit, Stop> {
    let bytes =
        verify::read(&what.file, DOCUMENT_BYTES_MAX).map_err(|why| Stop::file(&what.file, why))?;
    if bytes.len() > DOCUMENT_BYTES_MAX {
        let file = what.file.display();
        let why = format!("{file} is too large: at most {DOCUMENT_BYTES_MAX} bytes; split it");
        return Err(Stop::says(Exit::Usage, why));
    }
    let text = String::from_utf8(bytes).map_err(|why| bad(&what.file, &why))?;
    let lines = what.file.extension().is_some_and(|end| end == "ndjson" || end == "jsonl");
    let mut count = 0;
    let out = if lines {
        let mut out = String::new();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let mut value = serde_json::from_str(line).map_err(|why| bad(&what.file, &why))?;
            count += salt_all(&mut value)?;
            out.push_str(&value.to_string());
            out.push('\n');
        }
        out
    } else {
        let mut value = serde_json::from_str(&text).map_err(|why| bad(&what.file, &why))?;
        count += salt_all(&mut value)?;
        serde_json::to_string_pretty(&value).map_err(|why| bad(&what.file, &why))? + "\n"
    };
    let (lang, file) = (console.lang(), what.out.display().to_string());
    // What is there may be a document that was submitted, and nobody can draw its salts again.
    keystore::write_new(&what.out, out.as_bytes()).map_err(|why| {
        if why.kind() == ErrorKind::AlreadyExists {
            let why = say!(
                lang,
                "{file} is there already; its salts may be in use; name another file",
                "{file} 已存在，其中的盐可能已在使用；请另行指定文件"
            );
            Stop::says(Exit::Usage, why)
        } else {
            Stop::file(&what.out, why)
        }
    })?;
    if what.json {
        console.data(&json!({ "file": file, "salted": count }).to_string())?;
        return Ok(if count == 0 { Exit::Negative } else { Exit::Done });
    }
    let salted = speech::records(lang, count.try_into().unwrap_or(u64::MAX));
    console.talk(&say!(
        lang,
        "{salted} salted. Submit {file}, keep it with the licence, and show it to nobody: its salts hide what is not shown. \
         To erase a field, destroy its salt.",
        "已为 {salted}加盐。请提交 {file} 并随证照保存，不得外传：未出示的字段由盐保护。销毁某字段的盐即为擦除该字段。"
    ));
    Ok(if count == 0 { Exit::Negative } else { Exit::Done })
}

fn bad(path: &Path, why: &dyn std::fmt::Display) -> Stop {
    Stop::says(Exit::Usage, format!("{} is not JSON: {why}", path.display()))
}

/// How many operations were given salts: those with a `meta` and without `salts`.
fn salt_all(value: &mut Value) -> Result<usize, Stop> {
    match value {
        Value::Array(items) => items.iter_mut().map(salt_all).sum(),
        Value::Object(members) => {
            if let Some(operations) = members.get_mut("operations") {
                return salt_all(operations);
            }
            let is_licence = members
                .get("op")
                .and_then(Value::as_str)
                .is_some_and(|op| op.starts_with("licence."));
            if !is_licence || members.contains_key("salts") {
                return Ok(0);
            }
            let Some(Value::Object(meta)) = members.get("meta") else { return Ok(0) };
            let mut salts = Map::new();
            for name in meta.keys() {
                salts.insert(name.clone(), Value::String(fresh()?));
            }
            members.insert("salts".into(), Value::Object(salts));
            Ok(1)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(0),
    }
}

/// A salt that nobody can guess, from the system.
fn fresh() -> Result<String, Stop> {
    let mut bytes = [0; SALT_BYTES_MIN];
    getrandom::fill(&mut bytes).map_err(|why| {
        Stop::says(Exit::Disk, format!("the system gives no random numbers: {why}"))
    })?;
    Ok(codec::hex(&bytes))
}

/// Makes a presentation: the fields that were asked for, and the proof of the record.
///
/// # Errors
/// When there is no such field, no such record, or no answer.
pub(crate) async fn present(what: &arguments::Present, console: &Console) -> Result<Exit, Stop> {
    let document =
        verify::read(&what.file, DOCUMENT_BYTES_MAX).map_err(|why| Stop::file(&what.file, why))?;
    let all = records::salted_fields(&document).map_err(|faults| {
        let first = faults.first().map(ToString::to_string).unwrap_or_default();
        Stop::says(Exit::Usage, format!("{}: {first}", what.file.display()))
    })?;
    let wanted: Vec<&str> = what.fields.iter().map(|name| directory(name)).collect();
    let proof = match (&what.proof, &what.node) {
        (Some(path), _) => verify::read(path, proof::ARMOR_BYTES_MAX.max(proof::PROOF_BYTES_MAX))
            .map_err(|why| Stop::file(path, why))?,
        (None, Some(url)) => fetch(console, url, &document, &all).await?,
        (None, None) => {
            return Err(Stop::says(Exit::Usage, "a presentation needs --proof or --node"));
        }
    };
    let made = all.iter().find_map(|salted| {
        let has = |name: &&str| salted.fields.iter().any(|field| field.name.as_str() == *name);
        let shown = |field: &Field| wanted.contains(&field.name.as_str());
        wanted.iter().all(has).then(|| Presentation::of(&proof, &salted.fields, shown))?
    });
    let Some(made) = made else { return Err(nothing(what, &all, &wanted)) };
    let bytes = made.encode();
    fs::write(&what.out, &bytes).map_err(|why| Stop::file(&what.out, why))?;
    let (lang, file) = (console.lang(), what.out.display().to_string());
    let names: Vec<String> =
        made.fields.iter().map(|(_, field)| called(lang, &field.name)).collect();
    if what.json {
        let row = json!({
            "file": file, "bytes": bytes.len(), "count": made.count,
            "fields": made.fields.iter().map(|(_, field)| field.name.as_str()).collect::<Vec<_>>(),
        });
        console.data(&row.to_string())?;
    } else {
        let (names, hidden) = (
            names.join(lang_list(lang)),
            usize::try_from(made.count).unwrap_or(0) - made.fields.len(),
        );
        console.talk(&say!(
            lang,
            "{file} shows {names}, and of {hidden} other fields nothing but that they are there. Check it: minlian verify {file} --trust-root GENESIS",
            "{file} 出示：{names}；其余 {hidden} 个字段除存在外不披露任何内容。核验：minlian verify {file} --trust-root GENESIS"
        ));
    }
    Ok(Exit::Done)
}

const fn lang_list(lang: Lang) -> &'static str {
    match lang {
        Lang::En => ", ",
        Lang::Zh => "、",
    }
}

fn nothing(what: &arguments::Present, all: &[SaltedFields], wanted: &[&str]) -> Stop {
    let file = what.file.display();
    let missing = wanted.iter().find(|name| {
        !all.iter().any(|salted| salted.fields.iter().any(|field| field.name.as_str() == **name))
    });
    Stop::says(
        Exit::Negative,
        match (all, missing) {
            ([], _) => format!(
                "{file} has no salted fields; licences are given them by `minlian salt` before they are submitted"
            ),
            (_, Some(name)) => format!("{file} has no field “{name}”"),
            (_, None) => format!("the proof is of no record that commits to the fields of {file}"),
        },
    )
}

/// The proof of the record that commits to the fields, and of where its licence stands, from a node.
async fn fetch(
    console: &Console,
    url: &str,
    document: &[u8],
    all: &[SaltedFields],
) -> Result<Vec<u8>, Stop> {
    use client::api::{Ask, Named, ProofRequest};
    let client = console.client(url)?;
    let found = client.records(&Digest::blake3(document)).await?;
    let commits = |hash| all.iter().any(|salted| Some(salted.commitment) == hash);
    let record = found
        .records
        .iter()
        .find(|view| commits(view.operation.commitment.fields))
        .ok_or_else(|| {
            Stop::says(Exit::Negative, format!("{url} knows no record of this very file; submit it first, or give the proof by --proof"))
        })?;
    let mut ask = vec![Ask::Record(record.record)];
    if let Action::Licence(act) = &record.operation.action {
        ask.push(Ask::Subject(Named(Subject::licence(&act.licence))));
    }
    let request = ProofRequest { since: types::Height::GENESIS, at: None, ask };
    let proof = client.prove(&request).await?;
    proof.ok_or_else(|| Stop::says(Exit::Negative, format!("{url} has no proof of it")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Folder;
    use std::os::unix::fs::PermissionsExt as _;
    use types::fields::FieldName;

    #[test]
    fn every_field_gets_a_salt_that_no_other_has() {
        let mut value = json!({"operations": [
            {"op": "licence.issue", "meta": {"a": 1, "b": 2}},
            {"op": "licence.issue", "meta": {"a": 1}, "salts": {"a": "x"}},
            {"op": "licence.suspend", "licence": "L"},
            {"op": "item.publish", "meta": {"a": 1}},
        ]});
        assert_eq!(salt_all(&mut value).unwrap(), 1);
        let salts = value["operations"][0]["salts"].as_object().unwrap();
        assert_eq!(salts.keys().collect::<Vec<_>>(), ["a", "b"]);
        assert_ne!(salts["a"], salts["b"]);
        assert!(salts.values().all(|salt| salt.as_str().unwrap().len() == 32));
        assert_eq!(value["operations"][1]["salts"], json!({"a": "x"}));
        assert!(value["operations"][2].get("salts").is_none());
        let again = value.clone();
        assert_eq!(salt_all(&mut value).unwrap(), 0);
        assert_eq!(value, again);
    }

    #[test]
    fn salts_are_written_once_for_their_owner_alone() {
        let folder = Folder::new("salt");
        let plain = r#"{"op": "licence.issue", "meta": {"a": 1}}"#;
        let (one, out) = (folder.write("one.json", plain), folder.path().join("salted.json"));
        let salt = |file: &Path| {
            let what = arguments::Salt { file: file.to_owned(), out: out.clone(), json: false };
            salt(&what, &Console::open(Some(Lang::En)))
        };
        // A line more than may be, and the cut falls between two lines.
        let large = folder.write("large.ndjson", "{}\n".repeat(DOCUMENT_BYTES_MAX / 3 + 1));
        let stop = salt(&large).unwrap_err();
        assert_eq!(stop.exit, Exit::Usage);
        assert!(stop.why.to_string().contains("too large"), "{:#}", stop.why);
        assert!(!out.exists());
        assert_eq!(salt(&one).unwrap(), Exit::Done);
        let written = folder.read("salted.json").unwrap();
        assert!(written.contains("salts"), "{written}");
        assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
        let stop = salt(&one).unwrap_err();
        assert_eq!(stop.exit, Exit::Usage);
        assert!(stop.why.to_string().contains("name another file"), "{:#}", stop.why);
        assert_eq!(folder.read("salted.json").unwrap(), written);
    }

    #[test]
    fn fields_have_two_names() {
        assert_eq!(directory("valid until"), "证照有效期截至");
        assert_eq!(directory("证照有效期截至"), "证照有效期截至");
        assert_eq!(directory("备注"), "备注");
        let name = FieldName::new("证照有效期截至").unwrap();
        assert_eq!(called(Lang::En, &name), "valid until (证照有效期截至)");
        assert_eq!(called(Lang::Zh, &name), "证照有效期截至");
    }
}
