//! The catalogue row by row: what may be done to items and lists, every refusal by its code, and what no sequence may do.

use crate::fixture::{self, code as agency, item_role, region, secret};
use crate::{Memory, Pool, PoolLimits, Rules, Tip, execute::tip, propose, query};
use proptest::{collection::vec, prelude::*};
use std::collections::BTreeMap;
use types::{
    AgencyCode, Digest, Genesis, Hash, Height, Level, Operation, Region, Role, Subject, Timestamp,
    Transaction,
    authority::{Change, Governance, Target},
    genesis::GovernanceRules,
    item::{
        Edition, Element, ListAction, ListVerb, Predecessor, Successor, elements_root, members_root,
    },
    operation::{Action, BasicCode, Commitment, Grade, ItemAction, ItemCode, ItemVerb, Provenance},
    subject::{Facts, Status},
};

/// Documents begin to have effect at this time, and an end is later.
const FROM: Timestamp = Timestamp(1000);

/// The province, which also governs alone; a city below it, with items; another province's office; below the city, no role.
fn genesis() -> Genesis {
    let licences = Role::Licence {
        types: vec!["1".parse().unwrap(), "2".parse().unwrap()],
        regions: vec![region("350000")],
    };
    let all = fixture::agencies([
        (Level::Province, None, vec![item_role("350000"), licences, Role::Govern {}]),
        (Level::City, Some(0), vec![item_role("350100")]),
        (Level::Province, None, vec![item_role("360000")]),
        (Level::County, Some(1), vec![]),
    ]);
    let governance = GovernanceRules { approval_percent: 51, open_heights: 10, lead_heights: 3 };
    Genesis { governance, ..fixture::genesis(all) }
}

/// A code of 24 characters that begins like this; `!x` is one that is not written as codes are.
fn code(name: &str) -> ItemCode {
    match name.strip_prefix('!') {
        Some(odd) => odd.parse().unwrap(),
        None => format!("{name:0<24}").parse().unwrap(),
    }
}

/// `p`, `c`, `k`: the province, a city, a county; `o`: another province. Two letters: a level, and the place of another.
fn place(letter: &str) -> (Level, Region) {
    if let Some((level, other)) = letter.split_at_checked(1).filter(|(_, other)| !other.is_empty())
    {
        let level = if level == "n" { Level::National } else { place(level).0 };
        return (level, place(other).1);
    }
    match letter {
        "p" => (Level::Province, region("350000")),
        "c" => (Level::City, region("350100")),
        "k" => (Level::County, region("350122")),
        "o" => (Level::Province, region("360000")),
        _ => panic!("{letter}"),
    }
}

fn elements(names: &str) -> Vec<Element> {
    let element = |name: &str| Element::new(name.parse().unwrap(), b"1");
    names.split(',').filter(|name| !name.is_empty()).map(element).collect()
}

