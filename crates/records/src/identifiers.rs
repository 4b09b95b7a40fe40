//! The identifiers of e-licences, service items and seed labels: their parts, and their check characters.

pub use types::identifier::{LicenceIdentifier, LicenceIdentifierError};
use types::{AgencyCode, Level};

/// A service item's implementation code of 31 characters: an organisation, a level, a basic code of 12.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemCodeParts<'a> {
    /// 实施主体代码.
    pub organisation: AgencyCode,
    /// 行使层级.
    pub level: Level,
    /// 基本编码.
    pub basic: &'a str,
}

impl<'a> ItemCodeParts<'a> {
    /// Takes a code of 31 characters apart; `None` if it is not one. Other schemes have 24 to 36 characters and no parts.
    #[must_use]
    pub fn parse(code: &'a str) -> Option<Self> {
        if code.len() != 31 || !code.is_ascii() {
            return None;
        }
        let basic = &code[19..];
        Some(Self {
            organisation: AgencyCode::new(&code[..18]).ok()?,
            level: level(&code[18..19])?,
            basic: basic
                .bytes()
                .all(|c| matches!(c, b'0'..=b'9' | b'A'..=b'Z'))
                .then_some(basic)?,
        })
    }
}

/// A level's code in one digit.
pub(crate) fn level(text: &str) -> Option<Level> {
    if text.len() == 1 { text.parse().ok().and_then(Level::from_code) } else { None }
}

/// A seed label's code, 农作物种子标签二维码: four lines in this order (农业部办公厅, 2016-09-18).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeedLabel<'a> {
    /// 品种名称.
    pub variety: &'a str,
    /// 生产经营者或进口商名称.
    pub producer: &'a str,
    /// 单元识别代码: at most 20 digits and letters, never used again.
    pub unit: &'a str,
    /// 追溯网址.
    pub address: &'a str,
}

impl<'a> SeedLabel<'a> {
    /// Takes a label's text apart.
    ///
    /// # Errors
    /// Which rule it breaks.
    pub fn parse(text: &'a str) -> Result<Self, &'static str> {
        let lines: Vec<&'a str> =
            text.split('\n').map(|line| line.trim_end_matches('\r')).collect();
        let [variety, producer, unit, address] = *lines.as_slice() else {
            return Err("a seed label has four lines: variety, producer, unit code, address");
        };
        if variety.trim().is_empty() || producer.trim().is_empty() {
            return Err(
                "the variety and the producer are named on the first two lines of a seed label",
            );
        }
        if !(1..=20).contains(&unit.len()) || !unit.bytes().all(|c| c.is_ascii_alphanumeric()) {
            return Err("the unit code of a seed label is 1 to 20 digits and letters");
        }
        if !(address.starts_with("http://") || address.starts_with("https://"))
            || address.contains(' ')
        {
            return Err("the fourth line of a seed label is a web address");
        }
        Ok(Self { variety, producer, unit, address })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Region;

    #[test]
    fn item_codes_and_seed_labels_are_taken_apart() {
        let code = ItemCodeParts::parse("11370800MB285591843370117002011").unwrap();
        assert_eq!((code.level, code.basic), (Level::City, "370117002011"));
        assert_eq!(code.organisation.region(), Region::new("370800"));
        for bad in [
            "11370800MB28559184337011700201",
            "11370800MB285591853370117002011",
            "11370800MB285591847370117002011",
            "",
        ] {
            assert!(ItemCodeParts::parse(bad).is_none(), "{bad}");
        }
        let label = SeedLabel::parse(
            "闽优示例1号\n某种业公司\n35070010500000000001\nhttps://example.cn/s/1",
        )
        .unwrap();
        assert_eq!((label.variety, label.unit), ("闽优示例1号", "35070010500000000001"));
        for bad in [
            "闽优示例1号\n某种业公司\n350700105000000000012\nhttps://example.cn/s/1",
            "闽优示例1号\n某种业公司\n35-07\nhttps://example.cn/s/1",
            "闽优示例1号\n某种业公司\n1",
            "闽优示例1号\n \n1\nhttps://example.cn/s/1",
            "闽优示例1号\n某种业公司\n1\nexample.cn",
            "",
        ] {
            assert!(SeedLabel::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_vectors_agree() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../../shared/data/cn/id-vectors.json");
        let Ok(text) = std::fs::read_to_string(&path) else {
            println!("skipped: {} is not here", path.display());
            return;
        };
        let vectors: serde_json::Value = serde_json::from_str(&text).unwrap();
        let rows = |name: &str, key: &str| {
            let rows = vectors[name].as_array().unwrap().clone();
            rows.into_iter()
                .map(|row| (row[key].as_str().unwrap().to_owned(), row["valid"].as_bool().unwrap()))
                .collect::<Vec<_>>()
        };
        for (code, valid) in rows("uscc", "code") {
            assert_eq!(AgencyCode::new(&code).is_ok(), valid, "{code}");
        }
        for (id, valid) in rows("elicence", "id") {
            assert_eq!(LicenceIdentifier::parse(&id).is_ok(), valid, "{id}");
        }
        for (code, valid) in rows("item_code", "code") {
            assert_eq!(ItemCodeParts::parse(&code).is_some(), valid, "{code}");
        }
    }
}
