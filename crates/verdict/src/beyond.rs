//! What a verified file shows beyond its claims: fields that were disclosed, and where a licence stood at a time.

use crate::{
    report::Report,
    speech::{self, Lang, Mark, Step, say},
};
use proof::{Claim, Disclosed, Hashed, PresentationError, StoodError, Verdict, stood_at};
use serde_json::{Value, json};
use types::{Subject, Timestamp, fields::FieldName, standing::Standing};

/// What inspectors call the fields of a licence, beside the words of the directory.
pub const FIELD_NAMES: [(&str, &str); 17] = [
    ("identifier", "证照标识"),
    ("type", "证照类型名称"),
    ("type code", "证照类型代码"),
    ("number", "证照编号"),
    ("name", "证照名称"),
    ("version", "证照版本号"),
    ("issue date", "证照颁发日期"),
    ("issuer", "证照颁发机构名称"),
    ("issuer code", "证照颁发机构代码"),
    ("definer code", "证照定义机构代码"),
    ("valid from", "证照有效期起始"),
    ("valid until", "证照有效期截至"),
    ("region", "证照所属管辖属地编码"),
    ("holder", "持证主体名称"),
    ("holder code", "持证主体代码"),
    ("holder code type", "持证主体代码类型"),
    ("item code", "关联事项代码"),
];

/// A field's name for people: as recorded, and in English where that has a word for it.
#[must_use]
pub fn called(lang: Lang, name: &FieldName) -> String {
    match (lang, FIELD_NAMES.iter().find(|(_, zh)| *zh == name.as_str())) {
        (Lang::En, Some((en, _))) => format!("{en} ({name})"),
        (Lang::En, None) | (Lang::Zh, _) => name.to_string(),
    }
}

/// Where the licences of a proof stood, or why it does not say.
type Stood = Result<Vec<(Subject, Standing)>, StoodError>;

/// What was asked beyond the claims, and what came of it.
#[derive(Debug, Default)]
pub struct Beyond {
    /// The fields of a presentation.
    pub fields: Option<Result<Disclosed, PresentationError>>,
    /// The hashes that lead from them to what was recorded.
    pub hashes: Vec<Hashed>,
    /// Where licences stood; none of it while the proof does not hold.
    pub stood: Option<(Timestamp, Option<Stood>)>,
}

impl Beyond {
    /// Asks a proof where its licences stood.
    pub fn ask(&mut self, at: Option<Timestamp>, verdict: &Verdict) {
        self.stood = at.map(|at| (at, verdict.proven().map(|proven| stood_at(proven, at))));
    }

    /// The code of what does not hold, or cannot be told.
    pub const fn code(&self) -> Option<(bool, &'static str)> {
        if let Some(Err(error)) = &self.fields {
            return Some((true, error.code()));
        }
        match &self.stood {
            Some((_, Some(Err(error)))) => Some((false, error.code())),
            Some((_, Some(Ok(_)) | None)) | None => None,
        }
    }