/// What is done, in a line. Words `end=`, `has=`, `root=`, `from=` change the usual.
///
/// `enter A B p 1`, `revise A B p 2`, `hold`, `release` and `withdraw A B p`, `merge A B p 1 X/B Y/B`,
/// `split A B p X/B/p Y/B/c`, `entrust A B p 1 accept,decide`, `publish LIST p A,B`, `amend LIST p 2 A,B`, `drop LIST p`,
/// `uniform a,b`.
fn operation(line: &str, nonce: u64) -> Operation {
    let (options, words): (Vec<&str>, Vec<&str>) =
        line.split(' ').partition(|word| word.contains('='));
    let option =
        |name: &str| options.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let effective_from = option("from").map_or(FROM, |from| Timestamp(from.parse().unwrap()));
    let planned_cancel = option("end").map(|end| Timestamp(end.parse().unwrap()));
    let has = option("has").unwrap_or("a,b");
    let word = |n: usize| words.get(n).copied().unwrap_or("");
    let edition = |version: &str| Edition {
        version: version.parse().unwrap(),
        planned_cancel,
        elements: elements(has),
    };
    let mut fields = Some(elements_root([elements(has).as_slice()]));
    let members = |list: &str| list.split(',').filter(|m| !m.is_empty()).map(code).collect();
    let verb = match word(0) {
        "old-publish" => ItemVerb::Publish { version: word(4).parse().unwrap(), planned_cancel },
        "old-amend" => ItemVerb::Amend { version: word(4).parse().unwrap(), planned_cancel },
        "enter" => ItemVerb::Enter(edition(word(4))),
        "revise" => ItemVerb::Revise(edition(word(4))),
        "hold" => ItemVerb::Suspend,
        "release" => ItemVerb::Resume,
        "withdraw" => ItemVerb::Cancel,
        "merge" => ItemVerb::Merge {
            edition: edition(word(4)),
            predecessors: words[5..]
                .iter()
                .map(|other| {
                    let (old, basic) = other.split_once('/').unwrap();
                    Predecessor { code: code(old), basic: basic.parse().unwrap() }
                })
                .collect(),
        },
        "split" => {
            let successors: Vec<Successor> = words[4..]
                .iter()
                .map(|other| {
                    let parts: Vec<&str> = other.split('/').collect();
                    let (level, region) = place(parts[2]);
                    Successor {
                        code: code(parts[0]),
                        basic: parts[1].parse().unwrap(),
                        level,
                        region,
                        planned_cancel,
                        elements: elements(has),
                    }
                })
                .collect();
            fields = Some(elements_root(successors.iter().map(|new| new.elements.as_slice())));
            ItemVerb::Split { successors }
        }
        "entrust" => ItemVerb::Entrust {
            to: agency(word(4).parse().unwrap()),
            tasks: word(5)
                .split(',')
                .filter(|t| !t.is_empty())
                .map(|t| t.parse().unwrap())
                .collect(),
            until: planned_cancel,
        },
        // Of lists and governance there is no verb.
        _ => ItemVerb::Suspend,
    };
    let list = |verb| {
        Action::List(ListAction { name: word(1).parse().unwrap(), region: place(word(2)).1, verb })
    };
    let action = match word(0) {
        "publish" => list(ListVerb::Publish { members: members(word(3)) }),
        "amend" => {
            list(ListVerb::Amend { version: word(3).parse().unwrap(), members: members(word(4)) })
        }
        "drop" => list(ListVerb::Cancel),
        "uniform" => {
            let names = word(1).split(',').filter(|n| !n.is_empty()).map(|n| n.parse().unwrap());
            Action::Govern(Governance::Propose(Box::new(Change::Elements(names.collect()))))
        }
        _item => {
            let (level, region) = place(word(3));
            Action::Item(ItemAction {
                code: code(word(1)),
                basic: word(2).parse().unwrap(),
                level,
                region,
                verb,
            })
        }
    };
    if let Some(root) = option("root") {
        fields = (root != "none").then_some(Hash::ZERO);
    }
    let digest = Digest::blake3(&nonce.to_le_bytes());
    Operation {
        action,
        commitment: Commitment { document: digest, content: digest, fields },
        effective_from,
        grade: Grade::Public,
        provenance: Provenance {
            system: "test".parse().unwrap(),
            version: "1".parse().unwrap(),
            captured_at: Timestamp(nonce),
        },
    }
}

struct Chain {
    rules: Rules,
    state: Memory,
    tip: Tip,
    nonce: u64,
}

impl Chain {
    fn new() -> Self {
        let (rules, state) = (Rules::new(&genesis()), Memory::default());
        let tip = tip(&rules, &state);
        Self { rules, state, tip, nonce: 0 }
    }

    /// Does what a line says, `AGENCY: …`, in a block of its own: `ok`, or the code of the refusal.
    fn does(&mut self, line: &str) -> &'static str {
        let (who, what) = line.split_once(": ").unwrap();
        self.nonce += 1;
        let act = operation(what, self.nonce);
        self.performs(who.parse().unwrap(), act)
    }

    fn performs(&mut self, who: usize, act: Operation) -> &'static str {
        let chain = *self.rules.chain();
        let until = Height(self.tip.height.0 + 50);
        let tx =
            Transaction::sign(chain, agency(who), &secret(0, who), self.nonce, until, vec![act]);
        let tx = tx.verify(&chain).unwrap();
        let admitted =
            Pool::new(PoolLimits::default()).admit(&self.rules, &self.state, &self.tip, tx.clone());
        let now = self.tip.time.plus(1000);
        let bytes = types::codec::encode(tx.get()).len();
        let (block, outcome, refused) =
            propose(&self.rules, &self.state, &self.tip, now, 1, core::iter::once((&tx, bytes)));
        // What admission says is what execution says.
        assert_eq!(admitted.err(), refused.first().map(|(_, why)| why.clone()));
        fixture::append((&mut self.rules, &mut self.state, &mut self.tip), block, outcome);
        refused.first().map_or("ok", |(_, why)| why.code())
    }

    fn find(&self, subject: &Subject) -> Option<types::SubjectState> {
        query::subject(&self.state, subject)
    }

    fn status(&self, name: &str) -> Option<Status> {
        self.find(&Subject::item(&code(name))).map(|state| state.status)
    }

    fn basic(&self, basic: &str) -> Option<(Status, Facts)> {
        let basic: BasicCode = basic.parse().unwrap();
        self.find(&Subject::basic(&basic)).map(|state| (state.status, state.facts))
    }
}

