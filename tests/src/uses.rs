//! Every use of licences, data and documents, and presentations good and bad, for the vectors.

use crate::{Chain, licence, used};
use proof::{Presentation, Proof};
use serde_json::{Value, json};
use types::{
    AgencyCode, Digest, Operation, Timestamp,
    codec::hex,
    fields::{Field, commit},
    usage::{Basis, DataUse, Presented, Reuse, Terms, Usage, licence_data},
};

const LICENCE: &str = "c1:0000000000000000000000000000000000000000000000000000000000000001";

/// Every act of use, sensible or not.
#[must_use]
pub(crate) fn uses(agency: &AgencyCode) -> Vec<Operation> {
    let at: Timestamp = "2026-03-01T02:05:00Z".parse().expect("a time");
    let licence: types::operation::LicenceId = LICENCE.parse().expect("a name");
    let purpose: types::usage::Purpose = "办理食品生产许可".parse().expect("a purpose");
    let fields = vec!["证照有效期截至".parse().expect("a name")];
    let terms = Terms {
        licence: licence.clone(),
        grantee: *agency,
        purpose: purpose.clone(),
        reference: Some("BJ-1".parse().expect("a reference")),
        fields: fields.clone(),
        expires: at.plus(600_000),
        uses_max: 3,
    };
    let grant = terms.id();
    let document = Digest::blake3(b"a lease");
    let data = |basis| DataUse {
        data: licence_data(&licence),
        purpose: purpose.clone(),
        fields: Vec::new(),
        basis,
        made_at: at,
    };
    let item = || Basis::Item("113500000035912564435000000000000001".parse().expect("a code"));
    let acts = [
        Usage::Grant(terms),
        Usage::Use(Presented {
            grant,
            licence: licence.clone(),
            purpose: purpose.clone(),
            fields,
            made_at: at,
            copy_until: Some(at.plus(86_400_000)),
        }),
        Usage::Withdraw { grant, licence: licence.clone() },
        Usage::Access(data(Basis::Grant(grant))),
        Usage::Transfer { data: data(item()), to: *agency },
        Usage::Destroy(data(Basis::Role(1))),
        Usage::Register { document, title: "租赁合同".parse().expect("a title") },
        Usage::Reuse(Reuse {
            document,
            purpose: purpose.clone(),
            basis: Some(Basis::Licence(licence)),
            made_at: at,
        }),
        Usage::Retire { document },
    ];
    acts.into_iter().map(used).collect()
}

fn fields() -> Vec<Field> {
    let rows = [
        ("证照有效期截至", "\"20310104\""),
        ("证照标识", "\"1.2.156.3005.2…\""),
        ("持证主体名称", "\"某海水养殖公司01(示例)\""),
        ("面积", "12.5"),
        ("备注", "null"),
    ];
    let mut all: Vec<Field> = rows
        .iter()
        .map(|(name, value)| Field {
            name: name.parse().expect("a name"),
            value: (*value).into(),
            salt: Digest::blake3(name.as_bytes()).bytes[..16].to_vec(),
        })
        .collect();
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all
}

/// The vectors of presentations: what each shows, or why it shows nothing.
#[must_use]
pub(crate) fn presentations() -> Value {
    let mut chain = Chain::new("presentations", 3);
    let leaves: Vec<_> = fields().iter().map(Field::leaf).collect();
    let mut issue = licence(LICENCE);
    issue.commitment.fields = commit(&leaves);
    let tx = chain.transaction(0, 1, vec![licence("another"), issue]);
    let ids: Vec<_> = tx.records().collect();
    chain.commit(vec![tx]);
    let with: Proof = chain.prove_record(&ids[1]);
    let without = proof::encode(&chain.prove_record(&ids[0]));
    let made = |names: &[&str]| {
        let shown = |field: &Field| names.contains(&field.name.as_str());
        Presentation::of(&proof::encode(&with), &fields(), shown).expect("these are its fields")
    };
    let one = made(&["证照有效期截至"]);
    let changed = |change: &dyn Fn(&mut Presentation)| {
        let mut made = one.clone();
        change(&mut made);
        made.encode()
    };
    let mut unsealed = one.encode();
    *unsealed.last_mut().expect("it is not empty") ^= 1;
    let mut later = one.encode();
    later[8] = 2;
    let foreign = Chain::new("elsewhere", 4).genesis().chain();
    let rows = [
        ("one field of five", one.encode()),
        ("two that do not stand side by side", made(&["备注", "证照有效期截至"]).encode()),
        (
            "all of them",
            made(&["证照有效期截至", "证照标识", "持证主体名称", "面积", "备注"]).encode(),
        ),
        ("another value", changed(&|made| made.fields[0].1.value = "\"20991231\"".into())),
        ("another salt", changed(&|made| made.fields[0].1.salt[0] ^= 1)),
        ("another number of fields", changed(&|made| made.count = 6)),
        ("a salt that is too short", changed(&|made| made.fields[0].1.salt.truncate(15))),
        ("no field", changed(&|made| made.fields.clear())),
        ("a field beyond the last", changed(&|made| made.fields[0].0 = 5)),
        ("a node too many", changed(&|made| made.nodes.push(types::Hash::ZERO))),
        ("a claim that is not there", changed(&|made| made.claim = 1)),
        ("a record without fields", changed(&|made| made.proof.clone_from(&without))),
        (
            "a proof of another chain",
            changed(&|made| {
                made.proof = proof::encode(&Proof { chain: foreign, ..with.clone() });
            }),
        ),
        ("no proof inside", changed(&|made| made.proof.clear())),
        ("a seal that is not its own", unsealed),
        ("another version", later),
        ("cut off", one.encode()[..100].to_vec()),
        ("another magic", proof::encode(&with)),
    ];
    let root = chain.trust_root();
    let judged = rows.iter().map(|(description, bytes)| {
        let (result, code, fields) = judge(bytes, &root);
        json!({ "description": description, "bytes": hex(bytes), "result": result, "code": code, "fields": fields })
    });
    json!({
        "description": "Presentations, what each shows, and why some show nothing (FORMAT.md, Presentation).",
        "genesis": chain.genesis().to_toml(),
        "presentations": judged.collect::<Vec<_>>(),
    })
}

fn judge(
    bytes: &[u8],
    root: &proof::TrustRoot,
) -> (&'static str, Option<&'static str>, Vec<[String; 2]>) {
    let refused = |code, undecided: bool| {
        (if undecided { "cannot-check" } else { "not-proven" }, Some(code), Vec::new())
    };
    match proof::present(bytes, root) {
        Err(error) => refused(error.code(), error.is_undecided()),
        Ok(showing) => match (showing.verdict.error(), showing.fields) {
            (Some(error), _) => refused(error.code(), error.is_undecided()),
            (None, Err(error)) => refused(error.code(), false),
            (None, Ok(shown)) => {
                let row = |field: &Field| [field.name.to_string(), field.value.clone()];
                ("proven", None, shown.fields.iter().map(row).collect())
            }
        },
    }
}
