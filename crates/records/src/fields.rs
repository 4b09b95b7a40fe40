//! The salted fields of a licence: what is recorded of them, and what is needed to show some of them later.

use crate::{
    DOCUMENT_BYTES_MAX,
    canonical::canonical,
    document,
    document::Form,
    fault::{Fault, Faults, Place, Problem, quote},
    json,
    read::{self, Members},
};
use types::{
    Hash, codec,
    fields::{self, FIELDS_MAX, Field, FieldName, SALT_BYTES_MAX, SALT_BYTES_MIN},
};

/// The fields of one record of a document, with their salts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaltedFields {
    /// Where the record is in the document: a JSON pointer.
    pub at: String,
    /// Its fields, by ascending name.
    pub fields: Vec<Field>,
    /// What the record commits to.
    pub commitment: Hash,
}

/// The salted fields of every record of a document that has `salts`. The document is not checked against any other rule.
///
/// # Errors
/// What is wrong with the document, as far as this needs it.
pub fn salted_fields(document: &[u8]) -> Result<Vec<SaltedFields>, Vec<Fault>> {
    if document.len() > DOCUMENT_BYTES_MAX {
        return Err(vec![crate::too_large(document.len()).at(String::new())]);
    }
    let value = json::parse(document).map_err(|fault| vec![fault])?;
    let mut faults = Faults::default();
    let mut all = Vec::new();
    for found in document::records(&value, &mut faults) {
        let place = Place::start(&found.at);
        let Some(members) = Members::of(found.record, &place, &mut faults) else { continue };
        if found.form == Form::Operation
            && let Some((fields, commitment)) = of(&members, &mut faults)
        {
            all.push(SaltedFields { at: found.at.clone(), fields, commitment });
        }
    }
    faults.or(all)
}

/// What is recorded of the salted fields of an operation, if it has any.
pub(crate) fn commitment(members: &Members<'_, '_>, faults: &mut Faults) -> Option<Hash> {
    of(members, faults).map(|(_, commitment)| commitment)
}

/// The fields are the members of `meta`, and each has its salt in `salts`.
fn of(members: &Members<'_, '_>, faults: &mut Faults) -> Option<(Vec<Field>, Hash)> {
    let (place, salts_place) = (members.at("meta"), members.at("salts"));
    let salts = Members::of(members.get("salts")?, &salts_place, faults)?;
    let meta = Members::of(members.get("meta")?, &place, faults)?;
    if meta.map().len() > FIELDS_MAX {
        faults.add(&place, Problem::too_many("fields", "字段数", FIELDS_MAX));
        return None;
    }
    let before = faults.len();
    for name in salts.map().keys().filter(|name| !meta.has(name)) {
        salts.fault(name, unmatched(name), faults);
    }
    let (mut all, mut seen) = (Vec::new(), std::collections::BTreeSet::new());
    for (name, value) in meta.map() {
        if !salts.has(name) {
            faults.add(&salts_place, unmatched(name));
            continue;
        }
        let Some(salt) = salts.text(name, faults) else { continue };
        let bytes = codec::unhex(salt)
            .filter(|bytes| (SALT_BYTES_MIN..=SALT_BYTES_MAX).contains(&bytes.len()));
        // The fault does not repeat the salt: faults are logged.
        let Some(bytes) = bytes.filter(|bytes| seen.insert(bytes.clone())) else {
            salts.fault(name, not_a_salt(), faults);
            continue;
        };
        let Some(name) = named(name, &meta, faults) else { continue };
        all.push(Field { name, value: canonical(value), salt: bytes });
    }
    if faults.len() > before {
        return None;
    }
    all.sort_by(|one, other| one.name.cmp(&other.name));
    if let Some(long) = all.iter().find(|field| !field.is_sound()) {
        meta.fault(
            &long.name,
            Problem::too_many("bytes of a field", "字段的字节数", fields::VALUE_BYTES_MAX),
            faults,
        );
        return None;
    }
    let leaves: Vec<Hash> = all.iter().map(Field::leaf).collect();
    let commitment = fields::commit(&leaves)?;
    Some((all, commitment))
}

fn named(name: &str, meta: &Members<'_, '_>, faults: &mut Faults) -> Option<FieldName> {
    read::carried(name, &meta.at(name), faults)
}

fn unmatched(name: &str) -> Problem {
    Problem::new(
        "E-REC-076",
        format!(
            "`salts` has a salt for every member of `meta` and for nothing else, but `{}` is on one side only",
            quote(name)
        ),
        format!("“salts”须与“meta”逐项对应,但“{}”只见于一方", quote(name)),
    )
}

fn not_a_salt() -> Problem {
    Problem::new(
        "E-REC-051",
        format!(
            "the salt of a field is {} to {} lower-case hexadecimal digits, and no two fields have the same",
            SALT_BYTES_MIN * 2,
            SALT_BYTES_MAX * 2
        ),
        format!(
            "字段的盐应为 {} 至 {} 位小写十六进制数字,且各不相同",
            SALT_BYTES_MIN * 2,
            SALT_BYTES_MAX * 2
        ),
    )
}