/// Does all but the last line, which must all be right, and says what became of the last.
fn check(lines: &str, want: &str) {
    let mut chain = Chain::new();
    let lines: Vec<&str> = lines.split("; ").collect();
    let (last, before) = lines.split_last().unwrap();
    for line in before {
        assert_eq!(chain.does(line), "ok", "{line} of {lines:?}");
    }
    assert_eq!(chain.does(last), want, "{lines:?}");
}

const AB: &str = "0: enter A B p 1; 0: enter C B p 1";

#[test]
fn versions_are_consecutive_and_never_used_again() {
    for (lines, want) in [
        ("0: enter A B p 1", "ok"),
        ("0: enter A B p 2", "E-ITEM-VERSION"),
        ("0: enter A B p 1; 0: enter A B p 1", "E-SUB-EXISTS"),
        ("0: enter A B p 1; 0: revise A B p 2; 0: revise A B p 2", "E-ITEM-VERSION"),
        ("0: enter A B p 1; 0: revise A B p 1", "E-ITEM-VERSION"),
        ("0: enter A B p 1; 0: revise A B p 3", "E-ITEM-VERSION"),
        ("0: enter A B p 1; 0: revise A B p 2; 0: revise A B p 3", "ok"),
        ("0: enter A B p 1; 0: old-amend A B p 2; 0: revise A B p 3", "ok"),
        ("0: enter A B p 1; 0: withdraw A B p; 0: enter A B p 1", "E-SUB-EXISTS"),
        ("0: enter A B p 1; 0: withdraw A B p; 0: revise A B p 2", "E-SUB-TERMINAL"),
        ("0: enter A B p 1; 0: withdraw A B p; 0: release A B p", "E-SUB-TERMINAL"),
        ("0: revise A B p 2", "E-SUB-UNKNOWN"),
        ("0: enter A B p 1; 0: release A B p", "E-SUB-STATUS"),
        ("0: enter A B p 1; 0: hold A B p; 0: hold A B p", "E-SUB-STATUS"),
        ("0: enter A B p 1; 0: hold A B p; 0: revise A B p 2", "ok"),
        ("0: enter A B p 1 end=1001", "ok"),
        ("0: enter A B p 1 end=1000", "E-ITEM-DATES"),
        ("0: enter A B p 1; 0: revise A B p 2 end=5", "E-ITEM-DATES"),
        ("0: old-publish A B p 1 end=1000", "E-ITEM-DATES"),
    ] {
        check(lines, want);
    }
}

#[test]
fn only_the_owner_or_the_region_s_agency_acts_and_a_code_stays_what_it_is() {
    for (lines, want) in [
        ("1: enter A B p 1", "E-AUTH-ROLE"),
        ("2: enter A B p 1", "E-AUTH-ROLE"),
        ("3: enter A B c 1", "E-AUTH-ROLE"),
        ("0: enter A B p 1; 1: enter D B c 1", "ok"),
        ("0: enter A B p 1; 1: enter D B k 1; 0: hold D B k", "ok"),
        ("0: enter A B p 1; 1: revise A B p 2", "E-AUTH-ROLE"),
        ("0: enter A B p 1; 3: withdraw A B p", "E-AUTH-ROLE"),
        ("1: enter D B c 1", "E-ITEM-LEVEL"),
        ("0: enter A B p 1; 0: withdraw A B p; 1: enter D B c 1", "E-ITEM-LEVEL"),
        ("0: enter A B p 1; 0: revise A X p 2", "E-ITEM-IDENTITY"),
        ("0: enter A B p 1; 0: hold A B c", "E-ITEM-IDENTITY"),
        ("0: enter !a0000000000000000000000 B p 1", "E-ITEM-CODE"),
        ("0: enter !A B p 1", "E-ITEM-CODE"),
        ("0: enter A b p 1", "E-ITEM-CODE"),
        // A code says whose item it is: taken by that agency, or with a role over its region, and by nobody else.
        ("0: enter A B p 1; 1: enter !11350100MXDEX005873350117002011 B c 1", "ok"),
        ("0: enter A B p 1; 0: enter !11350100MXDEX005873350117002011 B c 1", "ok"),
        ("0: enter A B p 1; 1: enter !11350000MXDEX0015L2350117002011 B c 1", "E-AUTH-ROLE"),
        ("0: enter A B p 1; 1: old-publish !11350000MXDEX0015L2350117002011 B c 1", "E-AUTH-ROLE"),
        ("0: enter !1135000000359125642350117002011 B p 1", "ok"),
        ("2: enter !1135000000359125642350117002011 B o 1", "E-AUTH-ROLE"),
        ("2: enter !11350000MXDEX0031A2350117002011 B o 1", "ok"),
        // A level is what its region is: nobody opens a basic code from a county by calling it a province.
        ("1: enter A B pk 1", "E-ITEM-REGION"),
        ("1: enter A B nk 1", "E-ITEM-REGION"),
        ("1: old-publish A B pc 1", "E-ITEM-REGION"),
        ("0: enter A B np 1", "E-ITEM-REGION"),
        ("0: enter A B p 1; 0: enter D B cp 1", "E-ITEM-REGION"),
        ("0: enter A B p 1; 0: enter D B ck 1", "E-ITEM-REGION"),
        ("0: enter A B p 1; 0: enter D B kc 1", "E-ITEM-REGION"),
        ("0: enter A B p 1; 0: enter C B p 1; 0: split A B p X/B/pc Y/B/p", "E-ITEM-REGION"),
        ("0: enter A B p 1; 0: enter C B p 1; 0: merge M B pc 1 A/B C/B", "E-ITEM-REGION"),
        // Nothing personal, wherever a word may stand.
        ("0: enter A B p 1 has=tel13800138000", "E-REC-PERSONAL"),
        ("0: enter A B p 1; 0: entrust A B p 1 13800138000", "E-REC-PERSONAL"),
        ("0: enter A B p 1; 0: split A B p X/13800138000/p Y/B/p", "E-REC-PERSONAL"),
        ("0: enter A B p 1; 0: split A B p X/B/p Y/B/p has=id11010519491231002X", "E-REC-PERSONAL"),
        ("0: enter A B p 1; 0: merge M B p 1 A/13800138000 C/B", "E-REC-PERSONAL"),
    ] {
        check(lines, want);
    }
    let split = "1: split D B c !11350000MXDEX0015L2350117002011/B/c Y/B/c";
    check(&format!("0: enter A B p 1; 1: enter D B c 1; {split}"), "E-AUTH-ROLE");
}

