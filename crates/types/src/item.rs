//! Service items in more detail: what a version commits to, field by field; predecessors, successors, and named lists.

use crate::{
    agency::{AgencyCode, Level, Region},
    fields::{self, FieldName},
    hash::Hash,
    operation::{BasicCode, ItemCode},
    text::Text,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// The most elements one version of an item may have; also the most that can be uniform.
pub const ELEMENTS_MAX: usize = 64;
/// The most items that may be merged into one, or that one may be split into.
pub const RELATIVES_MAX: usize = 32;
/// The most items one list may name.
pub const MEMBERS_MAX: usize = 2048;
/// The most things one entrustment may name.
pub const TASKS_MAX: usize = 16;

/// A list's name, such as 高频事项清单.
pub type ListName = Text<96>;

/// One element of an item, committed to: the name in the clear, the value as a leaf of the tree of fields, without salt.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Element {
    /// Its name, as the national directory has it: 事项名称.
    pub name: FieldName,
    /// [`fields::leaf`] of the name and the canonical form of the value. Items are public, so there is no salt.
    pub leaf: Hash,
}

impl Element {
    /// An element with a value in canonical form.
    #[must_use]
    pub fn new(name: FieldName, value: &[u8]) -> Self {
        let leaf = fields::leaf(&name, &[], value);
        Self { name, leaf }
    }
}

/// A version of an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edition {
    /// 事项版本.
    pub version: u32,
    /// 计划取消日期.
    pub planned_cancel: Option<Timestamp>,
    /// Every element of the item's document, by ascending name.
    pub elements: Vec<Element>,
}

/// An item that ends in a merger.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Predecessor {
    /// 实施编码.
    pub code: ItemCode,
    /// 基本编码.
    pub basic: BasicCode,
}

/// An item that comes into being by a split, as its first version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Successor {
    /// 实施编码.
    pub code: ItemCode,
    /// 基本编码.
    pub basic: BasicCode,
    /// 行使层级.
    pub level: Level,
    /// Where it is exercised.
    pub region: Region,
    /// 计划取消日期.
    pub planned_cancel: Option<Timestamp>,
    /// Every element of its document, by ascending name.
    pub elements: Vec<Element>,
}

/// What the fields of a commitment are when an operation brings these elements, list after list.
#[must_use]
pub fn elements_root<'e>(lists: impl IntoIterator<Item = &'e [Element]>) -> Hash {
    let leaves: Vec<Hash> = lists.into_iter().flatten().map(|element| element.leaf).collect();
    fields::root(&leaves)
}

/// Whether text has the shape of an implementation code, 实施编码: 24 to 36 digits and capitals.
#[must_use]
pub fn is_item_code(text: &str) -> bool {
    (24..=36).contains(&text.len()) && is_code(text)
}

/// Whether text has the shape of a basic code, 基本编码: digits and capitals.
#[must_use]
pub fn is_basic_code(text: &str) -> bool {
    !text.is_empty() && is_code(text)
}

/// Who exercises an item, 实施主体代码, where its implementation code says so: one of 31 characters begins with that, and others
/// have no parts.
#[must_use]
pub fn organisation(code: &str) -> Option<AgencyCode> {
    if code.len() != 31 {
        return None;
    }
    AgencyCode::new(code.get(..18)?).ok()
}

fn is_code(text: &str) -> bool {
    text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'A'..=b'Z'))
}

/// An act on a named list of items, 专题清单.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListAction {
    /// The list.
    pub name: ListName,
    /// The region whose catalogue it is a part of.
    pub region: Region,
    /// What is done.
    pub verb: ListVerb,
}

/// What can be done to a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ListVerb {
    /// Draw it up, as version 1.
    Publish {
        /// Its items, in ascending order.
        members: Vec<ItemCode>,
    },
    /// Replace it.
    Amend {
        /// One more than the version it supersedes.
        version: u32,
        /// Its items, in ascending order.
        members: Vec<ItemCode>,
    },
    /// Give it up for good.
    Cancel,
}

impl ListVerb {
    /// The items that the list names after the act.
    #[must_use]
    pub fn members(&self) -> &[ItemCode] {
        match self {
            Self::Publish { members } | Self::Amend { members, .. } => members,
            Self::Cancel => &[],
        }
    }
}

/// The digest of a list: the root over its items, in order.
#[must_use]
pub fn members_root(members: &[ItemCode]) -> Hash {
    let leaves: Vec<Hash> =
        members.iter().map(|code| fields::leaf("item", &[], code.as_bytes())).collect();
    fields::root(&leaves)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_a_shape() {
        for (text, item, basic) in [
            ("11370800MB285591843370117002011", true, true),
            ("113708000000000000000012", true, true),
            ("11370800000000000000001", false, true),
            ("11370800MB2855918433701170020111111111", false, true),
            ("11370800mb285591843370117002011", false, false),
            ("11370800MB28559184-370117002011", false, false),
            ("", false, false),
            ("省", false, false),
        ] {
            assert_eq!((is_item_code(text), is_basic_code(text)), (item, basic), "{text}");
        }
    }

    #[test]
    fn a_code_of_31_characters_says_who_exercises_the_item() {
        let named = "113500000035912564";
        for (text, want) in [
            ("1135000000359125642350117002011", Some(named)),
            ("113500000035912564235011700201", None),
            ("11350000003591256423501170020110", None),
            ("1135000000359125652350117002011", None),
            ("1135000000359125省350117002011", None),
            ("", None),
        ] {
            let want = want.map(|code| AgencyCode::new(code).unwrap());
            assert_eq!(organisation(text), want, "{text}");
        }
    }

    #[test]
    fn a_list_is_its_items_in_order() {
        let code = |n: u32| ItemCode::new(format!("{n:024}")).unwrap();
        let one = members_root(&[code(1), code(2)]);
        assert_ne!(one, members_root(&[code(2), code(1)]));
        assert_ne!(one, members_root(&[code(1)]));
        assert_ne!(one, members_root(&[code(1), code(2), code(2)]));
        assert_eq!(one, members_root(&[code(1), code(2)]));
    }

    #[test]
    fn elements_are_one_tree() {
        let element =
            |name: &str, value: &str| Element::new(name.parse().unwrap(), value.as_bytes());
        let (a, b, c) = (element("a", "1"), element("b", "1"), element("a", "2"));
        let both = elements_root([std::slice::from_ref(&a), std::slice::from_ref(&b)]);
        assert_eq!(both, elements_root([[a.clone(), b.clone()].as_slice()]));
        assert_ne!(both, elements_root([&[b, a.clone()][..]]));
        assert_ne!(elements_root([&[a][..]]), elements_root([&[c][..]]));
    }
}