    /// The steps beyond those of the claims.
    pub fn steps(&self, lang: Lang, proven: bool) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut push = |check, title, mark, code, text| {
            steps.push(Step { check, claim: None, mark, code, title, text });
        };
        match &self.fields {
            Some(Ok(shown)) if proven => {
                let (some, all) = (shown.fields.len(), shown.count);
                let are = if some == 1 { "is" } else { "are" };
                let text = say!(
                    lang,
                    "{some} of the {all} fields that were committed to {are} shown, each under its salt",
                    "在已承诺的 {all} 个字段中出示 {some} 个，各与其盐相符"
                );
                push("fields", lang.pick("fields", "字段披露"), Mark::Passed, None, text);
            }
            Some(Ok(_)) => {
                let text = lang.pick("not evaluated", "未作判断").to_owned();
                push("fields", lang.pick("fields", "字段披露"), Mark::NotEvaluated, None, text);
            }
            Some(Err(error)) => {
                let (text, code) = (field_problem(lang, error), Some(error.code()));
                push("fields", lang.pick("fields", "字段披露"), Mark::Failed, code, text);
            }
            None => {}
        }
        if let Some((at, stood)) = &self.stood {
            let title = lang.pick("at time", "时点状态");
            match stood {
                Some(Ok(all)) => {
                    for (subject, standing) in all {
                        let text = speech::usage::stood(lang, &subject.id, *at, *standing);
                        push("standing", title, Mark::Passed, None, text);
                    }
                }
                Some(Err(error)) => {
                    let (text, code) = (stood_problem(lang, error), Some(error.code()));
                    push("standing", title, Mark::NotEvaluated, code, text);
                }
                None => {
                    let text = lang.pick("not evaluated", "未作判断").to_owned();
                    push("standing", title, Mark::NotEvaluated, None, text);
                }
            }
        }
        steps
    }

    /// What is shown and what is not, a sentence each; only of what is proven.
    pub fn meaning(&self, lang: Lang, report: &Report) -> (Vec<String>, Vec<String>) {
        let (mut yes, mut no) = (Vec::new(), Vec::new());
        if let Some(Ok(shown)) = &self.fields {
            let of = committed_by(lang, shown, report);
            let rows: Vec<String> = shown
                .fields
                .iter()
                .map(|field| {
                    let (name, value) = (called(lang, &field.name), speech::clean(&field.value));
                    format!("{name}: {value}")
                })
                .collect();
            let (rows, hidden) =
                (rows.join("\n"), usize::try_from(shown.count).unwrap_or(0) - shown.fields.len());
            yes.push(say!(
                lang,
                "{of} committed to these fields of the document, word for word:\n{rows}",
                "{of}承诺文件含有以下字段（逐字）：\n{rows}"
            ));
            no.push(say!(
                lang,
                "Anything of the other {hidden} fields: what the record itself does not say in the clear is not in this file. That \
                 whoever hands it over is the holder: it can be handed on.",
                "其余 {hidden} 个字段：除记录本身公开载明者外，名称与内容均不在本文件中。出示人是否为持证主体：本文件可以转交。"
            ));
        }
        if let Some((at, Some(Ok(all)))) = &self.stood {
            for (subject, standing) in all {
                let (word, time) = (speech::usage::standing(lang, *standing), at.in_china());
                let what = speech::thing(lang, subject);
                yes.push(say!(
                    lang,
                    "At {time} {what} was {word}, by all that was recorded up to the block, annulments that reach back included.",
                    "{time} 时，{what} 的状态为：{word}（依截至该区块的全部记录，含溯及既往的撤销）。"
                ));
            }
        }
        (yes, no)
    }

    /// The same for programs.
    pub fn json(&self) -> Value {
        let fields = match &self.fields {
            Some(Ok(shown)) => json!({
                "claim": shown.claim,
                "count": shown.count,
                "disclosed": shown.fields.iter().map(|field| json!({
                    "name": field.name.as_str(),
                    "value": field.value,
                })).collect::<Vec<_>>(),
            }),
            Some(Err(_)) | None => Value::Null,
        };
        let stood = match &self.stood {
            Some((at, Some(Ok(all)))) => all
                .iter()
                .map(|(subject, standing)| {
                    json!({
                        "subject": subject.to_string(), "at": at,
                        "standing": speech::usage::word(*standing), "valid": standing.is_valid(),
                    })
                })
                .collect(),
            Some((_, Some(Err(_)) | None)) | None => Value::Null,
        };
        json!({ "fields": fields, "standing": stood })
    }

    /// Why what was asked beyond the claims is not answered, with what to do.
    pub fn reason(&self, lang: Lang) -> Option<String> {
        if let Some(Err(error)) = &self.fields {
            return Some(field_problem(lang, error));
        }
        match &self.stood {
            Some((_, Some(Err(error)))) => Some(stood_problem(lang, error)),
            Some((_, Some(Ok(_)) | None)) | None => None,
        }
    }
}

/// Who committed to fields, and for what: a proof may show records of several.
fn committed_by(lang: Lang, shown: &Disclosed, report: &Report) -> String {
    let claim = report.proof().and_then(|proof| proof.claims.get(shown.claim));
    let Some(Claim::Record(claim)) = claim else {
        return lang.pick("The agency that signed the record", "签署该记录的机构").to_owned();
    };
    let who = speech::agency(lang, &claim.transaction.agency, report);
    let act = speech::act(lang, &claim.operation.action);
    say!(lang, "For the {act}, {who}", "{act}：{who}")
}

fn field_problem(lang: Lang, error: &PresentationError) -> String {
    match error {
        PresentationError::Record { .. } => lang.pick(
            "the proof inside shows no record that commits to fields, so nothing can be said of these",
            "其中的证明未显示承诺了字段的记录，无法判断所出示字段",
        ),
        PresentationError::List | PresentationError::Path { .. } => lang.pick(
            "the fields do not stand as a presentation has them: it was changed or made wrongly",
            "字段的排列不符合出示文件的规则：文件被改动或制作有误",
        ),
        PresentationError::Mismatch { .. } => lang.pick(
            "a value, a name or a salt shown here is not the one that was recorded",
            "所出示的内容、名称或盐与所记录的不符",
        ),
        PresentationError::Seal => lang.pick(
            "the presentation was changed after it was made",
            "出示文件在制作后被改动",
        ),
    }
    .to_owned()
}

fn stood_problem(lang: Lang, error: &StoodError) -> String {
    match error {
        StoodError::Nothing => lang
            .pick(
                "the file shows no licence's state; ask for one that does: minlian status licence:… --at … --proof FILE",
                "文件未显示任何证照的状态；请索取：minlian status licence:… --at … --proof FILE",
            )
            .to_owned(),
        StoodError::Incomplete { shown, records, .. } => say!(
            lang,
            "the file shows {shown} of the licence's {records} records, and all are needed: minlian status licence:… --at … --proof FILE",
            "文件仅含该证照 {records} 条记录中的 {shown} 条，须全部具备：minlian status licence:… --at … --proof FILE"
        ),
        StoodError::Later { until, .. } => {
            let until = until.in_china();
            say!(
                lang,
                "the file is as of {until}, and cannot say what came after; ask for a newer one",
                "文件截至 {until}，无法说明其后的情况；请索取更新的证明"
            )
        }
    }
}