#[test]
fn elements_are_in_order_committed_to_and_all_there() {
    for (lines, want) in [
        ("0: enter A B p 1 has=", "E-ITEM-ELEMENTS"),
        ("0: enter A B p 1 has=b,a", "E-ITEM-ELEMENTS"),
        ("0: enter A B p 1 has=a,a", "E-ITEM-ELEMENTS"),
        ("0: enter A B p 1 root=none", "E-ITEM-ROOT"),
        ("0: enter A B p 1 root=other", "E-ITEM-ROOT"),
        ("0: uniform a,c; 0: enter A B p 1", "E-ITEM-UNIFORM"),
        ("0: uniform a,c; 0: enter A B p 1 has=a,b,c", "ok"),
        ("0: uniform a,c; 0: old-publish A B p 1", "E-ITEM-UNIFORM"),
        ("0: enter A B p 1; 0: uniform c; 0: revise A B p 2", "E-ITEM-UNIFORM"),
        ("0: enter A B p 1; 0: uniform c; 0: old-amend A B p 2", "E-ITEM-UNIFORM"),
        ("0: enter A B p 1; 0: uniform c; 0: hold A B p", "ok"),
        ("0: uniform c; 0: uniform ; 0: enter A B p 1", "ok"),
        ("0: uniform a,a", "E-GOV-PARAMETER"),
        ("1: uniform a", "E-AUTH-ROLE"),
    ] {
        check(lines, want);
    }
    let many: Vec<String> = (0..65).map(|n| format!("e{n:02}")).collect();
    check(&format!("0: enter A B p 1 has={}", many[..64].join(",")), "ok");
    check(&format!("0: enter A B p 1 has={}", many.join(",")), "E-ITEM-ELEMENTS");
    check(&format!("0: uniform {}", many.join(",")), "E-GOV-PARAMETER");
    let mut chain = Chain::new();
    assert_eq!(chain.does("0: uniform 名称,期限"), "ok");
    let state = chain.find(&Subject::elements()).unwrap();
    assert_eq!((state.version, state.owner, state.records), (2, agency(0), 1));
    assert_eq!(chain.rules.uniform().len(), 2);
    assert_eq!(Rules::load(&genesis(), &chain.state).uniform(), chain.rules.uniform());
    let Governance::Propose(change) = Governance::Propose(Box::new(Change::Elements(Vec::new())))
    else {
        panic!("proposed")
    };
    assert_eq!(change.target(), Target::Elements);
}

#[test]
fn items_are_merged_and_split() {
    let three = "0: enter A B p 1; 0: enter C B p 1; 1: enter D B c 1";
    for (before, last, want) in [
        (AB, "0: merge M B p 1 A/B C/B", "ok"),
        (AB, "0: merge A B p 2 C/B", "ok"),
        (AB, "0: merge M B p 1 A/B", "E-ITEM-PREDECESSORS"),
        (AB, "0: merge A B p 2", "E-ITEM-PREDECESSORS"),
        (AB, "0: merge M B p 1 C/B A/B", "E-ITEM-PREDECESSORS"),
        (AB, "0: merge M B p 1 A/B A/B", "E-ITEM-PREDECESSORS"),
        (AB, "0: merge A B p 2 A/B C/B", "E-ITEM-ITSELF"),
        (AB, "0: merge M B p 2 A/B C/B", "E-SUB-UNKNOWN"),
        (AB, "0: merge A B p 3 C/B", "E-ITEM-VERSION"),
        (AB, "0: merge M B p 1 A/B X/B", "E-SUB-UNKNOWN"),
        (AB, "0: merge M B p 1 A/X C/B", "E-ITEM-IDENTITY"),
        (AB, "0: merge M B p 1 A/B C/B root=other", "E-ITEM-ROOT"),
        (AB, "0: merge M B p 1 A/B C/B end=7", "E-ITEM-DATES"),
        (AB, "0: merge !m B p 1 A/B C/B", "E-ITEM-CODE"),
        (AB, "1: merge M B p 1 A/B C/B", "E-AUTH-ROLE"),
        (AB, "1: merge M B c 1 A/B C/B", "E-AUTH-ROLE"),
        // The opening entry may not be merged into one of a lower level, under which others would stand on nothing.
        (three, "0: merge D B c 2 A/B", "E-ITEM-LEVEL"),
        (three, "0: merge D B c 2 C/B", "ok"),
        (AB, "0: split A B p X/B/p Y/B/p", "ok"),
        (AB, "0: split A B p X/B/p Y/B/c", "ok"),
        (AB, "0: split A B p X/B/c Y/B/c", "E-ITEM-LEVEL"),
        (AB, "0: split C B p X/B/c Y/B/c", "ok"),
        (AB, "0: split A B p X/N/p Y/N/p", "ok"),
        (AB, "0: split A B p X/B/p", "E-ITEM-SUCCESSORS"),
        (AB, "0: split A B p Y/B/p X/B/p", "E-ITEM-SUCCESSORS"),
        (AB, "0: split A B p X/B/p X/B/p", "E-ITEM-SUCCESSORS"),
        (AB, "0: split A B p A/B/p X/B/p", "E-ITEM-ITSELF"),
        (AB, "0: split A B p C/B/p X/B/p", "E-SUB-EXISTS"),
        (AB, "0: split A B p X/B/p Y/B/o", "E-AUTH-ROLE"),
        (AB, "0: split A B p X/N/c Y/N/c", "E-ITEM-LEVEL"),
        (AB, "0: split Z B p X/B/p Y/B/p", "E-SUB-UNKNOWN"),
        (AB, "0: split A B c X/B/p Y/B/p", "E-ITEM-IDENTITY"),
        (AB, "0: split A B p X/B/p Y/B/p end=7", "E-ITEM-DATES"),
        (AB, "0: split A B p X/B/p Y/B/p has=", "E-ITEM-ELEMENTS"),
    ] {
        check(&format!("{before}; {last}"), want);
    }
    for after in
        ["0: revise A B p 2", "0: hold A B p", "0: withdraw A B p", "0: split A B p X/B/p Y/B/p"]
    {
        check(&format!("{AB}; 0: merge M B p 1 A/B C/B; {after}"), "E-SUB-TERMINAL");
    }
    check(&format!("{AB}; 0: split A B p X/B/p Y/B/p; 0: merge M B p 1 A/B C/B"), "E-SUB-TERMINAL");
}

#[test]
fn a_successor_keeps_open_what_its_predecessor_opened() {
    let does = |lines: &[&str]| {
        let mut chain = Chain::new();
        for line in lines {
            assert_eq!(chain.does(line), "ok", "{line}");
        }
        chain
    };
    let [first, second] = ["0: enter A B p 1", "0: enter C B p 1"];
    let chain = does(&[first, second, "0: merge M B p 1 A/B C/B", "1: enter D B c 1"]);
    assert_eq!(chain.status("A"), Some(Status::Superseded));
    assert_eq!(chain.status("C"), Some(Status::Superseded));
    assert_eq!(chain.status("M"), Some(Status::Active));
    let (status, facts) = chain.basic("B").unwrap();
    let opener = Facts::Basic { level: Level::Province, opener: code("M") };
    assert_eq!((status, facts), (Status::Active, opener));
    // Both histories tell of it: the item's that ended, and that of the basic code.
    let history = query::history(&chain.state, &Subject::item(&code("A")), 0, 10);
    assert_eq!(history.len(), 2);
    assert_eq!(history[1].part, types::subject::Part::Superseded);
    let basic = Subject::basic(&"B".parse().unwrap());
    assert_eq!(query::history(&chain.state, &basic, 0, 10).len(), 4);

    let chain = does(&[first, second, "0: split A B p X/B/c Y/B/p"]);
    let opener = Facts::Basic { level: Level::Province, opener: code("Y") };
    assert_eq!(chain.basic("B"), Some((Status::Active, opener)));
    // Split into others under another basic code, the old one is closed.
    let mut chain = does(&[first, second, "0: split A B p X/N/p Y/N/p"]);
    assert_eq!(chain.basic("B").unwrap().0, Status::Cancelled);
    assert_eq!(chain.basic("N").unwrap().0, Status::Active);
    assert_eq!(chain.does("1: enter D B c 1"), "E-ITEM-LEVEL");
    assert_eq!(chain.does("1: enter D N c 1"), "ok");
}

#[test]
fn a_basic_code_is_open_until_the_day_its_entry_ends() {
    // The ledger's time is far behind that day, and then past it.
    let later = "from=1700000005000";
    let ended = format!("0: enter A B p 1; 0: withdraw A B p {later}");
    check(&format!("{ended}; 1: enter D B c 1"), "ok");
    check(&format!("{ended}; 1: enter D B c 1 {later}"), "E-ITEM-LEVEL");
    check(&format!("{ended}; 0: hold A B p"), "E-SUB-TERMINAL");
    let filled = "0: enter X N p 1; 0: enter Y N p 1; 0: enter Z N p 1";
    check(&format!("{ended}; {filled}; 1: enter D B c 1"), "E-ITEM-LEVEL");
    check(&format!("0: enter A B p 1; 0: split A B p X/N/p Y/N/p {later}; 1: enter D B c 1"), "ok");
    check("0: enter A B p 1; 0: withdraw A B p; 1: enter D B c 1 from=1", "E-ITEM-LEVEL");
    // An end that is planned is one, too, until another version plans otherwise.
    let planned = "0: enter A B p 1 end=1700000004000";
    check(&format!("{planned}; 1: enter D B c 1"), "ok");
    check(&format!("{planned}; 1: enter D B c 1 from=1700000004000"), "E-ITEM-LEVEL");
    check(&format!("{planned}; {filled}; 1: enter D B c 1"), "E-ITEM-LEVEL");
    check(&format!("{planned}; {filled}; 0: revise A B p 2; 1: enter D B c 1"), "ok");
    let late = format!("{planned}; 0: withdraw A B p from=1900000000000; {filled}");
    check(&format!("{late}; 1: enter D B c 1"), "E-ITEM-LEVEL");
}

#[test]
fn work_is_entrusted_to_others() {
    let one = "0: enter A B p 1";
    for (last, want) in [
        ("0: entrust A B p 1 accept", "ok"),
        ("0: entrust A B p 3 accept,decide end=2000", "ok"),
        ("0: entrust A B p 0 accept", "E-ITEM-ENTRUST"),
        ("0: entrust A B p 1 ", "E-ITEM-ENTRUST"),
        ("0: entrust A B p 1 decide,accept", "E-ITEM-ENTRUST"),
        ("0: entrust A B p 1 accept,accept", "E-ITEM-ENTRUST"),
        ("0: entrust A B p 1 accept end=1000", "E-ITEM-DATES"),
        ("1: entrust A B p 0 accept", "E-AUTH-ROLE"),
        ("0: entrust X B p 1 accept", "E-SUB-UNKNOWN"),
        ("0: hold A B p; 0: entrust A B p 1 accept", "E-SUB-STATUS"),
    ] {
        check(&format!("{one}; {last}"), want);
    }
    let mut chain = Chain::new();
    assert_eq!(chain.does(one), "ok");
    let before = chain.find(&Subject::item(&code("A"))).unwrap();
    assert_eq!(chain.does("0: entrust A B p 1 accept"), "ok");
    let after = chain.find(&Subject::item(&code("A"))).unwrap();
    let whole = |state: &types::SubjectState| (state.version, state.status, state.facts.clone());
    assert_eq!((whole(&before), before.records + 1), (whole(&after), after.records));
    // Nobody is entrusted who is not there, or may not act.
    chain.nonce += 1;
    let mut act = operation("entrust A B p 1 accept", chain.nonce);
    let Action::Item(item) = &mut act.action else { panic!("an item") };
    let ItemVerb::Entrust { to, .. } = &mut item.verb else { panic!("entrusted") };
    *to = AgencyCode::new("113500000035912564").unwrap();
    assert_eq!(chain.performs(0, act), "E-SUB-UNKNOWN");
    chain.nonce += 1;
    let mut suspend = operation("uniform a", chain.nonce);
    let change = Change::Suspend(agency(2));
    suspend.action = Action::Govern(Governance::Propose(Box::new(change)));
    assert_eq!(chain.performs(0, suspend), "ok");
    assert_eq!(chain.does("0: entrust A B p 2 accept"), "E-AUTH-INACTIVE");
}

#[test]
fn lists_name_items_that_are_there() {
    for (last, want) in [
        ("0: publish 高频 p A,C", "ok"),
        ("0: publish 高频 p ", "E-LIST-MEMBERS"),
        ("0: publish 高频 p C,A", "E-LIST-MEMBERS"),
        ("0: publish 高频 p A,A", "E-LIST-MEMBERS"),
        ("0: publish 高频 p A,X", "E-SUB-UNKNOWN"),
        ("0: withdraw C B p; 0: publish 高频 p A,C", "E-SUB-TERMINAL"),
        ("1: publish 高频 p A", "E-AUTH-ROLE"),
        ("1: publish 350100/高频 c A", "ok"),
        // Each region has names of its own, so that none is taken from it.
        ("1: publish 高频 c A", "E-LIST-NAME"),
        ("1: publish 350000/高频 c A", "E-LIST-NAME"),
        ("0: publish 350100/高频 p A", "E-LIST-NAME"),
        ("0: publish 350000/高频 p A", "ok"),
        ("0: publish 高频 p A; 1: publish 350100/高频 c A", "ok"),
        ("0: publish 高频 p A; 0: publish 高频 p C", "E-SUB-EXISTS"),
        ("0: amend 高频 p 2 A", "E-SUB-UNKNOWN"),
        ("0: publish 高频 p A; 0: amend 高频 p 2 A,C", "ok"),
        ("0: publish 高频 p A; 0: amend 高频 p 3 A,C", "E-ITEM-VERSION"),
        ("0: publish 高频 p A; 0: amend 高频 c 2 A,C", "E-ITEM-IDENTITY"),
        ("0: publish 高频 p A; 1: amend 高频 p 2 A", "E-AUTH-ROLE"),
        ("1: publish 350100/高频 c A; 0: amend 350100/高频 c 2 A", "ok"),
        ("0: publish 高频 p A; 0: drop 高频 p; 0: amend 高频 p 2 A", "E-SUB-TERMINAL"),
        ("0: publish 高频 p A; 0: drop 高频 p; 0: publish 高频 p A", "E-SUB-EXISTS"),
        ("0: drop 高频 p", "E-SUB-UNKNOWN"),
    ] {
        check(&format!("{AB}; {last}"), want);
    }
    let mut chain = Chain::new();
    for line in AB.split("; ").chain(["0: publish 高频 p A", "0: amend 高频 p 2 A,C"]) {
        assert_eq!(chain.does(line), "ok");
    }
    let state = chain.find(&Subject::list(&"高频".parse().unwrap())).unwrap();
    let members = members_root(&[code("A"), code("C")]);
    assert_eq!(state.facts, Facts::List { region: region("350000"), members, count: 2 });
    assert_eq!((state.version, state.status), (2, Status::Active));
}

fn line() -> impl Strategy<Value = String> {
    let name = || prop::sample::select(vec!["A", "C", "D", "E"]);
    let spot = || prop::sample::select(vec!["p", "p", "c", "k"]);
    let basic = || prop::sample::select(vec!["B", "B", "B", "N"]);
    let who = prop::sample::select(vec![0, 0, 0, 1, 3]);
    let item = (0..10_u8, name(), basic(), spot(), 1..4_u32, name(), basic(), name(), spot());
    let from =
        prop::sample::select(vec!["", "", " from=1", " from=1700000004000", " from=1900000000000"]);
    (who, item, from).prop_map(|(who, (n, a, b, p, version, c, d, e, q), from)| {
        let what = match n {
            0 | 1 => format!("enter {a} {b} {p} 1"),
            2 | 3 => format!("revise {a} {b} {p} {version}"),
            4 => format!("hold {a} {b} {p}"),
            5 => format!("release {a} {b} {p}"),
            6 => format!("withdraw {a} {b} {p}"),
            7 => format!("merge {a} {b} {p} {version} {c}/{d}"),
            8 => format!("merge {a} {b} {p} {version} {c}/{b} {e}/{d}"),
            _ => format!("split {a} {b} {p} {c}/{d}/{q} {e}/{b}/p"),
        };
        format!("{who}: {what}{from}")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// No sequence of operations leaves a terminal state, uses a version again, or skips one; what is refused changes nothing.
    #[test]
    fn no_sequence_revives_an_item_or_uses_a_version_again(lines in vec(line(), 1..40)) {
        let mut chain = Chain::new();
        let mut known: BTreeMap<&str, (u32, Status, u64)> = BTreeMap::new();
        for line in &lines {
            let said = chain.does(line);
            for name in ["A", "C", "D", "E"] {
                let Some(state) = chain.find(&Subject::item(&code(name))) else {
                    prop_assert!(!known.contains_key(name), "{} vanished by {}", name, line);
                    continue;
                };
                let now = (state.version, state.status, state.records);
                let before = known.insert(name, now);
                let Some((version, status, records)) = before else {
                    prop_assert_eq!(now, (1, Status::Active, 1), "{}", line);
                    continue;
                };
                if said != "ok" || matches!(status, Status::Cancelled | Status::Superseded) {
                    prop_assert_eq!(now, (version, status, records), "{}", line);
                } else {
                    prop_assert!(now.0 == version || now.0 == version + 1, "{}", line);
                    prop_assert!(now.0 == version || now.2 == records + 1, "{}", line);
                }
            }
            for basic in ["B", "N"] {
                // An open basic code was opened by an item that lives, at the head of the levels.
                if let Some((Status::Active, Facts::Basic { level, opener })) = chain.basic(basic) {
                    let opener = chain.find(&Subject::item(&opener)).unwrap();
                    prop_assert!(matches!(opener.status, Status::Active | Status::Suspended), "{}", line);
                    prop_assert!(level <= Level::Province, "{}", line);
                    let Facts::Item { level: own, basic: mine, .. } = opener.facts else { panic!() };
                    prop_assert_eq!((own, mine.as_str()), (level, basic), "{}", line);
                }
            }
        }
    }

    /// Whoever may do something by delegation stands below one that may do it: at every step of every sequence.
    #[test]
    fn no_delegation_widens(acts in vec((0..4_usize, 0..4_usize, 0..12_usize, 0..5_u8, 0..4_u32), 1..30)) {
        let places = ["350000", "350100", "350122", "360000"];
        let kinds = ["1", "11", "2", "3"];
        let mut chain = Chain::new();
        for (from, to, role, act, number) in acts {
            let place = region(places[role % 4]);
            let role = match role / 4 {
                0 => Role::Item { regions: vec![place] },
                1 => Role::Licence { types: vec![kinds[usize::try_from(number).unwrap()].parse().unwrap()], regions: vec![place] },
                _ => Role::Govern {},
            };
            let to = agency(to);
            let govern = match act {
                0 | 1 => Governance::Delegate { to, role, until: None },
                2 => Governance::Undelegate { from: to, number },
                3 => Governance::Propose(Box::new(Change::Revoke { agency: to, number })),
                _ => Governance::Propose(Box::new(Change::Grant { agency: to, role, until: None })),
            };
            chain.nonce += 1;
            let mut operation = operation("uniform a", chain.nonce);
            operation.action = Action::Govern(govern);
            chain.performs(from, operation);
            let at = chain.tip.moment();
            let authority = chain.rules.authority();
            for n in 0..4 {
                let standing = chain.rules.agency(&agency(n)).unwrap();
                let may = |who: &AgencyCode, test: &dyn Fn(&Role) -> bool| authority.roles(who, at).any(test);
                let granted = |test: &dyn Fn(&Role) -> bool| {
                    standing.facts.grants.iter().any(|grant| grant.by.is_none() && grant.holds(at) && test(&grant.role))
                };
                for place in places.map(region) {
                    let item = move |role: &Role| role.covers_item(place);
                    let above = |test: &dyn Fn(&Role) -> bool| standing.facts.parent.is_some_and(|parent| may(&parent, test));
                    if may(&agency(n), &item) && !granted(&item) {
                        prop_assert!(above(&item), "agency {} items in {:?}", n, place);
                    }
                    for kind in ["1", "11", "12", "2", "3"] {
                        let licence = move |role: &Role| role.covers_licence(&kind.parse().unwrap(), place);
                        if may(&agency(n), &licence) && !granted(&licence) {
                            prop_assert!(above(&licence), "agency {} licences {} in {:?}", n, kind, place);
                        }
                    }
                }
                let governs = |role: &Role| matches!(role, Role::Govern {});
                prop_assert!(!may(&agency(n), &governs) || granted(&governs), "agency {} governs by delegation", n);
            }
        }
    }
}
